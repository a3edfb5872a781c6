"""The campaign: a home for each stage, an uncrashed clone of it, and interruptions after each of which all must be as in the clone."""

import shutil
import signal
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from reliability_platform.settings import Settings, load_settings
from tests.postgresql_server import PostgresqlServer
from tests.torture.killing import HARD_LIMIT_SECONDS, NEVER, Ended, Moment, choose, nothing, start
from tests.torture.stages import STAGES, found
from tests.torture.state import State, broken, differences, killed_builds, leftovers, state_of
from tests.torture.troubles import (
    PAGE,
    Resize,
    hold_store,
    hold_warehouse,
    jumping,
    move_store,
    no_file_beyond,
    size_of,
    small_disk,
    store_in_server,
    used,
)

PLENTY = 2_000_000_000
TRIES = 8
"""A process that ended before its moment is tried again, with an earlier one."""


@dataclass(frozen=True)
class Clone:
    """What a stage does when nobody kills it."""

    begins_on: Path
    home: Path
    state: State
    points: int
    seconds: float


@dataclass
class Interruption:
    """One trouble, and what was wrong after the re-run; nothing, if it was survived."""

    kind: str
    stage: str
    number: int
    moment: str
    refused: bool = True
    """Whether the first run failed at all."""
    rerun_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)


