"""The trial of all mutants: each judged by what became of its build, several at once, within a time, resumable."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from reliability_platform.mutation.candidates import CandidateTest, would_notice
from reliability_platform.mutation.direct_build import (
    INTERRUPTED,
    REFUSED,
    DirectBuild,
    MutantBuild,
    MutantRoom,
    first_line,
)
from reliability_platform.mutation.mutants import INCREMENT, Mutant
from reliability_platform.mutation.readings import TableChange, compare


class MutantStatus(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    """A test noticed."""
    SURVIVED_CHANGED = "survived, consumers read otherwise"
    """No test noticed, and what consumers read is not what it was."""
    SURVIVED = "survived"
    """No test noticed; models changed, but none that consumers read."""
    EQUIVALENT = "equivalent"
    """Nothing downstream changed: it is not counted."""
    BROKE = "build broke"
    """A model or a test could not run: everybody notices, no test was needed."""
    TIMED_OUT = "timed out"
    IMPOSSIBLE = "impossible"
    """The data cannot be broken in this way: the column takes no such value. It is not counted."""


@dataclass(frozen=True)
class MutantOutcome:
    """One mutant and what became of it."""

    mutant: Mutant
    status: MutantStatus
    tests: tuple[tuple[str, str], ...] = ()
    """Keys of the tests that noticed, with `fail` or `warn`."""
    models: tuple[str, ...] = ()
    """Names of the models that changed."""
    changes: tuple[TableChange, ...] = ()
    """What consumers would read otherwise, of a survivor."""
    why: str = ""
    seconds: float = 0.0
    would_notice: tuple[str, ...] = ()
    """Keys of the candidates (`candidates.py`) that would have noticed a survivor."""
    dbt_seconds: float = 0.0
    """Of these seconds, those that dbt itself took, where it was needed."""

    @property
    def size(self) -> float:
        """How wrong what consumers read is."""
        return max((one.size for one in self.changes), default=0.0)


def judge(build: DirectBuild, room: MutantRoom, mutant: Mutant, watch: Sequence[CandidateTest] = ()) -> MutantOutcome:
    """Break, build, test, compare; of a survivor, see which of the tests that there could be would have noticed it."""
    began = time.monotonic()
    try:
        return _judged(build, room, mutant, watch, began)
    except INTERRUPTED:
        return MutantOutcome(mutant, MutantStatus.TIMED_OUT, seconds=time.monotonic() - began)


def _judged(
    build: DirectBuild, room: MutantRoom, mutant: Mutant, watch: Sequence[CandidateTest], began: float
) -> MutantOutcome:
    try:
        built = room.breaks(mutant.input, mutant.sql)
    except INTERRUPTED:
        raise
    except REFUSED as error:
        return MutantOutcome(mutant, MutantStatus.IMPOSSIBLE, why=first_line(error), seconds=time.monotonic() - began)
    named = {one.relation: one.name for one in build.project.models}
    models = tuple(named[one] for one in built.changed if one in named)
    tests = tuple(sorted(built.noticed.items()))
    changes: tuple[TableChange, ...] = ()
    noticing = frozenset[str]()
    if tests:
        status = MutantStatus.KILLED
    elif built.broken:
        status = MutantStatus.BROKE
    elif not models:
        status = MutantStatus.EQUIVALENT
    else:
        changes = _read_otherwise(build, room, built)
        now = {relation: place for relation, (place, _) in built.changed.items()}
        noticing = would_notice(room.cursor, now, watch)
        status = MutantStatus.SURVIVED_CHANGED if changes else MutantStatus.SURVIVED
    why = "; ".join(f"{name}: {why}" for name, why in built.broken.items())
    seconds = time.monotonic() - began
    return MutantOutcome(
        mutant, status, tests, models, changes, why, seconds, tuple(sorted(noticing)), built.dbt_seconds
    )


def _read_otherwise(build: DirectBuild, room: MutantRoom, built: MutantBuild) -> tuple[TableChange, ...]:
    named, readers = {one.relation: one.name for one in build.project.models}, build.project.read_by_consumers
    found = [
        compare(
            room.row,
            (named[relation], tuple(readers[relation])),
            (build.reads(relation), place),
            (build.clean[relation], now),
            room.comparable,
            room.total,
        )
        for relation, (place, now) in built.changed.items()
        if relation in readers
    ]
    return tuple(sorted(found, key=lambda one: -one.size))


@contextmanager
def _at_most(seconds: float, room: MutantRoom) -> Iterator[None]:
    timer = threading.Timer(seconds, room.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def run_trial(
    build: DirectBuild,
    mutants: Sequence[Mutant],
    *,
    workers: int,
    seconds_each: float,
    until: float | None,
    tell: Callable[[MutantOutcome], None] | None = None,
    on_increment: DirectBuild | None = None,
    watch: Mapping[str, Sequence[CandidateTest]] | None = None,
) -> list[MutantOutcome]:
    """Judge them, in their order; those of the increment on the build of it. `until` is a moment of the monotonic clock after which none begins; `tell` gets each as it ends."""

    def one(at: int, mutant: Mutant) -> MutantOutcome:
        chosen = on_increment if on_increment is not None and mutant.build == INCREMENT else build
        with chosen.room(f"mutant_{at}") as room, _at_most(seconds_each, room):
            return judge(chosen, room, mutant, (watch or {}).get(mutant.input.key, ()))

    found: list[MutantOutcome] = []
    pending: set[Future[MutantOutcome]] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            waiting = iter(enumerate(mutants))
            while True:
                # Few at a time, so that an end that is asked for comes soon.
                while len(pending) < 2 * workers and (until is None or time.monotonic() < until):
                    following = next(waiting, None)
                    if following is None:
                        break
                    pending.add(pool.submit(one, *following))
                if not pending:
                    break
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for each in done:
                    outcome = each.result()
                    found.append(outcome)
                    if tell is not None:
                        tell(outcome)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    order = {one.key: at for at, one in enumerate(mutants)}
    return sorted(found, key=lambda each: order[each.mutant.key])
