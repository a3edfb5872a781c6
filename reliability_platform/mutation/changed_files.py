"""What a change touches: the files of a project that differ from a commit, and the inputs whose mutants can be judged otherwise."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from reliability_platform.errors import UsageError
from reliability_platform.mutation.project import Project, ProjectInput

OF_ALL = ("dbt_project.yml", "packages.yml", "dependencies.yml", "profiles.yml")
"""Files that decide about everything; macros do, too."""


def changed_files(folder: Path, commit: str) -> frozenset[str]:
    """Relative to the project; files that git does not know yet are among them. Raises `UsageError` where git cannot say."""
    if commit.startswith("-"):
        raise UsageError(f"{commit!r} is no commit: give a branch, a tag or a commit to compare with.")
    changed = _git(folder, commit, "diff", "--name-only", "--relative", "-z", commit, "--", ".")
    new = _git(folder, commit, "ls-files", "--others", "--exclude-standard", "-z")
    return frozenset(changed + new)


def _git(folder: Path, commit: str, *command: str) -> list[str]:
    try:
        done = subprocess.run(["git", "-C", folder, *command], capture_output=True, check=False, text=True)
    except OSError:
        raise UsageError("--diff needs git, and there is none.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[:1]
        raise UsageError(
            f"git cannot compare {folder} with {commit!r} ({''.join(said)}): fetch it first, or name another."
        )
    return [one for one in done.stdout.split("\0") if one]


def touched_inputs(project: Project, changed: Iterable[str]) -> tuple[ProjectInput, ...]:
    """The inputs above what changed: a model, a yml that describes it, a test, a seed; all if it decides about everything."""
    changed = frozenset(changed)
    if any(one in OF_ALL or one.startswith("macros/") for one in changed):
        return project.inputs
    relations = {one.relation for one in project.models if changed & set(one.files)}
    relations |= {name for test in project.tests if test.path in changed for name in test.query.named}
    return tuple(
        one
        for one in project.inputs
        if one.relation in relations
        or changed & set(one.files)
        or any(model.relation in relations for model in project.downstream(one.relation))
    )
