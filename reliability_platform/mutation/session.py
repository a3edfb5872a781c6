"""One mutation test of a project from its folder to its outcomes."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from reliability_platform.counted import counted
from reliability_platform.mutation.candidates import CandidateTest, candidates
from reliability_platform.mutation.changed_files import changed_files, touched_inputs
from reliability_platform.mutation.clean_build import CleanBuild, build_clean
from reliability_platform.mutation.columns import InputTable, learn
from reliability_platform.mutation.dbt_commands import DbtCommands, called_in
from reliability_platform.mutation.direct_build import DirectBuild, DuckDBError, first_line
from reliability_platform.mutation.errors import ProjectUnusableError
from reliability_platform.mutation.increment import Inputs, NextRun, next_run
from reliability_platform.mutation.journal import Journal, default_folder
from reliability_platform.mutation.mutants import Mutant, all_mutants, in_turn, sample
from reliability_platform.mutation.private_copy import PrivateFolder, Untouched, private_folder
from reliability_platform.mutation.private_profile import (
    DUCKDB,
    PrivateProfile,
    ProfileChoice,
    allow_reading,
    make_native,
    make_private,
    may_open,
)
from reliability_platform.mutation.project import LeftOut, Project, ProjectInput
from reliability_platform.mutation.proposals import ProposedTest, propose
from reliability_platform.mutation.score import Killable, Score
from reliability_platform.mutation.servers.native_run import NativeRun, native_run, refuse_unknown
from reliability_platform.mutation.suites.expectations import expectations
from reliability_platform.mutation.suites.soda_checks import SodaChecks
from reliability_platform.mutation.through_dbt import ThroughDbt
from reliability_platform.mutation.trial import MutantOutcome, run_trial
from reliability_platform.mutation.warehouses.stand_in import stood_in
from reliability_platform.mutation.warehouses.translation import Translations

LEAST_SECONDS = 10.0
TIMES_A_CLEAN_BUILD = 20
"""A mutant that takes longer than so many clean builds, and than `LEAST_SECONDS`, is timed out."""
ON_A_COPY, IN_THE_SERVER = "on a private copy of its data", "in the server, in schemas of this run"


@dataclass(frozen=True)
class Wanted:
    """What was asked for."""

    project: Path
    profile: ProfileChoice = field(default_factory=ProfileChoice)
    variables: str | None = None
    most: int = 1000
    seed: int = 0
    max_minutes: float | None = None
    fresh: bool = False
    """Whether what an earlier run has judged is judged again."""
    workers: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))
    journal: Path = field(default_factory=default_folder)
    reads: tuple[Path, ...] = ()
    """Folders that models may read, beside what their text names."""
    since: str | None = None
    """A commit; only inputs above what changed since then are broken."""
    propose: bool = False
    """Whether tests are looked for that would have noticed the survivors."""
    inputs: Path | None = None
    """A folder with files for tables of sources, and in the place of seeds."""
    most_rows: int = 200_000
    """Of an input with more a sample is taken."""
    soda: Path | None = None
    """A folder of SodaCL files, whose checks count as tests."""
    soda_variables: tuple[tuple[str, str], ...] = ()
    gx: Path | None = None
    """A folder with suites of Great Expectations, whose expectations count as tests."""
    native: bool = False
    """Whether the project is built in the warehouse of its profile."""
    beside: Path | None = None
    """The folder that relative paths are relative to, where it is not the project's: of a copy, the original."""


@dataclass(frozen=True)
class Tested:
    """What came of it."""

    __test__ = False
    """pytest takes a class of that name for tests."""

    project: Project
    clean: CleanBuild
    inputs: tuple[tuple[ProjectInput, InputTable], ...]
    possible: int
    """Mutants that there could have been."""
    planned: int
    outcomes: tuple[MutantOutcome, ...]
    resumed: int
    """Of these, those that an earlier run had judged."""
    seed: int
    seconds: float
    """Of the trial, without the clean build."""
    proposals: tuple[ProposedTest, ...] = ()

    @property
    def score(self) -> Score:
        """Of all of it."""
        return Score.of(self.outcomes)

    @property
    def killable(self) -> Killable:
        """What tests can notice, where proposals were asked for."""
        return Killable.of(self.outcomes)


Tell = Callable[[str], None]
Progress = Callable[[int, int], None]


def unheard(*_: object) -> None:
    """For nobody."""


