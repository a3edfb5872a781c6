"""Several versions of one source's contract, each for the landing days from its own first one on.

The models of a source are one for all of them: its tables have the columns of every version, in the types of the newest,
and each rule is that of the version by which a landing day is read.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from reliability_platform.contracts import relations
from reliability_platform.contracts.contract import ADDITIVE, Column, Contract

ALIKE: dict[str, Callable[[Contract], object]] = {
    "its key": lambda one: one.key,
    "its event time": lambda one: one.event_time,
    "the format of its files of several days": lambda one: one.file_format if one.several_days else None,
    "its cadence": lambda one: one.cadence,
    "its days": lambda one: (one.day_zone, one.day_offset, one.several_days),
    "its kind": lambda one: one.kind,
}
"""What holds for all landing days: keys are compared between days, tables have the slots of one cadence, and a file of several
days is taken apart before anybody knows of which day it is. Else each day is read in the format of its own version."""


def objection(versions: Sequence[Contract]) -> str | None:
    """Why these cannot be versions of one source; None if they can."""
    first, *others = versions
    if len({one.version for one in versions}) < len(versions):
        return f"version {first.version} of it is declared twice: give the source another name, or the change another version"
    undated = [one.version for one in versions if one.holds_from is None]
    if len(undated) > 1 or len({one.holds_from for one in versions}) < len(versions):
        return (
            f"its versions {', '.join(one.version for one in versions)} hold from the same day: say from which landing day "
            "the newer one holds, as slaProperties: [{property: generalAvailability, value: 2026-03-01}]"
        )
    for what, of in ALIKE.items():
        if any(of(one) != of(first) for one in others):
            return (
                f"{what} is another one in version {others[-1].version}, and cannot change from one day to the next: declare what "
                "comes from then on as a source of another name, or change one file so that all days are read anew"
            )
    return None


def together(versions: Sequence[Contract]) -> Contract:
    """One contract of all versions of a source."""
    if len(versions) == 1:
        return versions[0]
    ordered = sorted(versions, key=lambda one: one.holds_from or date.min)
    newest = ordered[-1]
    columns = {one.name: one for version in ordered for one in version.columns}
    in_order = [*(one.name for one in newest.columns), *(name for name in columns if name not in _names(newest))]
    told = [
        # A column of a later version may come early, as it was announced to.
        replace(
            version,
            announced=(
                *version.announced,
                *(
                    name
                    for name in in_order
                    if name not in (*_names(version), *version.announced) and _later(name, ordered[place:])
                ),
            ),
        )
        for place, version in enumerate(ordered)
    ]
    return replace(
        newest,
        columns=tuple(_loosest(columns[name], ordered) for name in in_order),
        mode=ADDITIVE if any(one.mode == ADDITIVE for one in ordered) else newest.mode,
        relations=relations.together(one.relations for one in ordered),
        versions=tuple(told),
    )


def _names(contract: Contract) -> list[str]:
    return [one.name for one in contract.columns]


def _later(name: str, versions: Sequence[Contract]) -> bool:
    return any(name in _names(one) for one in versions)


def _loosest(newest: Column, versions: Sequence[Contract]) -> Column:
    """A column as all versions together promise it."""
    told = [one for version in versions for one in version.columns if one.name == newest.name]
    lows, highs = [one.minimum for one in told], [one.maximum for one in told]
    free = any(not one.valid_values for one in told)
    return replace(
        newest,
        required=newest.required and len(told) == len(versions) and all(one.required for one in told),
        valid_values=() if free else tuple(dict.fromkeys(value for one in told for value in one.valid_values)),
        minimum=None if None in lows else min(low for low in lows if low is not None),
        maximum=None if None in highs else max(high for high in highs if high is not None),
        references=newest.references or next((one.references for one in reversed(told) if one.references), None),
        pii=any(one.pii for one in told),
        aliases=tuple(dict.fromkeys(alias for one in told for alias in one.aliases)),
    )
