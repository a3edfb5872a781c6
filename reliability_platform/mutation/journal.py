"""What has been judged already, kept as lines of JSON so that a killed run goes on where it was.

Kept outside of the project, under a name that all that decides about an outcome is part of: another query, another test,
other data or another seed begins anew. A run that ends removes it.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from reliability_platform.mutation.direct_build import DirectBuild
from reliability_platform.mutation.mutants import Mutant
from reliability_platform.mutation.readings import SumChange, TableChange
from reliability_platform.mutation.servers.run_schemas import PREFIX
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus

TEMPORARY_NAME = re.compile(r"(?<=__dbt_tmp)\d+")
RUN = re.compile(rf"(?<={PREFIX})[0-9a-f]{{8}}")
"""In the names of the schemas of a run in a server: another one the next time."""


def default_folder() -> Path:
    """Where a user's programs keep what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "reliability-platform" / "mutate"


class Journal:
    """The outcomes of one trial, on the disk as each of them ends."""

    def __init__(
        self, folder: Path, builds: Sequence[DirectBuild], mutants: Sequence[Mutant], watched: Iterable[object]
    ) -> None:
        self._path = folder / f"{_digest(builds, mutants, watched)}.jsonl"
        self._mutants = {one.key: one for one in mutants}
        self._file: IO[str] | None = None

    def read(self) -> list[MutantOutcome]:
        """The outcomes that an earlier run has left; a line that it did not finish is left out."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        found = {}
        for line in lines:
            try:
                one = _outcome(json.loads(line), self._mutants)
            except (ValueError, KeyError, TypeError):
                continue
            found[one.mutant.key] = one
        return list(found.values())

    def note(self, outcome: MutantOutcome) -> None:
        """Add one. A folder that cannot be written is no reason to stop: the run cannot be resumed then."""
        try:
            if self._file is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = self._path.open("a", encoding="utf-8")
                self._file.write("\n")  # after a line that was cut off
            self._file.write(json.dumps({**asdict(outcome), "mutant": outcome.mutant.key}) + "\n")
            self._file.flush()
        except OSError:
            pass

    def close(self, *, finished: bool) -> None:
        """Keep it for the next run, or remove it."""
        if self._file is not None:
            self._file.close()
        if finished:
            self._path.unlink(missing_ok=True)


def _outcome(kept: dict[str, Any], mutants: Mapping[str, Mutant]) -> MutantOutcome:
    changes = (
        TableChange(
            **{
                **one,
                "consumers": tuple(one["consumers"]),
                "columns": tuple(one["columns"]),
                "measures": tuple(SumChange(**each) for each in one["measures"]),
            }
        )
        for one in kept["changes"]
    )
    return MutantOutcome(
        mutant=mutants[kept["mutant"]],
        status=MutantStatus(kept["status"]),
        tests=tuple((key, how) for key, how in kept["tests"]),
        models=tuple(kept["models"]),
        changes=tuple(changes),
        why=kept["why"],
        seconds=kept["seconds"],
        would_notice=tuple(kept["would_notice"]),
        dbt_seconds=kept["dbt_seconds"],
    )


def _digest(builds: Sequence[DirectBuild], mutants: Sequence[Mutant], watched: Iterable[object]) -> str:
    parts: Iterable[object] = (
        *((one.key, one.sql) for one in mutants),
        *(part for build in builds for part in _parts(build)),
        *watched,
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(RUN.sub("", repr(part)).encode())
    return digest.hexdigest()[:32]


def _parts(build: DirectBuild) -> Iterable[object]:
    project = build.project
    for one in project.models:
        # The names of dbt's temporary tables hold the time of the run.
        replay = [TEMPORARY_NAME.sub("", part) for each in one.replay for part in each.parts]
        yield one.key, one.materialized, one.query.parts, replay, one.through_dbt
    yield from ((one.key, one.severity, one.sql.parts) for one in project.tests)
    yield from ((one.name, sorted(one.models)) for one in project.consumers)
    yield from sorted((name, vars(one)) for name, one in build.clean.items())
