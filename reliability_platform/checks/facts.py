"""What a check found beyond its number, as fields; the text for people is made from them, here and nowhere else.

A native check returns them as a struct whose fields have these names. They are kept with the result and on the timeline
of its incident. Results and timelines of 0.3.0 have the text alone: of them nothing is known but what people read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from reliability_platform.counted import counted
from reliability_platform.formats import percent
from reliability_platform.landing.batch_files import slot_of
from reliability_platform.landing.breach import Breach, refusal_words


@dataclass(frozen=True)
class File:
    """A delivered file that a check names."""

    batch: str
    slot: int | None = None
    """The slot of the schedule that it was to fill; None for one that fits none."""
    reason: str | None = None
    """The code for which it was refused."""
    said: str | None = None
    """What admission says of it, or what its manifest says that cannot be."""
    columns: tuple[str, ...] = ()
    """The columns of the contract that it lacks or has in another type."""
    notice: str = ""
    """What its producer owed before such a change."""


@dataclass(frozen=True)
class DeliveredRow:
    """A row of a delivered file."""

    batch: str
    number: int


@dataclass(frozen=True)
class Deviating:
    """A number of the day that left its past."""

    kind: str
    """A `profiles.metrics.MetricKind`."""
    column: str
    """A column, or two with a space between; empty for the rows as such."""
    part: str
    within: str
    usual: float
    found: float
    days: int
    """How many landing days together show it."""
    impact: float
    """Part of the day's numbers that is concerned."""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Which number it is, whatever it was on the day."""
        return self.kind, self.column, self.part, self.within


@dataclass(frozen=True)
class PastValues:
    """A number by landing day, with the limits beyond which it is told: the picture of a check against the past."""

    what: str
    days: tuple[date, ...]
    """Ascending."""
    values: tuple[float, ...]
    usual: float
    low: float | None = None
    """None where only more than usual is told."""
    high: float | None = None
    told: int = 1
    """So many of the last days together are beyond a limit."""


@dataclass(frozen=True)
class Facts:
    """The findings of one check on one landing day; each kind of check fills its own field."""

    silent: bool = False
    missing_slots: tuple[int, ...] = ()
    refused: tuple[File, ...] = ()
    held_attempts: tuple[File, ...] = ()
    contradictions: tuple[File, ...] = ()
    """Manifests whose moment of landing cannot be."""
    batches: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    rejected_for: tuple[str, ...] = ()
    """The commonest reasons of one rejected row."""
    rejected_rows: int | None = None
    late_keys: int | None = None
    keys: int | None = None
    oldest_event_date: str | None = None
    measures: tuple[str, ...] = ()
    """Tables and measures in which two layers differ."""
    without_order: int | None = None
    leads_to: str | None = None
    """The other source that has not what rows of the day refer to."""
    leading_nowhere: int | None = None
    """How many rows do."""
    named_rows: tuple[DeliveredRow, ...] = ()
    """The first of them."""
    lost_from: tuple[str, ...] = ()
    """Tables that have no rows of the day."""
    deviations: tuple[Deviating, ...] = ()
    """What is unlike the past, the one first by which the day is known."""
    noticed_on: date | None = None
    """The later landing day on which a drift was told that began here or before; by itself the day is as usual."""
    past: PastValues | None = None
    """That one, or the number of another check against the past, by landing day."""

    @classmethod
    def found(cls, source: str, day: date, struct: Mapping[str, Any] | None) -> "Facts":
        """The facts of a row that a native check returned."""
        return cls.read(
            {
                name: [_file(source, day, **one) for one in value] if name in _FILES else value
                for name, value in (struct or {}).items()
                if value is not None
            }
        )

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Facts":
        """The facts as they are kept; what another release says besides is passed over."""
        return _FACTS.validate_python(dict(kept))

    def kept(self) -> dict[str, Any]:
        """What is stored: the fields that say something."""
        kept: dict[str, Any] = _FACTS.dump_python(self, mode="json", exclude_defaults=True)
        return kept

    @property
    def text(self) -> str:
        """For people; empty if there is nothing to say."""
        said = self.kept()
        return "; ".join(words(self) for name, words in _TEXT.items() if name in said)


_FACTS = TypeAdapter(Facts)
_FILES = ("refused", "held_attempts", "contradictions")


def _file(source: str, day: date, batch: str, sequence: int, reason: str | None, said: str | None) -> File:
    broken = Breach("") if reason is None else Breach.read(reason, said)
    if broken.notice:
        said = replace(broken, notice="").detail
    return File(batch, slot_of(source, day, batch, sequence), reason, said, broken.columns, broken.notice)