def mutate(wanted: Wanted, tell: Tell = unheard, progress: Progress = unheard) -> Tested:
    """Test a project. `tell` gets a line as each stage begins, `progress` how many of how many mutants are judged.

    Raises `ProjectUnusableError` and its like where there is nothing to test.
    """
    folder = wanted.project.resolve()
    beside = (wanted.beside or folder).resolve()
    soda, gx, inputs = (None if one is None else one.resolve() for one in (wanted.soda, wanted.gx, wanted.inputs))
    reads = tuple(one.resolve() for one in wanted.reads)
    named = wanted.profile.profiles_dir or os.environ.get("DBT_PROFILES_DIR")
    choice = replace(wanted.profile, profiles_dir=Path(named).resolve() if named else None)
    wanted = replace(
        wanted, project=folder, profile=choice, beside=beside, reads=reads, soda=soda, gx=gx, inputs=inputs
    )
    # As if dbt had been called there: relative paths in models and views are relative to where it is called.
    with private_folder() as private, called_in(beside):
        make = make_native if wanted.native else make_private
        profile = make(folder, wanted.profile, private, beside)
        untouched = Untouched.seen(beside, *profile.originals)
        try:
            tell(f"Building the project once {IN_THE_SERVER if wanted.native else ON_A_COPY}")
            allow_reading(profile, [str(one.resolve()) for one in wanted.reads], [])
            with _speaking(profile, private) as translations, _native(wanted, profile, private) as native:
                dbt = DbtCommands(
                    folder,
                    private,
                    profile,
                    wanted.variables,
                    beside,
                    translations,
                    wanted.inputs,
                    wanted.most_rows,
                    wanted.seed,
                    native,
                )
                clean = build_clean(dbt, profile, beside)
                said = native.notes if native is not None else []
                profile = replace(profile, notes=(*profile.notes, *dbt.notes, *said))
                return _tested(wanted, private, profile, dbt, clean, tell, progress)
        finally:
            _refuse_touched(untouched)


def _speaking(profile: PrivateProfile, private: PrivateFolder) -> AbstractContextManager[Translations | None]:
    """What dbt needs for a project that is written for another warehouse."""
    return (
        nullcontext() if profile.warehouse == DUCKDB or profile.is_native else stood_in(profile.warehouse, private.path)
    )


def _native(
    wanted: Wanted, profile: PrivateProfile, private: PrivateFolder
) -> AbstractContextManager[NativeRun | None]:
    """What a project has in its own warehouse, where it is built there."""
    if not profile.is_native:
        return nullcontext()
    refuse_unknown(profile.warehouse)
    return native_run(private, profile, wanted.most_rows, wanted.seed)


def _tested(
    wanted: Wanted,
    private: PrivateFolder,
    profile: PrivateProfile,
    dbt: DbtCommands,
    clean: CleanBuild,
    tell: Tell,
    progress: Progress,
) -> Tested:
    native = dbt.native
    build = (
        DirectBuild(clean.project, profile.catalogs, profile.extensions, private.path)
        if native is None
        else native.build(clean.project)
    )
    with build.connection:
        unread = build.read_in(*may_open(profile))
        began = time.monotonic()
        build.through = ThroughDbt(dbt, private, profile) if native is None else None
        wrong_models, wrong_tests = build.settle()
        if wrong_models and native is None:
            # What does not run by itself, or gives something else, dbt builds; what only lies below it is tried again.
            build.project = clean.project.through_dbt(clean.project.first_of(wrong_models))
            wrong_models, wrong_tests = build.settle()
        build.project = build.project.without(wrong_models, wrong_tests)
        clean_seconds = time.monotonic() - began
        add_suites(wanted, build)
        inputs = _learned(build, unread)
        project = _with_notes(build.project, profile.notes, unread)
        if wanted.since is not None:
            touched = touched_inputs(project, changed_files(wanted.project, wanted.since))
            inputs = [pair for pair in inputs if pair[0] in touched]
        following, lacks = _next_run(dbt, private, profile, clean, build, inputs, wanted.seed, tell)
        project = replace(project, left_out=(*project.left_out, *lacks), _below={})
        possible = [*all_mutants(inputs, wanted.seed), *(following.mutants if following is not None else ())]
        mutants = sample(possible, wanted.most, wanted.seed)
        if not mutants and wanted.since is None:
            raise ProjectUnusableError(
                f"Nothing feeds the project {project.name}: no seed, no table of a source in the profile's database and no file "
                "that its models read holds a row. Load the sources, or name another --target."
            )
        watch = candidates(build.connection, build.project, inputs, build.reads) if wanted.propose else {}
        tell(f"Breaking {counted(len(inputs), 'input')} in {counted(len(mutants), 'way')}")
        began = time.monotonic()
        second = following.build if following is not None else None
        outcomes, resumed = _judged(wanted, build, second, mutants, clean_seconds, progress, watch)
        return Tested(
            project=project,
            clean=clean,
            inputs=tuple(inputs),
            possible=len(possible),
            planned=len(mutants),
            outcomes=tuple(outcomes),
            resumed=resumed,
            seed=wanted.seed,
            seconds=time.monotonic() - began,
            proposals=tuple(propose(outcomes, watch)),
        )


