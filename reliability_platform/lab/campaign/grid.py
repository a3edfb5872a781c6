"""Which scenarios there are, and how they share trials.

A trial is a platform of its own over some months. Its sources are independent lanes (those that are compared with each
other, as orders and payments, share one); on a lane, scenarios follow each other with clean days between them. The
first weeks are clean: checks that compare with the past need one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache

from reliability_platform.checks.catalogue import MODEL_CHECKS
from reliability_platform.clock import FIRST_DAY
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS, fault_named
from reliability_platform.lab.faults.fault import Fault, Stage
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.recordings.recording import Recording

HISTORY_DAYS = 21
PROFILE_HISTORY_DAYS = 28
"""What a value that was never there before is compared with: two weeks in which values come to be known, and two of profiles."""
CLEAN_DAYS_BETWEEN = 1
"""Failures of one kind on neighbouring days are one incident; one clean day keeps them apart."""
WORLD_DAYS = 120
WINDOWS = {"day": 1, "week": 7, "month": 30}
LIVE_DAY, LIVE_SCENARIOS = 10, 8
"""Injections on a running platform: on which landing day, and how many in one trial."""
SIZES = ("small", "medium", "large")
FIRST_SEED = 101
"""Reported seeds begin here; thresholds were chosen on others."""
SWEEPS = {
    "volume_spike": ("1.1", "1.2", "1.25", "1.3", "1.35", "1.4"),
    "volume_drop": ("0.9", "0.8", "0.75", "0.7", "0.65"),
    "unit_change": ("1.1", "1.3", "1.5", "1.6", "1.8"),
    "hot_partition_skew": ("0.06", "0.09", "0.12", "0.15"),
}
"""Sizes around the limit of each check that compares with the past: the smallest one that it sees is measured."""


@dataclass(frozen=True)
class Scenario:
    """One fault or control, on one source, for some landing days of one trial."""

    fault: str
    source: str
    magnitude: str
    window: str
    """`day`, `week`, `month`; `limit` for a size of a sweep; `live` for an injection on the running platform."""
    seed: int
    first_day: date = date.min
    """Set when it is placed in a trial."""

    @property
    def id(self) -> str:
        """Unique within a campaign."""
        return f"{self.fault}/{self.source}/{self.magnitude}/{self.window}/{self.seed}/{self.first_day.isoformat()}"

    @property
    def declared(self) -> Fault:
        """The catalogue's entry."""
        return fault_named(self.fault)

    @property
    def days(self) -> int:
        """On how many landing days it hits."""
        return WINDOWS.get(self.window, 1)

    @property
    def span(self) -> int:
        """Landing days that it may touch."""
        return self.days - 1 + self.declared.days_touched

    @property
    def last_day(self) -> date:
        """The last landing day that it may touch."""
        return self.first_day + timedelta(days=self.span - 1)

    def injection(self) -> Injection:
        """The injection of a plan."""
        return Injection(self.fault, self.source, self.first_day, self.magnitude, self.days)


@dataclass(frozen=True)
class TrialPlan:
    """The scenarios of one trial, and how many days it has."""

    number: int
    seed: int
    scenarios: tuple[Scenario, ...]
    recording: Recording | None = None
    """What its sources replay; without one they are simulated."""

    @property
    def first_day(self) -> date:
        """Its first landing day."""
        return first_day_of(self.recording)

    @property
    def is_live(self) -> bool:
        """Whether its platform is hit while it runs, and not what lands on it."""
        return self.scenarios[0].window == "live"

    @property
    def days(self) -> int:
        """From the first day to the last clean day after the last scenario."""
        last = max(scenario.last_day for scenario in self.scenarios)
        return min((last - self.first_day).days + 1 + CLEAN_DAYS_BETWEEN, days_of(self.recording))


def first_day_of(recording: Recording | None) -> date:
    """The first landing day of a trial on a recording, or of a simulated one."""
    return recording.first if recording is not None else FIRST_DAY


def days_of(recording: Recording | None) -> int:
    """How many landing days a trial may have."""
    return WORLD_DAYS if recording is None else min(WORLD_DAYS, len(recording.days))


