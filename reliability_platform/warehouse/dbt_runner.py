"""Runs dbt inside this process: no second interpreter, no second parse (5 s become 1 s for a partition).

The manifest is parsed once per change of the project and shared; it carries no path of a home.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from reliability_platform.causes import cause_in
from reliability_platform.clock import days, utc_now
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, PlatformError, UsageError
from reliability_platform.landing.inputs import BuildInputs
from reliability_platform.masking import error_words
from reliability_platform.operations import operations_engine
from reliability_platform.settings import DBT_PROJECT, Settings
from reliability_platform.warehouse.dead_letters import readings, remember
from reliability_platform.warehouse.failures import damaged, is_damage
from reliability_platform.warehouse.journal import BLOCKED, FAILED, MAX_ERROR, SUCCEEDED, BuildJournal
from reliability_platform.warehouse.lease import open_when_free, warehouse_lease
from reliability_platform.warehouse.versions import Version, VersionsBuilt, version_of

MANIFEST = DBT_PROJECT / "target" / "manifest.json"


@dataclass(frozen=True)
class NodeResult:
    """What became of one dbt node. `status` is dbt's own word: success, pass, warn, fail, error, skipped."""

    unique_id: str
    resource_type: str
    name: str
    status: str
    seconds: float
    failures: int | None
    message: str
    ended_at: datetime | None = None
    """None for a node that never ran."""


class TransformFailedError(PlatformError):
    """dbt could not run at all, or one of its models failed."""


def _project_files(project: Path) -> Iterator[Path]:
    for pattern in ("*.yml", "models/**/*", "macros/**/*", "tests/**/*"):
        yield from (path for path in project.glob(pattern) if path.is_file())


def manifest_is_current(project: Path = DBT_PROJECT) -> bool:
    """Whether the parsed manifest is at least as new as every file of the dbt project."""
    manifest = project / "target" / "manifest.json"
    if not manifest.exists() or not manifest.with_name("partial_parse.msgpack").exists():
        return False
    return manifest.stat().st_mtime_ns >= max(path.stat().st_mtime_ns for path in _project_files(project))


def quiet_arguments(*words: str, project: Path, target: Path) -> list[str]:
    """The arguments of a dbt command that says nothing and phones nobody; `words` are the command and its options."""
    return [
        *words,
        f"--project-dir={project}",
        f"--profiles-dir={project}",
        f"--target-path={target}",
        f"--log-path={target / 'logs'}",
        "--log-level-file=none",
        "--quiet",
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
    ]


def ensure_manifest(project: Path = DBT_PROJECT) -> Path:
    """Parse the dbt project if its manifest is missing or older than a file of it. Safe to call from many processes.

    Raises `EnvironmentUnusableError` if there is no project, or it does not parse.
    """
    manifest = project / "target" / "manifest.json"
    if manifest_is_current(project):
        return manifest
    if not (project / "dbt_project.yml").exists():
        raise EnvironmentUnusableError(f"{project} is no dbt project: set RELIABILITY_DBT_PROJECT to one, or unset it.")
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(manifest.with_name("parse.lock")):
        if not manifest_is_current(project):
            from dbt.cli.main import dbtRunner

            result = dbtRunner().invoke(quiet_arguments("parse", project=project, target=manifest.parent))
            if not result.success:
                raise EnvironmentUnusableError(f"The dbt project does not parse: {result.exception}")
            manifest.touch()
    return manifest


