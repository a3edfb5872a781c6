"""The proof of proposed tests: the project with them in it, built and broken again, on a copy.

Proved is a test that dbt runs, that passes on the clean data, and with which the mutants are killed that it was chosen for.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from reliability_platform.mutation.private_copy import NOT_OURS, temporary_folder
from reliability_platform.mutation.score import Score
from reliability_platform.mutation.session import Progress, Tell, Tested, Wanted, mutate, unheard
from reliability_platform.mutation.trial import MutantStatus
from reliability_platform.mutation.yml_edit import FileEdit, ProjectLayout, edits, write

DATA = (".duckdb", ".wal", ".db", ".parquet")
"""Files that are read where they are: relative paths are those of the original."""


@dataclass(frozen=True)
class Proof:
    """What the project with the proposed tests in it came to."""

    folder: Path
    changes: tuple[FileEdit, ...]
    """The files of the project that would change."""
    with_them: Tested
    failing: tuple[str, ...]
    """Names of tests that do not pass on the clean data with the proposals, and did without."""
    missed: tuple[str, ...]
    """Keys of mutants that a proposal was chosen for and that still survive."""

    killable: Score
    """With the proposals, of what is killable."""

    @property
    def holds(self) -> bool:
        """Whether the proposals keep what they promise."""
        return not self.failing and not self.missed


def prove(wanted: Wanted, tested: Tested, tell: Tell = unheard, progress: Progress = unheard) -> Proof:
    """Add the proposals of `tested` to a copy of the project and test that."""
    original = wanted.project.resolve()
    with temporary_folder() as made:
        copy = made / original.name
        shutil.copytree(original, copy, ignore=_ignored, ignore_dangling_symlinks=True)
        if (original / "dbt_packages").is_dir():
            (copy / "dbt_packages").symlink_to(original / "dbt_packages")
        write(edits(ProjectLayout.of(copy), tested.proposals))
        tell("Measuring again with the proposed tests")
        again = mutate(replace(wanted, project=copy, beside=original, propose=False, fresh=True), tell, progress)
    before = {one.name for one in tested.project.left_out}
    killed = {one.mutant.key for one in again.outcomes if one.status is MutantStatus.KILLED}
    wanted_killed = {key for one in tested.proposals for key in one.kills}
    return Proof(
        folder=original,
        changes=tuple(edits(ProjectLayout.of(original), tested.proposals)),
        with_them=again,
        failing=tuple(one.name for one in again.project.left_out if one.name not in before),
        missed=tuple(sorted(wanted_killed - killed)),
        killable=tested.killable.after(again.outcomes),
    )


def _ignored(folder: str, names: list[str]) -> set[str]:
    del folder
    return {one for one in names if one in NOT_OURS or one.endswith(DATA)}
