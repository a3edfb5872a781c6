"""A plan for any recording: each fault that breaks a rule once, as far as the contracts give it something to hit and the
recorded days have room.

Faults that only a source's own past can tell come last, after days enough that nothing hits; the others before them, with a
clean day between two on one lane. Faults that break no rule are left to campaigns: what is unlike the past at all depends on
the past of the data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.contracts import SOURCES
from reliability_platform.lab.campaign.grid import CLEAN_DAYS_BETWEEN, Scenario, first_place, lane_of
from reliability_platform.lab.campaign.something_to_hit import hits
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.fault import Fault, Stage
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.faults.targets import checks_named
from reliability_platform.lab.recordings.recording import Recording
from reliability_platform.profiles.judge import MIN_HISTORY_DAYS

BY_PROFILE_ALONE = "profile_anomaly"
"""The failure class of what breaks no rule."""
HISTORY = MIN_HISTORY_DAYS + 1
"""Days that nothing hits before a fault that is told by comparing with them; one more than checks ask for."""


@dataclass(frozen=True)
class DerivedPlan:
    """What is injected, and why the other faults are not."""

    injections: tuple[Injection, ...]
    left_out: dict[str, str]
    """By fault, in words."""


def derived_plan(recording: Recording, seed: int, days: int) -> DerivedPlan:
    """The plan over the first `days` of a recording; the same for the same seed."""
    left_out: dict[str, str] = {}
    candidates = []
    for fault in CATALOGUE.values():
        if fault.expected_class == BY_PROFILE_ALONE:
            continue
        if fault.applies_to:
            candidates.append(fault)
        else:
            left_out[fault.name] = "; ".join(str(fault.why_not(source)) for source in SOURCES)
    landing = [fault for fault in candidates if fault.stage is Stage.LANDING]
    placed: list[Scenario] = []
    late, early = [one for one in landing if _needs_past(one)], _each_class_first(landing)
    # Where there are days enough those that need a past choose first: they keep the end, and the others what is before.
    for fault in late + early if days >= 2 * HISTORY else early + late:
        found = _placed(fault, placed, recording, seed, days)
        if found is None:
            left_out[fault.name] = "the recorded days have no room for it"
        else:
            placed.append(found)
    live = [fault for fault in candidates if fault.stage is not Stage.LANDING]
    placed += _on_the_running_platform(live, placed, recording, seed, days)
    return DerivedPlan(tuple(one.injection() for one in sorted(placed, key=lambda one: one.first_day)), left_out)


def _needs_past(fault: Fault) -> bool:
    """Whether one of the checks that must fail compares with the source's own past."""
    return any(
        CHECKS[check].requires_history
        for source in fault.applies_to
        for column in fault.target.of(source)
        for check in checks_named(fault.signature, source, column.name)
    )


def _each_class_first(landing: Sequence[Fault]) -> list[Fault]:
    """Those that need no past: one of each failure class, then the others, as the catalogue has them."""
    rest = [fault for fault in landing if not _needs_past(fault)]
    first = list({fault.expected_class: fault for fault in reversed(rest)}.values())[::-1]
    return [*first, *(fault for fault in rest if fault not in first)]


def _placed(fault: Fault, placed: Sequence[Scenario], recording: Recording, seed: int, days: int) -> Scenario | None:
    """The fault on the source whose lane has most room, on its first free days, or its last ones if it needs a past."""
    number = len(placed)
    sources = fault.applies_to[number % len(fault.applies_to) :] + fault.applies_to[: number % len(fault.applies_to)]
    for source in sorted(sources, key=lambda one: sum(lane_of(other.source) == lane_of(one) for other in placed)):
        scenario = Scenario(fault.name, source, "medium", "day", seed)
        mine = [other for other in placed if lane_of(other.source) == lane_of(source)]
        for start in _starts(scenario, mine, recording, days):
            there = replace(scenario, first_day=recording.first + timedelta(days=start))
            if hits(there, recording):
                return there
    return None


def _starts(scenario: Scenario, mine: Sequence[Scenario], recording: Recording, days: int) -> Iterator[int]:
    """Places where the scenario and all others of its lane keep apart, and each that needs a past has it."""
    needs = _needs_past(scenario.declared)
    every = range(HISTORY if needs else 1, days - scenario.span + 1)
    for start in reversed(every) if needs else every:
        free = first_place(scenario, start, recording) == start + scenario.declared.days_read
        if not free:
            continue
        begin = start + scenario.declared.days_read
        ours = range(begin, begin + scenario.span)
        taken = [_range(one, recording) for one in mine]
        apart = all(
            ours.stop + CLEAN_DAYS_BETWEEN <= one.start or one.stop + CLEAN_DAYS_BETWEEN <= ours.start for one in taken
        )
        reads = [(read, hit) for read in _read(scenario, ours) for hit in taken]
        reads += [(read, ours) for one, hit in zip(mine, taken, strict=True) for read in _read(one, hit)]
        apart = apart and not any(read in hit for read, hit in reads)
        if apart and ours.stop <= days and _pasts_remain([*mine, scenario], [*taken, ours]):
            yield begin


def _read(scenario: Scenario, hit: range) -> list[int]:
    """The day from which it delivers again: what another fault has changed there would come with another content."""
    return [hit.start - scenario.declared.days_read] if scenario.declared.days_read else []


def _pasts_remain(lane: Sequence[Scenario], ranges: Sequence[range]) -> bool:
    """Whether each fault that is told by its past has days enough before it that nothing hits."""
    for scenario, mine in zip(lane, ranges, strict=True):
        hit = {day for one in ranges for day in one if day < mine.start}
        if _needs_past(scenario.declared) and mine.start - len(hit) < HISTORY:
            return False
    return True


def _range(scenario: Scenario, recording: Recording) -> range:
    start = (scenario.first_day - recording.first).days
    return range(start, start + scenario.span)


def _on_the_running_platform(
    live: Sequence[Fault], placed: Sequence[Scenario], recording: Recording, seed: int, days: int
) -> Iterator[Scenario]:
    """They follow each other, each after the one before has healed: from the middle of the days on, on the first one that no
    fault of a delivery hits. A source that is asked anew for a day delivers what it first did.
    """
    order = [*range(days // 2, days), *reversed(range(days // 2))]
    for number, fault in enumerate(live):
        source = fault.applies_to[number % len(fault.applies_to)]
        scenario = Scenario(fault.name, source, "medium", "live", seed)
        hit = {day for one in placed if lane_of(one.source) == lane_of(source) for day in _range(one, recording)}
        places = (first_place(scenario, start, recording) for start in order)
        free = (one for one in places if one is not None and one < days and one not in hit)
        start = next(free, first_place(scenario, days // 2, recording))
        if start is not None and start < days:
            yield replace(scenario, first_day=recording.first + timedelta(days=start))