def _refused(file: File) -> str:
    why = refusal_words(file.reason, file.said)
    return f"{file.batch}: {file.notice or file.reason}" + (f" ({why})" if why else "")


_SHARES = {
    "empty": "{column} is empty in",
    "empty together": "of the columns that may be empty {part} is what is empty in",
    "label": "{column} is {part} in",
    "hour": "hour {part} of the day has",
    "slot": "slot {part} has",
    "outside its slot": "{column} lies outside its slot in",
    "at midnight": "{column} is midnight in",
    "whole numbers": "{column} is a whole number in",
    "negative": "{column} is negative in",
    "in order": "{one} is not after {other} in",
    "repeated content": "the content of another row of the day is in",
    "repeated pair": "{one} has the same {other} again in",
    "known values": "{column} was known from the weeks before in",
    "known pairs": "a known {one} has a {other} that it had in the weeks before in",
    "kept pairs": "a known {one} has the {other} that it had when it last came in",
    "far from the weeks before": "{column} is another by a factor of 20 or more than that of the same {part} in the weeks before, in",
    "commonest value": "{column} has its commonest value in",
    "keys used again": "a key of an earlier day has other content in",
    "rejected": "rejected for {part} are",
    "found in": "{column} leads to {part} in",
    "the same as in": "{column} is the same as in {part} in",
    "reached of": "rows of {part} that landed on the day are led to by {column}: in",
}
"""What a share is of the rows, by its kind."""


def subject_text(one: Deviating) -> str:
    """What the number of a deviation is, without its values."""
    if one.kind not in _SHARES:
        return deviation_text(replace(one, days=1)).partition(":")[0]
    share = _share_text(one).removesuffix(" in").removesuffix(" has").removesuffix(" are")
    return f"share of rows: {share}{_where(one)}"


def _share_text(one: Deviating) -> str:
    first, _, second = one.column.partition(" ")
    return _SHARES[one.kind].format(column=one.column, one=first, other=second, part=one.part)


def _where(one: Deviating) -> str:
    return f" where {one.within.replace('=', ' is ')}" if one.within else ""


def deviation_text(one: Deviating) -> str:
    """One deviation for people: what it was, and what it is."""
    where = _where(one)
    when = f" over the last {counted(one.days, 'landing day')}" if one.days > 1 else ""
    if one.kind in _SHARES:
        return f"{_share_text(one)} {percent(one.found)} of the rows{where}{when}, usual {percent(one.usual)}"
    if one.kind == "against the weeks before":
        return f"{one.column} of the same {one.part}: {one.found:.4g} times that of the weeks before{when}, usual {one.usual:.4g}"
    first, _, second = one.column.partition(" ")
    about = f"{first} to {second}" if second else one.column
    unit = " h" if one.kind == "time apart" else ""
    return f"{one.kind} of {about}{where}: {one.found:,.4g}{unit}{when}, usual {one.usual:,.4g}{unit}"


def _counted_rows(number: int, rows: tuple[DeliveredRow, ...]) -> str:
    named = [f"{one.batch} row {one.number}" for one in rows]
    return f"{counted(number, 'row')}: {', '.join(named)}{', …' if number > len(named) else ''}"


_TEXT: dict[str, Callable[[Facts], str]] = {
    "silent": lambda _: "nothing came at all",
    "missing_slots": lambda facts: f"missing: {', '.join(map(str, facts.missing_slots))}",
    "refused": lambda facts: "; ".join(map(_refused, facts.refused)),
    "held_attempts": lambda facts: "; ".join(f"{one.batch}: {one.said}" for one in facts.held_attempts),
    "contradictions": lambda facts: "; ".join(
        f"{one.batch} says to have landed {one.said}" for one in facts.contradictions
    ),
    "batches": lambda facts: ", ".join(facts.batches),
    "unknown_columns": lambda facts: f"unknown: {', '.join(facts.unknown_columns)}",
    "rejected_for": lambda facts: ",".join(facts.rejected_for),
    "keys": lambda facts: f"{facts.late_keys} of {facts.keys}",
    "oldest_event_date": lambda facts: f"{facts.oldest_event_date}",
    "measures": lambda facts: ", ".join(facts.measures),
    "without_order": lambda facts: f"{facts.without_order} without order",
    "leading_nowhere": lambda facts: _counted_rows(facts.leading_nowhere or 0, facts.named_rows),
    "deviations": lambda facts: "; ".join(map(deviation_text, facts.deviations)),
    "noticed_on": lambda facts: f"noticed on {facts.noticed_on}",
    "lost_from": lambda facts: f"no rows in {', '.join(facts.lost_from)}",
}
