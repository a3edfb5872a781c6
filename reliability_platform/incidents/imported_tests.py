"""Takes in the results of other tools' tests, and opens an incident for those that fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.checks.imported.dbt_artifacts import dbt_tests_of, is_of_dbt
from reliability_platform.checks.imported.expectations import expectations_of
from reliability_platform.checks.imported.external_test import ExternalRun, read_json
from reliability_platform.checks.imported.merge import merged
from reliability_platform.checks.imported.place import PlacedTest, place, unknown_column
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import consumers
from reliability_platform.locks import locked
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest


@dataclass(frozen=True)
class Imported:
    """What became of one file."""

    file: str
    tool: str
    tests: int
    """Read, of which some may have no place."""
    failed: int
    not_evaluated: int
    results: list[CheckResult] = field(default_factory=list)
    """What changed by it, one of each dataset and day."""
    incidents: list[str] = field(default_factory=list)
    """Opened or changed by it."""
    unplaced: list[str] = field(default_factory=list)
    """Tests that could not be taken in, each with the reason."""
    remarks: list[str] = field(default_factory=list)
    """What else a person should know: unknown columns, nodes that are no tests."""


def read_run(path: Path, manifest: Path | None) -> tuple[ExternalRun, str]:
    """What a file holds, and a digest of it. Raises `UsageError` for what is of none of the tools."""
    document, content = read_json(path)
    if is_of_dbt(document):
        beside = manifest or path.with_name("manifest.json")
        known = read_json(beside)[0] if manifest is not None or beside.is_file() else None
        found: ExternalRun | None = dbt_tests_of(document, known)
    else:
        found = expectations_of(document)
    if found is None:
        raise UsageError(
            f"{path} holds neither validation results of Great Expectations (`results` with `expectation_config`) nor "
            "run results of dbt (`metadata.dbt_schema_version`)."
        )
    return found, sha256(content).hexdigest()


def import_file(
    settings: Settings,
    engine: Engine,
    path: Path,
    now: datetime,
    *,
    manifest: Path | None = None,
    dataset: str | None = None,
    names: Mapping[str, str] | None = None,
    day: date | None = None,
) -> Imported:
    """Take in one file. Raises `UsageError` for what is of none of the tools."""
    run, digest = read_run(path, manifest)
    found = [place(test, now, dataset, names or {}, day) for test in run.tests]
    placed = [one for one in found if isinstance(one, PlacedTest)]
    results, incidents = _recorded(settings, engine, placed, f"import-{digest[:32]}", now)
    statuses = [one.test.status for one in placed]
    remarks = [words for one in placed if (words := unknown_column(one)) is not None]
    return Imported(
        file=str(path),
        tool=run.tool,
        tests=len(run.tests),
        failed=statuses.count(CheckStatus.FAILED),
        not_evaluated=statuses.count(CheckStatus.NOT_EVALUATED),
        results=results,
        incidents=incidents,
        unplaced=[one for one in found if isinstance(one, str)],
        remarks=[*remarks, *(f"Left out: {counted(count, 'node')}, {why}" for why, count in run.left_out.items())],
    )


def _recorded(
    settings: Settings, engine: Engine, placed: Sequence[PlacedTest], run_id: str, now: datetime
) -> tuple[list[CheckResult], list[str]]:
    """Keep what is new, and notice it: the results, and the incidents that it changed."""
    store = CheckStore(engine)
    with locked(settings.home / "imports.lock"):  # what two files say of one day must not be merged side by side
        results = merged(store, placed, run_id, now)
        last = store.last_id()
        store.record(results)
        new = [one for one in store.of_run(run_id) if one[0] > last]
        around = Surroundings(settings, lambda: consumers(settings, ensure_manifest()))
        return results, observe(engine, new, now, around)