def _long_windows(fault: Fault) -> Sequence[str]:
    # Of what takes whole days in a row nothing is left to hit on the next one.
    return () if fault.fills_its_days else ("week", "month")


def _landing_faults() -> list[Fault]:
    return [fault for fault in CATALOGUE.values() if fault.stage is Stage.LANDING and fault.applies_to]


def _live(seed: int, sources: int, sizes: Sequence[str] = SIZES) -> Iterator[Scenario]:
    """Each fault of the running platform at some sizes, on so many sources."""
    live = [fault for fault in CATALOGUE.values() if fault.stage is not Stage.LANDING]
    for number, fault in enumerate(live):
        for place, size in enumerate(sizes):
            for offset in range(min(sources, len(fault.applies_to))):
                source = fault.applies_to[(number + place + offset) % len(fault.applies_to)]
                yield Scenario(fault.name, source, size, "live", seed)


def _standard(seed: int) -> Iterator[Scenario]:
    for number, fault in enumerate(_landing_faults()):
        for source in fault.applies_to:
            for size in SIZES:
                yield Scenario(fault.name, source, size, "day", seed)
        daily = [source for source in fault.applies_to if CONTRACTS[source].cadence.is_daily]
        for place, window in enumerate(_long_windows(fault) if daily else ()):
            yield Scenario(fault.name, daily[-1 - (number + place) % len(daily)], "medium", window, seed)
        for size in SWEEPS.get(fault.name, ()):
            for source in fault.applies_to:
                yield Scenario(fault.name, source, size, "limit", seed)
    yield from _live(seed, 2)
    for control in CONTROLS.values():
        for source in control.applies_to:
            for _ in range(3 if control.days_touched < WINDOWS["week"] else 1):
                yield Scenario(control.name, source, "medium", "day", seed)


def _quick(seed: int) -> Iterator[Scenario]:
    for number, fault in enumerate(_landing_faults()):
        for place, size in enumerate(SIZES):
            yield Scenario(fault.name, fault.applies_to[(number + place) % len(fault.applies_to)], size, "day", seed)
    yield from _live(seed, 1, ("medium",))
    for control in CONTROLS.values():
        for source in control.applies_to:
            yield Scenario(control.name, source, "medium", "day", seed)


def _subtle(seed: int) -> Iterator[Scenario]:
    """What breaks no rule and is known by the source's past alone, at every size on every source."""
    for fault in _landing_faults():
        if fault.expected_class == "profile_anomaly":
            for source in fault.applies_to:
                for size in SIZES:
                    yield Scenario(fault.name, source, size, "day", seed)


GRIDS = {"standard": _standard, "quick": _quick, "subtle": _subtle}


def scenarios_of(grid: str, seeds: int, first_seed: int = FIRST_SEED) -> list[Scenario]:
    """Every scenario of a grid, not placed yet. Raises `UsageError` for a grid that does not exist."""
    if grid not in GRIDS:
        raise UsageError(f"There is no grid {grid!r}: choose one of {', '.join(GRIDS)}.")
    return [scenario for number in range(seeds) for scenario in GRIDS[grid](first_seed + number)]


@cache
def lanes() -> tuple[tuple[str, ...], ...]:
    """The sources that share a lane: those that a model or a rule compares with each other, directly or by way of a third."""
    found = [{source} for source in SOURCES]
    compared = [set(check.sources) for check in MODEL_CHECKS]
    rules = ((source, one.other_source) for source, contract in CONTRACTS.items() for one in contract.relations)
    compared += [{source, other} for source, other in rules if other]
    for sources in compared:
        joined = [lane for lane in found if lane & sources]
        found = [lane for lane in found if lane not in joined] + [set[str]().union(*joined)]
    return tuple(tuple(sorted(lane)) for lane in found)


def lane_of(source: str) -> tuple[str, ...]:
    """The sources that share a lane with this one."""
    return next(lane for lane in lanes() if source in lane)