@lru_cache(maxsize=2)
def _manifest(path: Path, _stamp: int) -> Any:
    from dbt.contracts.graph.manifest import Manifest

    manifest = Manifest.from_msgpack(path.with_name("partial_parse.msgpack").read_bytes())
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    return manifest


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """dbt reads the home and the watermark from the environment at run time; ours is put back afterwards."""
    wanted = {
        "RELIABILITY_HOME": str(settings.home),
        "RELIABILITY_ALLOWED_LATENESS_DAYS": str(settings.allowed_lateness_days),
        **readings(settings),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _journaled(settings: Settings, first: date, last: date, *, whole: bool = True) -> Iterator[None]:
    """Keep the journal of builds, and after one of all models (`whole`) what it was built from; refuse one over days
    that another process builds, or with models that are too old.
    """
    engine, version = operations_engine(settings), version_of(settings.dbt_project)
    journal, versions = BuildJournal(engine, settings.builds), VersionsBuilt(engine)
    # Written first and looked around after: of two that begin at once, exactly one finds the other before itself.
    number = journal.begin(first, last, utc_now())
    other = journal.overlapping(first, last, number)
    if other is not None:
        words = (
            f"{first} to {last} overlaps the build of {other.first_day} to {other.last_day} that process "
            f"{other.process} began at {other.began_at:%H:%M:%S} UTC: wait until it has ended."
        )
        journal.end(number, utc_now(), BLOCKED, words)
        raise HomeBusyError(f"This backfill is not safe: {words}")
    newest = versions.newest()
    if newest is not None and version < newest and not settings.allow_older_models:
        words = too_old(version, newest)
        journal.end(number, utc_now(), BLOCKED, words)
        raise UsageError(f"This backfill is not safe: {words}")
    try:
        yield
    except BaseException as error:
        journal.end(number, utc_now(), FAILED, error_words(error, MAX_ERROR))
        raise
    if whole:
        BuildInputs(engine).record(settings, list(days(first, last)))
    versions.built(version, utc_now())
    journal.end(number, utc_now(), SUCCEEDED)


def too_old(version: Version, newest: Version) -> str:
    """Why models of a version are refused, and what to do."""
    return (
        f"models of version {version} are older than {newest}, which built the warehouse: deploy that one, or set "
        "RELIABILITY_ALLOW_OLDER_MODELS=true to go back on purpose."
    )


def _raise_what_went_wrong(result: Any) -> None:
    """A model that failed because nothing could be written says nothing about the model."""
    if result.exception is not None:
        raise TransformFailedError(f"dbt could not run: {error_words(str(result.exception), 400)}")
    for node in getattr(result.result, "results", None) or ():
        message = str(node.message or "")
        if is_damage(message):
            raise damaged(message)
        if str(node.status) == "error" and cause_in(message) is not None:
            raise TransformFailedError(f"{node.node.name} could not be written: {error_words(message)}")


def _ended_at(node: Any) -> datetime | None:
    ends = [timing.completed_at for timing in node.timing if timing.completed_at is not None]
    return max(ends).replace(tzinfo=UTC) if ends else None


def build(
    settings: Settings,
    first: date,
    last: date,
    *,
    select: Sequence[str] = (),
    command: str = "build",
    on_node: Callable[[str], None] | None = None,
    on_model_start: Callable[[str], None] | None = None,
) -> list[NodeResult]:
    """Run dbt over the landing days `first`..`last` (both included) under the lease.

    `command` is `build` (models and data tests) or `run` (models alone). The callbacks get a node's name, in a thread
    of dbt's; what they raise is dbt's to swallow. A failed test is a result, not an error;
    so is a failed model. `TransformFailedError` is raised only if dbt could not start.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    words = [
        command,
        f"--event-time-start={first.isoformat()}",
        f"--event-time-end={(last + timedelta(days=1)).isoformat()}",
    ]
    # dbt's own report and its console tell errors with the values that they quote; the results below tell them without.
    words += ["--no-write-json", "--log-level=none"]
    if command == "build":
        words.append("--exclude-resource-type=unit_test")
    if select:
        words += ["--select", *select]

    def listen(event: Any) -> None:
        if on_node is not None and event.info.name == "NodeFinished":
            on_node(event.data.node_info.node_name)
        is_model = event.info.name == "NodeStart" and event.data.node_info.resource_type == "model"
        if on_model_start is not None and is_model:
            on_model_start(event.data.node_info.node_name)

    with _journaled(settings, first, last, whole=not select), warehouse_lease(settings), _environment(settings):
        parsed = ensure_manifest(settings.dbt_project)
        with open_when_free(settings, read_only=False) as connection:  # dbt would retry blindly, or print a lock error
            remember(settings, connection, first, last)  # what a build left that was killed before it could itself
        runner = dbtRunner(manifest=_manifest(parsed, parsed.stat().st_mtime_ns), callbacks=[listen])
        try:
            result = runner.invoke(quiet_arguments(*words, project=settings.dbt_project, target=settings.dbt_target))
        finally:
            # dbt keeps its DuckDB handle for the life of the process; nobody else could open the file.
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        _raise_what_went_wrong(result)
        with open_when_free(settings, read_only=False) as connection:
            remember(settings, connection, first, last)
    nodes: Any = result.result
    return [
        NodeResult(
            unique_id=node.node.unique_id,
            resource_type=str(node.node.resource_type),
            name=node.node.name,
            status=str(node.status),
            seconds=node.execution_time,
            failures=node.failures,
            message=error_words(node.message or "", MAX_ERROR),
            ended_at=_ended_at(node),
        )
        for node in nodes.results
    ]
