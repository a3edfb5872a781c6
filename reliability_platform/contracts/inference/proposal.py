"""What a sample proposes for a contract: for each line its evidence, and whether it is uncertain."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from reliability_platform.contracts.inference.cadence import Rhythm, rhythm
from reliability_platform.contracts.inference.days import Days, days_of_files
from reliability_platform.contracts.inference.keys import MAX_COLUMNS, KeyCandidate, find_keys, repeated
from reliability_platform.contracts.inference.measured import ColumnProposal, measured
from reliability_platform.contracts.inference.personal import personal_data
from reliability_platform.contracts.inference.references import DeclaredSource, references
from reliability_platform.contracts.inference.repeated_hour import RepeatedHours, only_there, repeated_hours
from reliability_platform.contracts.inference.sample import Sample, Typed
from reliability_platform.contracts.inference.told import Told
from reliability_platform.contracts.servers import Server
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError

MAX_LABELS = 20
ROWS_PER_LABEL = 20
"""Fewer values, each so often on average, and every one in both halves of the sample: they are labels."""
KNOWN_RANGES = {"month": (1, 12), "day": (1, 31), "hour": (0, 24), "minute": (0, 59), "second": (0, 60), "lat": (-90, 90), "latitude": (-90, 90), "lon": (-180, 180), "longitude": (-180, 180)}  # fmt: skip
CALENDAR = frozenset({"year", "month", "week", "day", "hour", "minute", "second"})
HAPPENED = ("event", "occurred", "happened", "timestamp", "time", "created", "at", "date", "hour")
OTHER_TIMES = ("updated", "modified", "promised", "due", "birth", "expires", "expected", "sched", "loaded")
NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
)


@dataclass
class Proposal:
    """All that is said of a source."""

    name: str
    sample: Sample
    columns: list[ColumnProposal]
    key: Told
    event_time: Told
    zone: Told | None
    rhythm: Rhythm
    days: Days
    first_day: date
    """Of the events in the sample."""
    general: list[Told] = field(default_factory=list)
    server: Server | None = None
    """The database that the sample is of; None where it is of files."""
    table: str = ""
    """What it is called there."""

    def in_database(self, server: Server, table: str, whole: bool) -> None:
        """The sample is of a table, whole or its first rows: how its file is written says nothing of deliveries."""
        self.sample.whole = self.sample.whole and whole
        self.server, self.table, self.days = server, table, Days()
        self.rhythm = Rhythm(1, "d", None, "it is asked once a day", True)

    @property
    def questions(self) -> int:
        """How many lines somebody must look at."""
        told = [self.key, self.event_time, *([self.zone] if self.zone else []), *self.general]
        told += [one for one in (self.days.zone, self.days.several) if one is not None]
        told += [one for column in self.columns for one in column.said.values()]
        return sum(one.question for one in told) + (not self.rhythm.certain)


def propose(
    name: str,
    sample: Sample,
    tables: Mapping[str, Sequence[Path]],
    key: Sequence[str] = (),
    event_time: str | None = None,
    sources: Sequence[DeclaredSource] = (),
) -> Proposal:
    """What the sample says of a source. Raises `UsageError` where nothing can be proposed for what a contract needs."""
    columns = measured(sample)
    by_name = {one.typed.name: one for one in columns}
    theirs = {one.typed.original: one.typed.name for one in columns}
    key = [one if one in by_name else theirs.get(one, one) for one in key]
    event_time = theirs.get(event_time, event_time) if event_time is not None else None
    for named in (*key, *([event_time] if event_time else [])):
        if named not in by_name:
            raise UsageError(f"The sample has no column {named!r}: choose of {', '.join(list(by_name)[:12])}.")
    happened = _event_time(sample, columns, event_time)
    facts = by_name[str(happened.value)]
    found, hour = _key(sample, columns, facts.typed, key)
    zone = None
    if facts.typed.zone is False:
        zone = Told("UTC", "the moments say no zone; UTC is a guess", True)
    if hour is not None:
        zone = Told(
            hour.zones[0],
            f"its clocks show the hour from {hour.first} on twice, and so do the rows",
            True,
        )
    days = days_of_files(sample.connection, sample.files, str(happened.value), facts.typed.type == "TIMESTAMP")
    [(event_days, least, greatest)] = sample.connection.execute(
        f'select count(distinct cast("{happened.value}" as date)), min("{happened.value}"), max("{happened.value}") from sample'
    ).fetchall()
    happened.evidence += f"{least} to {greatest}"
    proposal = Proposal(
        name,
        sample,
        columns,
        found,
        happened,
        zone,
        rhythm([] if days.several is not None else sample.files, event_days),
        days,
        least if type(least) is date else least.date(),
    )
    _describe_columns(proposal, references(sample, columns, found.value, tables, sources))
    if sample.nulls:
        words = ", ".join(f"{word} {counted(times, 'time')}" for word, times in sample.nulls.items())
        proposal.general.append(Told(None, f"stands for no value in columns of numbers or moments: {words}", True))
    if sample.doubt:
        proposal.general.append(Told(None, sample.doubt, True))
    if sample.format.encoding == "latin-1":
        proposal.general.append(Told(None, "the text is no UTF-8; latin-1 is a guess, as it reads any bytes", True))
    if not sample.format.header:
        proposal.general.append(Told(None, "the files have no header: the names of the columns are made up", True))
    return proposal


def _event_time(sample: Sample, columns: Sequence[ColumnProposal], named: str | None) -> Told:
    able = [one for one in columns if one.typed.type.startswith(("TIMESTAMP", "DATE")) and one.missing < sample.rows]
    if named is not None:
        if named not in {one.typed.name for one in able}:
            raise UsageError(f"{named} holds neither moments nor days: name another column with --event-time.")
        return Told(named, "named with --event-time; ")
    if not able:
        _refuse_mixed_moments(sample, columns)
        raise UsageError(
            f"No column of {sample.files[0]} holds moments or days: a source says when its rows happened; what does not is reference data."
        )

    def rank(one: ColumnProposal) -> tuple[Any, ...]:
        words = one.typed.name.split("_")
        return (
            one.missing > 0, any(word in OTHER_TIMES for word in words), one.typed.zone is None,
            not any(word in HAPPENED for word in words), columns.index(one),
        )  # fmt: skip

    able.sort(key=rank)
    others = ", ".join(one.typed.name for one in able[1:4])
    return Told(able[0].typed.name, f"or {others}; " if others else "", bool(others) or able[0].missing > 0)


def _refuse_mixed_moments(sample: Sample, columns: Sequence[ColumnProposal]) -> None:
    """Raises `UsageError` for the first column of texts some of which are moments: it would have been the event time."""
    for name in (one.typed.name for one in columns if one.typed.type == "VARCHAR"):
        [(moments, others, other)] = sample.connection.execute(
            f"select count(moment), count(value) - count(moment), min(value) filter (where moment is null) "
            f'from (select "{name}" as value, try_cast("{name}" as timestamp) as moment from sample)'
        ).fetchall()
        if moments > others / 10:
            raise UsageError(
                f"{name} of {sample.files[0]} is {counted(moments, 'moment')} and {counted(others, 'text')} that are none, "
                f"as {other[:40]!r}: a column writes moments in one way; mend it, or leave these files out."
            )


def _repeated_hours(sample: Sample, event_time: Typed) -> list[RepeatedHours]:
    """Those in which moments without a zone may come twice. They take 0.3 s for a year."""
    if event_time.zone is not False:
        return []
    [(first, last)] = sample.connection.execute(
        f'select min("{event_time.name}")::date, max("{event_time.name}")::date from sample'
    ).fetchall()
    return repeated_hours(first, last)


def _key(
    sample: Sample, columns: Sequence[ColumnProposal], event_time: Typed, named: Sequence[str]
) -> tuple[Told, RepeatedHours | None]:
    """The smallest key; of rows that are copies of each other, one is counted. With the hour that clocks repeat, where keys come
    twice in it alone.
    """
    if named:
        if again := repeated(sample.connection, named):
            hours = _repeated_hours(sample, event_time)
            if (found := only_there(sample.connection, tuple(named), event_time.name, hours)) is not None:
                return Told(tuple(named), f"named with --key; unique {found[0].told(found[1])}", True), found[0]
            raise UsageError(
                f"{', '.join(named)} is no key: {counted(again, 'row')} of the sample repeat another one's. Name other columns with --key."
            )
        return Told(tuple(named), "named with --key; no two rows of the sample have the same"), None
    names = ", ".join(f'"{one.typed.name}"' for one in columns)
    [(rows,)] = sample.connection.execute(f"select count(distinct hash({names})) from sample").fetchall()
    if copies := sample.rows - rows:
        sample.connection.execute(
            f"create or replace temp table sample as select {names}, min(_file) as _file from sample group by {names}"
        )
    able = [KeyCandidate(one.typed.name, _exact(one, rows), one.typed.type) for one in columns if one.missing == 0]
    keys = find_keys(sample.connection, able, rows, event_time.name)
    plainer = _but_for_an_hour(sample, able, event_time, keys)
    if plainer is not None:
        key, hour, pairs = plainer
        instead = f"; else {' + '.join(keys[0])}" if keys else ""
        return Told(key, f"unique in {counted(rows, 'row')} {hour.told(pairs)}{instead}", True), hour
    if not keys:
        raise UsageError(
            f"No up to {MAX_COLUMNS} columns identify a row of the sample: name the key with --key, or ask the producer for one."
        )
    others = "; or ".join(" + ".join(one) for one in keys[1:4])
    more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
    told = f"unique in {counted(rows, 'row')}"
    told += ", as no fewer columns are but for amounts" if len(keys[0]) > 1 else ""
    told += f"; {counted(copies, 'row is a copy', 'rows are copies')} of another" if copies else ""
    doubtful = bool(others) or bool(copies) or len(keys[0]) > 1
    return Told(keys[0], told + (f"; or {others}{more}" if others else ""), doubtful), None


def _but_for_an_hour(
    sample: Sample,
    able: Sequence[KeyCandidate],
    event_time: Typed,
    keys: Sequence[tuple[str, ...]],
) -> tuple[tuple[str, ...], RepeatedHours, int] | None:
    """A key of fewer columns, or without an amount, by which rows differ but for those of one hour that clocks repeat."""
    amounts = {one.name for one in able if one.is_measured}
    if keys and len(keys[0]) == 1 and not amounts & {*keys[0]}:
        return None
    hours = _repeated_hours(sample, event_time)
    if not hours:
        return None
    twice = " or ".join(one.hold(event_time.name) for one in hours)
    sample.connection.execute(f"create or replace temp table once as select * from sample where not ({twice})")
    [(rows,)] = sample.connection.execute("select count(*) from once").fetchall()

    def size(key: tuple[str, ...]) -> tuple[bool, int]:
        return bool(amounts & {*key}), len(key)

    for key in find_keys(sample.connection, able, rows, event_time.name, "once"):
        found = only_there(sample.connection, key, event_time.name, hours) if event_time.name in key else None
        if found is not None and (not keys or size(key) < size(keys[0])):
            return key, *found
    return None


def _exact(one: ColumnProposal, rows: int) -> int:
    """Distinct values, with room for the error of the estimate: combinations are not passed over by mistake."""
    return min(rows, math.ceil(one.distinct * 1.2) + 1) if one.distinct > 1 else one.distinct


def _describe_columns(proposal: Proposal, linked: Mapping[str, Told]) -> None:
    sample = proposal.sample
    texts = [one.typed.name for one in proposal.columns if one.typed.type == "VARCHAR"]
    personal = personal_data(
        sample.connection,
        texts,
        [one.typed.name for one in proposal.columns if one.typed.name not in texts and one.typed.zone is None],
    )
    measures, segments, entities = 0, 0, 0
    for one in proposal.columns:
        name, kind = one.typed.name, one.typed.type
        of_key = name in proposal.key.value
        if one.typed.said:
            one.said["type"] = Told(
                None, one.typed.said, "guess" in one.typed.said or "others have none" in one.typed.said
            )
        share = one.missing / sample.rows
        if of_key or name == proposal.event_time.value or one.missing == 0:
            one.said["required"] = Told(
                True, "never missing in the sample" if one.missing == 0 else f"missing in {share:.1%}"
            )
        else:
            one.said["missing"] = Told(None, f"missing in {share:.1%}")
        if name in personal:
            why, certain = personal[name]
            one.said["classification"] = Told("personal", why, not certain)
        if name in linked:
            one.said["relationships"] = linked[name]
        labels = _labels(proposal, one) if kind == "VARCHAR" and name not in personal and name not in linked else None
        if labels is not None:
            one.said["labels"] = labels
            if labels.value and len(labels.value) > 1 and segments < 1 and not one.missing:
                one.said["role"] = Told("segment", f"{len(labels.value)} labels", True)
                segments += 1
        if (
            kind.startswith(NUMBERS)
            and not of_key
            and name not in linked
            and name not in personal
            and not _is_identifier(name)
        ):
            one.said["range"] = _range(proposal, one)
            if measures < 3 and one.distinct > 20 and name not in CALENDAR and not name.startswith("sched"):
                one.said["role"] = Told("measure", f"about {counted(one.distinct, 'distinct value')}", True)
                measures += 1
        elif (
            entities < 1
            and "role" not in one.said
            and 50 <= one.distinct < sample.rows / 3
            and (kind == "VARCHAR" or _is_identifier(name))
        ):
            one.said["role"] = Told("entity", f"about {one.distinct:,} of them in {counted(sample.rows, 'row')}", True)
            entities += 1


def _is_identifier(name: str) -> bool:
    return name.split("_")[-1] in ("id", "key", "code", "no", "nr", "number", "zip", "flight")


def _labels(proposal: Proposal, one: ColumnProposal) -> Told | None:
    """The values, where they are few and every one is in both halves of the sample."""
    if not 1 <= one.distinct <= MAX_LABELS * 1.2 or proposal.sample.rows < one.distinct * ROWS_PER_LABEL:
        return None
    name = one.typed.name
    rows = proposal.sample.connection.execute(
        f'select "{name}", count(*), bool_or(rowid < {proposal.sample.rows // 2}) and bool_or(rowid >= {proposal.sample.rows // 2}) '
        f'from sample where "{name}" is not null group by all order by 2 desc, 1'
    ).fetchall()
    if not rows or len(rows) > MAX_LABELS or any(len(value) > 40 for value, *_ in rows):
        return None
    steady = all(both for *_, both in rows)
    told = f"{counted(len(rows), 'value')}, the rarest {counted(rows[-1][1], 'time')}"
    if not steady:
        return Told(None, f"{told}, not all in both halves of the sample: no labels proposed", False)
    return Told([value for value, *_ in rows], f"{told}; others would be held back", True)


def _range(proposal: Proposal, one: ColumnProposal) -> Told:
    """Wider than what was seen: a limit is there to find other units and nonsense, not the next record."""
    name = one.typed.name
    [(low, high)] = proposal.sample.connection.execute(
        f'select cast(min("{name}") as double), cast(max("{name}") as double) from sample'
    ).fetchall()
    if low is None:
        return Told(None, "")
    seen = f"{low:,g} to {high:,g} in the sample"
    if name in KNOWN_RANGES and KNOWN_RANGES[name][0] <= low and high <= KNOWN_RANGES[name][1]:
        return Told(KNOWN_RANGES[name], seen)
    if name == "year":
        return Told((1900, 2100), seen)
    return Told((0 if low >= 0 else -_above(-low), _above(high) if high > 0 else 0), f"{seen}; widened", True)


def _above(value: float) -> int:
    """1, 2 or 5 times a power of ten, at least twice the value."""
    power = 10 ** math.floor(math.log10(max(2 * value, 1)))
    return int(next(step * power for step in (1, 2, 5, 10) if step * power >= 2 * value))