def trials_of(
    scenarios: Iterable[Scenario],
    recording: Recording | None = None,
    hits: Callable[[Scenario], bool] = lambda _: True,
) -> list[TrialPlan]:
    """Place scenarios on lanes, long ones first, each in the first trial that has room, on days on which it finds something to
    break (`hits`); one that finds it nowhere is in no trial.

    Two month-long ones never share a source's lane: nothing good would be left of its past. Raises `UsageError` for a
    recording that is too short.
    """
    every, first = list(scenarios), first_day_of(recording)
    live = [one for one in every if one.window == "live"]
    ordered = sorted(
        (one for one in every if one.window != "live"), key=lambda one: (one.seed, -one.span, SOURCES.index(one.source))
    )
    trials: list[tuple[int, dict[tuple[str, ...], int], list[Scenario]]] = []
    for scenario in ordered:
        lane = lane_of(scenario.source)
        for seed, ends, placed in trials:
            start = _first_hit(scenario, max(ends.get(lane, 0), _past_of(scenario, recording)), recording, hits)
            month_there = any(one.window == "month" and one.source == scenario.source for one in placed)
            fits = start is not None and not (month_there and scenario.window == "month")
            if seed == scenario.seed and fits:
                break
        else:
            past = _past_of(scenario, recording)
            if first_place(scenario, past, recording) is None:
                raise UsageError(
                    f"{scenario.fault} finds no day of {scenario.source} after the {HISTORY_DAYS} to compare with, of "
                    f"{counted(days_of(recording), 'day')} in all: record more."
                )
            ends, placed, start = {}, [], _first_hit(scenario, past, recording, hits)
            if start is None:
                continue
            trials.append((scenario.seed, ends, placed))
        assert start is not None
        placed.append(replace(scenario, first_day=first + timedelta(days=start)))
        ends[lane] = start + scenario.span + CLEAN_DAYS_BETWEEN
    landed = [(seed, tuple(placed)) for seed, _, placed in trials]
    together = [*landed, *_live_trials(live, first + timedelta(days=LIVE_DAY - 1))]
    return [TrialPlan(number, seed, placed, recording) for number, (seed, placed) in enumerate(together, 1)]


def _past_of(scenario: Scenario, recording: Recording | None) -> int:
    """How many clean days come first at least. A recording may be too short for more than the checks of rows need."""
    of_profiles = recording is None and scenario.declared.expected_class == "profile_anomaly"
    return PROFILE_HISTORY_DAYS if of_profiles else HISTORY_DAYS


def first_place(scenario: Scenario, after: int, recording: Recording | None) -> int | None:
    """The first place for a scenario, in days from the first one: the source delivers on each day that is touched, and had on the one that is read."""
    first, read = first_day_of(recording), scenario.declared.days_read

    def delivers(offset: int) -> bool:
        day = first + timedelta(days=offset)
        if recording is not None:
            return recording.has_rows(scenario.source, day)
        return CONTRACTS[scenario.source].cadence.due_on(day) > 0

    # What is delivered again must have been delivered whole the first time.
    for start in range(after + read, days_of(recording) - scenario.span + 1):
        if all(map(delivers, (start - read, *range(start, start + scenario.span)))):
            return start
    return None


def _first_hit(
    scenario: Scenario, after: int, recording: Recording | None, hits: Callable[[Scenario], bool]
) -> int | None:
    """The first of the places of a scenario at which it finds something to break."""
    start = first_place(scenario, after, recording)
    while start is not None:
        if hits(replace(scenario, first_day=first_day_of(recording) + timedelta(days=start))):
            return start
        start = first_place(scenario, start - scenario.declared.days_read + 1, recording)
    return None


def _live_trials(live: Sequence[Scenario], day: date) -> Iterator[tuple[int, tuple[Scenario, ...]]]:
    """Injections on a running platform follow each other on one, each after the one before has healed."""
    for seed in sorted({one.seed for one in live}):
        mine = [replace(one, first_day=day) for one in live if one.seed == seed]
        for start in range(0, len(mine), LIVE_SCENARIOS):
            yield seed, tuple(mine[start : start + LIVE_SCENARIOS])


def all_sizes(grid: str, seeds: int) -> dict[str, int]:
    """How many scenarios, controls and trials a grid has."""
    scenarios = scenarios_of(grid, seeds)
    silent = sum(one.declared.is_control for one in scenarios)
    return {"scenarios": len(scenarios) - silent, "controls": silent, "worlds": len(trials_of(scenarios))}
