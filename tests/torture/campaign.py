"""The campaign: a home for each stage, an uncrashed twin of it, and kills after each of which all must be as in the twin."""

import shutil
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from reliability_platform.settings import load_settings
from tests.torture.killing import NEVER, Ended, Moment, choose, start
from tests.torture.stages import STAGES, Stage, found
from tests.torture.state import State, broken, differences, killed_builds, leftovers, state_of
from tests.torture.troubles import PAGE, no_file_beyond, size_of, small_disk, used

PLENTY = 2_000_000_000
TRIES = 8
"""A process that ended before its moment is tried again, with an earlier one."""


@dataclass(frozen=True)
class Twin:
    """What a stage does when nobody kills it."""

    begins_on: Path
    home: Path
    state: State
    points: int
    seconds: float


@dataclass
class Kill:
    """One kill, and what was wrong after the re-run; nothing, if it was survived."""

    stage: str
    number: int
    moment: str
    rerun_seconds: float
    wrong: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    refused: bool = True
    """Whether the first run failed at all: what is full may have been enough."""


def _nothing() -> None:
    """What most processes need before they begin."""


def copy(home: Path, target: Path) -> Path:
    """The same home elsewhere."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(home, target, symlinks=True)
    return target


class Campaign:
    """Homes in one folder; templates are made when they are first needed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._twins: dict[str, Twin] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def _log(self) -> Path:
        return self._folder / "child.log"

    def do(self, work: Callable[[], Any], moment: Moment = NEVER, prepare: Callable[[], None] = _nothing) -> Ended:
        """In a process of its own."""
        return start(work, self._log(), moment, prepare).wait()

    def _surely(self, work: Callable[[], Any]) -> Ended:
        ended = self.do(work)
        if ended.killed or ended.error:
            raise RuntimeError(ended.error or "it took too long")
        return ended

    def template(self, after: str | None) -> Path:
        """The home on which a stage begins."""
        if after is not None:
            return self.twin(after).home
        home = self._folder / "template"
        if not home.exists():
            self._surely(lambda: found(home) and None)
        return home

    def twin(self, name: str) -> Twin:
        """The uncrashed twin of a stage, and how long and how many points it is."""
        if name not in self._twins:
            stage, begins_on = STAGES[name], self.template(STAGES[name].after)
            home = copy(begins_on, self._folder / f"twin-{name}")
            ended = self._surely(lambda: stage.work(load_settings(home)))
            state = self._surely(lambda: state_of(load_settings(home))).answer
            self._twins[name] = Twin(begins_on, home, state, ended.points, ended.seconds)
        return self._twins[name]

    def kill(self, name: str, number: int) -> Kill:
        """Kill a stage at a seeded moment, run it again, compare."""
        stage, twin = STAGES[name], self.twin(name)
        rng = Random(f"{self._seed}/{name}/{number}")
        for _ in range(TRIES):
            home = copy(twin.begins_on, self._folder / "home")
            moment = choose(rng, twin.points, twin.seconds)
            if self.do(partial(stage.work, load_settings(home)), moment).killed:
                break
        else:
            raise RuntimeError(f"{name} always ends before it is killed")
        kill = Kill(name, number, str(moment), 0.0)
        kill.wrong += [
            f"right after the kill: {one}" for one in self._surely(lambda: broken(load_settings(home))).answer
        ]
        self._examine(kill, stage, twin, home)
        if kill.wrong:
            copy(home, self._folder / f"failed-{name}-{number}")
        return kill

    def fill(self, name: str, number: int) -> Kill:
        """Let a stage run out of room at a seeded place; make room, run it again, compare."""
        stage, twin = STAGES[name], self.twin(name)
        rng = Random(f"{self._seed}/full/{name}/{number}")
        with small_disk(self._folder / "disk") as resize:
            growth = max(size_of(twin.home) - size_of(twin.begins_on), 10 * PAGE)
            room, prepare = rng.randrange(growth), _nothing
            own = resize(PLENTY)
            home = copy(twin.begins_on, self._folder / "disk" / "home")
            if not (own and resize(used(home) + room)):
                prepare = no_file_beyond(PAGE + room)
            ended = self.do(partial(stage.work, load_settings(home)), prepare=prepare)
            kill = Kill(name, number, f"{room // 1024} KiB of room", 0.0)
            kill.refused = ended.error is not None
            resize(PLENTY)
            still = self._surely(lambda: broken(load_settings(home))).answer
            kill.wrong += [f"right after the disk was full: {one}" for one in still]
            self._examine(kill, stage, twin, home)
            if kill.wrong:
                copy(home, self._folder / f"failed-full-{name}-{number}")
        return kill

    def _examine(self, kill: Kill, stage: Stage, twin: Twin, home: Path) -> None:
        again = self.do(lambda: stage.work(load_settings(home)))
        kill.rerun_seconds = again.seconds
        if again.error or again.killed:
            kill.wrong.append(f"the re-run failed: {again.error or 'it took too long'}")
            return
        ended = self.do(
            lambda: [state_of(load_settings(home)), broken(load_settings(home)), killed_builds(load_settings(home))]
        )
        if ended.error:
            kill.wrong.append(f"the home cannot be read: {ended.error}")
            return
        state, still_broken, of_crashes = ended.answer
        kill.wrong += differences(state, twin.state) + still_broken
        if len(of_crashes) > 1 or (stage.name == "heal" and set(of_crashes) - {"resolved"}):
            kill.wrong.append(f"incidents of the killed build: {of_crashes}")
        kill.leftovers += leftovers(home, twin.home)


def planned(kills: int, names: Sequence[str]) -> dict[str, int]:
    """How many kills each stage gets; at least one."""
    total = sum(STAGES[name].share for name in names)
    return {name: max(1, round(kills * STAGES[name].share / total)) for name in names}


def run(folder: Path, seed: int, plan: dict[str, int]) -> Iterator[Kill]:
    """All kills of a plan, stage by stage."""
    campaign = Campaign(folder, seed)
    for name, count in plan.items():
        for number in range(1, count + 1):
            yield campaign.kill(name, number)


def table(kills: Sequence[Kill]) -> list[dict[str, Any]]:
    """By stage: kills, survived, median seconds of the re-run, leftovers."""
    return [
        {
            "stage": name,
            "kills": len(mine),
            "survived": sum(not one.wrong for one in mine),
            "clean": sum(not one.leftovers for one in mine),
            "rerun_median_seconds": round(statistics.median(one.rerun_seconds for one in mine), 2),
        }
        for name in STAGES
        if (mine := [one for one in kills if one.stage == name])
    ]


def document(kills: Sequence[Kill], seed: int, seconds: float) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "kills": len(kills),
        "survived": sum(not one.wrong for one in kills),
        "stages": table(kills),
        "not_survived": [asdict(one) for one in kills if one.wrong],
        "leftovers": [asdict(one) for one in kills if one.leftovers and not one.wrong],
    }