def copy(home: Path, target: Path) -> Path:
    """The same home elsewhere."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(home, target, symlinks=True)
    return target


class Campaign:
    """Homes in one folder; templates are made when they are first needed."""

    def __init__(self, folder: Path, seed: int, patience: float = HARD_LIMIT_SECONDS) -> None:
        self._folder, self._seed, self._patience = folder, seed, patience
        self._clones: dict[str, Clone] = {}
        self._server: PostgresqlServer | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def _log(self) -> Path:
        return self._folder / "child.log"

    def do(self, work: Callable[[], Any], moment: Moment = NEVER, prepare: Callable[[], None] = nothing) -> Ended:
        """In a process of its own."""
        return start(work, self._log(), moment, prepare, self._patience).wait()

    def _surely(self, work: Callable[[], Any]) -> Ended:
        ended = self.do(work)
        if ended.killed or ended.error:
            raise RuntimeError(ended.error or "it took too long")
        return ended

    def template(self, after: str | None) -> Path:
        """The home on which a stage begins."""
        if after is not None:
            return self.clone(after).home
        home = self._folder / "template"
        if not home.exists():
            self._surely(lambda: found(home) and None)
        return home

    def clone(self, name: str) -> Clone:
        """The uncrashed clone of a stage, and how long and how many points it is."""
        if name not in self._clones:
            stage, begins_on = STAGES[name], self.template(STAGES[name].after)
            home = copy(begins_on, self._folder / f"clone-{name}")
            ended = self._surely(lambda: stage.work(load_settings(home)))
            state = self._surely(lambda: state_of(load_settings(home))).answer
            self._clones[name] = Clone(begins_on, home, state, ended.points, ended.seconds)
        return self._clones[name]

    def interrupt(self, kind: str, name: str, number: int) -> Interruption:
        """One trouble of a kind, for one stage; examined."""
        rng, clone = Random(f"{self._seed}/{kind}/{name}/{number}"), self.clone(name)
        in_server = store_in_server() if kind == "server" else nullcontext()
        with small_disk(self._folder / "disk") as resize, in_server as self._server:
            try:
                interruption, home = _KINDS[kind](self, name, number, rng, resize)
            except RuntimeError as error:  # the other interruptions are worth their results
                return Interruption(kind, name, number, "never hit", wrong=[f"the harness failed: {error}"])
            interruption.wrong += [f"before the re-run: {one}" for one in self._ask(broken, home)]
            self._examine(interruption, clone, home)
            if interruption.wrong:
                copy(home, self._folder / f"failed-{kind}-{name}-{number}")
        return interruption

    def _ask(self, question: Callable[[Settings], Any], home: Path) -> Any:
        return self._surely(lambda: question(load_settings(home))).answer

    def _kill(self, name: str, number: int, rng: Random, _: Resize) -> tuple[Interruption, Path]:
        """The process is killed at a seeded moment."""
        stage, clone = STAGES[name], self.clone(name)
        for _try in range(TRIES):
            home = copy(clone.begins_on, self._folder / "home")
            moment = choose(rng, clone.points, clone.seconds)
            if self.do(partial(stage.work, load_settings(home)), moment).killed:
                return Interruption("kill", name, number, str(moment)), home
        raise RuntimeError(f"{name} always ends before it is killed")

    def _fill(self, name: str, number: int, rng: Random, resize: Resize) -> tuple[Interruption, Path]:
        """The disk is full at a seeded place; then there is room again."""
        stage, clone = STAGES[name], self.clone(name)
        growth = max(size_of(clone.home) - size_of(clone.begins_on), 10 * PAGE)
        room, prepare = rng.randrange(growth), nothing
        own = resize(PLENTY)
        home = copy(clone.begins_on, self._folder / "disk" / "home")
        if not (own and resize(used(home) + room)):
            prepare = no_file_beyond(PAGE + room)
        ended = self.do(partial(stage.work, load_settings(home)), prepare=prepare)
        resize(PLENTY)
        return Interruption("fill", name, number, f"{room // 1024} KiB of room", ended.error is not None), home

    def _hold(self, name: str, number: int, rng: Random, _: Resize) -> tuple[Interruption, Path]:
        """Somebody else has the warehouse open, or the operations store locked, for a while: the stage must wait."""
        stage, clone = STAGES[name], self.clone(name)
        home = copy(clone.begins_on, self._folder / "home")
        take, what = (hold_warehouse, "warehouse") if rng.random() < 0.5 else (hold_store, "operations store")
        seconds = rng.uniform(0.5, 4)
        holder = take(home, seconds, self._log())
        ended = self.do(partial(stage.work, load_settings(home)))
        holder.wait()
        interruption = Interruption("hold", name, number, f"{what} held for {seconds:.1f} s", ended.error is not None)
        if ended.error:
            interruption.wrong.append(f"it did not wait: {ended.error}")
        return interruption, home

    def _jump(self, name: str, number: int, rng: Random, _: Resize) -> tuple[Interruption, Path]:
        """The clock is set a day forth or back, again and again, while the stage runs."""
        home = copy(self.clone(name).begins_on, self._folder / "home")
        ended = self.do(partial(STAGES[name].work, load_settings(home)), prepare=jumping(rng))
        interruption = Interruption("jump", name, number, "all the time", ended.error is not None)
        if ended.error:
            interruption.wrong.append(f"a clock that jumps broke it: {ended.error}")
        return interruption, home

    def _stop_server(self, name: str, number: int, rng: Random, _: Resize) -> tuple[Interruption, Path]:
        """The server that has the operations store crashes, or is shut down, at a seeded moment, and is back after a while: the
        stage goes on, or ends in words; a re-run does the rest.
        """
        stage, clone, server = STAGES[name], self.clone(name), self._server
        assert server is not None
        home = copy(clone.begins_on, self._folder / "home")
        self._surely(lambda: move_store(load_settings(home)))
        after, away = rng.uniform(0, clone.seconds * 1.5), rng.uniform(0.1, 3)
        how = signal.SIGQUIT if rng.random() < 0.5 else signal.SIGINT
        work = start(partial(stage.work, load_settings(home)), self._log(), NEVER, nothing, self._patience)
        time.sleep(after)
        server.stop(how)
        time.sleep(away)
        server.start()
        ended = work.wait()
        moment = f"{how.name} after {after:.3f} s for {away:.1f} s"
        return Interruption("server", name, number, moment, ended.error is not None), home

    def _examine(self, interruption: Interruption, clone: Clone, home: Path) -> None:
        """Run it again in a fresh process; everything must be as in the clone."""
        again = self.do(partial(STAGES[interruption.stage].work, load_settings(home)))
        interruption.rerun_seconds = again.seconds
        if again.error or again.killed:
            interruption.wrong.append(f"the re-run failed: {again.error or 'it took too long'}")
            return
        state = self._ask(state_of, home)
        if (
            interruption.kind == "fill"
        ):  # a build without room rightly leaves an incident; the undisturbed clone has none
            state["incidents"] = {
                name: found for name, found in state["incidents"].items() if not name.startswith("write_failure-")
            }
        if interruption.kind == "server":  # what could not be read at that moment is an incident of its own
            state["incidents"] = {
                name: found for name, found in state["incidents"].items() if not name.startswith("recovery_at_risk-")
            }
        interruption.wrong += differences(state, clone.state) + self._ask(broken, home)
        of_crashes = self._ask(killed_builds, home)
        if len(of_crashes) > 1 or (interruption.stage == "heal" and set(of_crashes) - {"resolved"}):
            interruption.wrong.append(f"incidents of the killed build: {of_crashes}")
        interruption.leftovers += leftovers(home, clone.home)


_KINDS = {
    "kill": Campaign._kill,
    "fill": Campaign._fill,
    "hold": Campaign._hold,
    "jump": Campaign._jump,
    "server": Campaign._stop_server,
}
STAGES_OF = {
    "kill": tuple(STAGES),
    "fill": ("landing", "admission", "dbt", "checks", "publication", "sensor", "remediation", "run"),
    "hold": ("dbt", "checks", "publication", "sensor", "remediation"),
    "jump": ("heal", "run", "sensor", "dbt"),
    "server": ("checks", "publication", "sensor", "remediation", "run", "heal"),
}
"""Where each kind of trouble makes sense."""


def planned(kind: str, count: int, only: Sequence[str]) -> list[tuple[str, str, int]]:
    """Kind, stage and number of so many interruptions; kills by the shares of the stages, the rest evenly."""
    names = [name for name in STAGES_OF[kind] if not only or name in only]
    shares = {name: STAGES[name].share if kind == "kill" else 1.0 for name in names}
    by_stage: dict[str, int] = dict.fromkeys(names, 0)
    for _ in range(count if names else 0):  # the one that is furthest behind its share
        behind = min(names, key=lambda name: (by_stage[name] + 1) / shares[name])
        by_stage[behind] += 1
    return [(kind, name, number) for name in names for number in range(1, by_stage[name] + 1)]


def table(interruptions: Sequence[Interruption]) -> list[dict[str, Any]]:
    """By kind and stage: how many, how many survived, how many left no file behind, median seconds of the re-run."""
    groups: dict[tuple[str, str], list[Interruption]] = {}
    for interruption in interruptions:
        groups.setdefault((interruption.kind, interruption.stage), []).append(interruption)
    return [
        {
            "kind": kind,
            "stage": stage,
            "interruptions": len(mine),
            "survived": sum(not one.wrong for one in mine),
            "clean": sum(not one.leftovers for one in mine),
            "rerun_median_seconds": round(statistics.median(one.rerun_seconds for one in mine), 2),
        }
        for (kind, stage), mine in groups.items()
    ]


def document(interruptions: Sequence[Interruption], seed: int, seconds: float) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "interruptions": len(interruptions),
        "kills": sum(one.kind == "kill" for one in interruptions),
        "survived": sum(not one.wrong for one in interruptions),
        "stages": table(interruptions),
        "not_survived": [asdict(one) for one in interruptions if one.wrong],
        "leftovers": [asdict(one) for one in interruptions if one.leftovers and not one.wrong],
    }