def _learned(build: DirectBuild, unread: dict[str, str]) -> list[tuple[ProjectInput, InputTable]]:
    """What the inputs are like; `unread` (key → why) gets those that are declared and not there."""
    found = []
    for one in build.project.inputs:
        if one.key not in unread:
            try:
                found.append((one, learn(build.connection, build.reads(one.relation))))
            # A plugin of the project's dbt makes it for dbt alone, or a model names it in vain.
            except DuckDBError as error:
                unread[one.key] = first_line(error)
    return found


def add_suites(wanted: Wanted, build: DirectBuild) -> None:
    """Let the checks of other tools count as tests of the project."""
    if wanted.gx is not None:
        build.project = build.project.with_tests(*expectations(wanted.gx, build))
    if wanted.soda is not None:
        checks = SodaChecks(wanted.soda, dict(wanted.soda_variables), build)
        build.project = build.project.with_tests(checks.tests, checks.left_out)
        build.beside = (checks,)


def _next_run(
    dbt: DbtCommands,
    private: PrivateFolder,
    profile: PrivateProfile,
    clean: CleanBuild,
    build: DirectBuild,
    inputs: Inputs,
    seed: int,
    tell: Tell,
) -> tuple[NextRun | None, tuple[LeftOut, ...]]:
    """The next run of what grows, and what of it cannot be judged. That there is none is no reason to judge nothing."""
    growing = [one for one in build.project.models if one.grows]
    if not growing:
        return None, ()
    if profile.is_native:
        return None, (LeftOut("the increment", "it is judged where DuckDB builds the project, without --native"),)
    tell(f"Building the increment of {counted(len(growing), 'model')} on another private copy")
    try:
        following = next_run(dbt, private, profile, clean, build, inputs, seed)
    except (ProjectUnusableError, DuckDBError) as error:
        return None, (LeftOut("the increment", f"its clean build fails ({first_line(error)})"),)
    if following is None:
        return None, (LeftOut("the increment", "no input above it has rows of several days"),)
    return following, following.build.project.left_out


def _judged(
    wanted: Wanted,
    build: DirectBuild,
    on_increment: DirectBuild | None,
    mutants: list[Mutant],
    clean_seconds: float,
    progress: Progress,
    watch: Mapping[str, Sequence[CandidateTest]],
) -> tuple[list[MutantOutcome], int]:
    builds = [build, *([on_increment] if on_increment is not None else [])]
    journal = Journal(wanted.journal, builds, mutants, [one.fails for each in watch.values() for one in each])
    before = [] if wanted.fresh else journal.read()
    known = {one.mutant.key for one in before}
    done = len(known)

    def ended(outcome: MutantOutcome) -> None:
        nonlocal done
        done += 1
        journal.note(outcome)
        progress(done, len(mutants))

    finished = False
    try:
        found = run_trial(
            build,
            [one for one in in_turn(mutants, wanted.seed) if one.key not in known],
            workers=wanted.workers,
            seconds_each=max(LEAST_SECONDS, TIMES_A_CLEAN_BUILD * clean_seconds),
            until=None if wanted.max_minutes is None else time.monotonic() + 60 * wanted.max_minutes,
            tell=ended,
            on_increment=on_increment,
            watch=watch,
        )
        finished = len(found) + len(before) == len(mutants)
    finally:
        journal.close(finished=finished)
    order = {one.key: at for at, one in enumerate(mutants)}
    return sorted([*before, *found], key=lambda one: order[one.mutant.key]), len(before)


def _with_notes(project: Project, notes: Iterable[str], unread: dict[str, str]) -> Project:
    names = {one.key: one.name for one in project.inputs}
    out = [LeftOut(names[key], f"it cannot be read ({why})") for key, why in unread.items()]
    return replace(project, notes=tuple(notes), left_out=(*project.left_out, *out), _below={})


def _refuse_touched(untouched: Untouched) -> None:
    changed = untouched.changed()
    if changed:
        raise ProjectUnusableError(
            f"{counted(len(changed), 'file')} of the project changed while it was tested, {changed[0]} first: a Python model or a hook of "
            "the project writes there, or somebody else does. Nothing else was written."
        )
