"""Runs dbt inside this process: no second interpreter, no second parse (5 s become 1 s for a partition).

The manifest is parsed once per change of the project and shared; it carries no path of a home.
"""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from reliability_platform.actor import acts_from, whoami
from reliability_platform.causes import cause_in
from reliability_platform.clock import days, utc_now
from reliability_platform.ending import raise_if_stopped
from reliability_platform.errors import HomeBusyError, PlatformError, UsageError
from reliability_platform.formats import clock, span
from reliability_platform.landing.inputs import BuildInputs
from reliability_platform.landing.sound_bronze import ensure_sound_bronze
from reliability_platform.landing.sound_reference import ensure_sound_reference
from reliability_platform.masking import error_text
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import home_id, identify, identity_trouble
from reliability_platform.settings import OWN_DBT_PROJECT, Settings
from reliability_platform.warehouse.built import begin_build, end_build, note_built, note_origin
from reliability_platform.warehouse.dbt_manifest import (
    SPARK,
    ensure_manifest,
    parsed_project,
    project_run,
    quiet_arguments,
)
from reliability_platform.warehouse.dbt_overhead import kept_translations, spare_overhead
from reliability_platform.warehouse.dbt_start import compile_when_used, spare_start
from reliability_platform.warehouse.dead_letters import remember
from reliability_platform.warehouse.failures import damaged, is_damage
from reliability_platform.warehouse.fingerprints.collect import fingerprint_of
from reliability_platform.warehouse.fingerprints.store import BuildFingerprints, BuildOrigin
from reliability_platform.warehouse.journal import BLOCKED, FAILED, MAX_ERROR, SUCCEEDED, BuildJournal
from reliability_platform.warehouse.lease import open_when_free, warehouse_lease
from reliability_platform.warehouse.marts import read_manifest
from reliability_platform.warehouse.own_built import note_own_built, own_changed_since_built, own_tables
from reliability_platform.warehouse.own_lacks import refuse_if_lacking
from reliability_platform.warehouse.spark.build import build_on_spark
from reliability_platform.warehouse.threads import build_few_with_one_thread
from reliability_platform.warehouse.versions import ModelsBuilt, models_of


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


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """dbt reads the home and the watermark from the environment at run time; ours is put back afterwards."""
    wanted = {
        "RELIABILITY_HOME": str(settings.home),
        "RELIABILITY_ALLOWED_LATENESS_DAYS": str(settings.allowed_lateness_days),
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
def _journaled(settings: Settings, first: date, last: date, *, run: str = "", whole: bool = True) -> Iterator[int]:
    """Keep the journal of builds, with what each is made with, and after one of all models (`whole`) what it was built
    from; refuse one over days that another process builds, or with models that are too old.
    """
    engine, models = operations_engine(settings), models_of(settings.dbt_project)
    journal, known = BuildJournal(engine, settings.builds), ModelsBuilt(engine)
    # Written first and looked around after: of two that begin at once, exactly one finds the other before itself.
    number = journal.begin(first, last, utc_now())
    other = journal.overlapping(first, last, number)
    if other is not None:
        words = (
            f"{span((first, last))} overlaps the build of {span((other.first_day, other.last_day))} that process "
            f"{other.process} began at {clock(other.began_at)}: wait until it has ended."
        )
        journal.end(number, utc_now(), BLOCKED, words)
        raise HomeBusyError(f"This backfill is not safe: {words}")
    older = None if settings.allow_older_models else known.older(models)
    if older is not None:
        journal.end(number, utc_now(), BLOCKED, older)
        raise UsageError(f"This backfill is not safe: {older}")
    try:
        # Before dbt reads its files: what does not even parse is what changed.
        fingerprint = fingerprint_of(settings)
        origin = BuildOrigin(number, fingerprint.digest, whoami(), acts_from(), run, settings.requested_run)
        BuildFingerprints(engine).record(origin, fingerprint, utc_now())
        yield number
        if whole:
            BuildInputs(engine).record(settings, list(days(first, last)))
        known.built(models, utc_now())
        journal.end(number, utc_now(), SUCCEEDED)
    except BaseException as error:
        journal.end(number, utc_now(), FAILED, error_text(error, MAX_ERROR))
        raise


def _home(settings: Settings) -> str:
    """The identity of the home; where the operations store is not its own, publication says so, not the build."""
    engine = operations_engine(settings)
    if identity_trouble(settings, engine) is not None:
        return home_id(settings) or ""
    return identify(settings, engine)


def _raise_what_went_wrong(result: Any) -> None:
    """A model that failed because nothing could be written, or somebody stopped it, says nothing about the model."""
    raise_if_stopped()
    if isinstance(result.exception, KeyboardInterrupt):
        raise result.exception
    if result.exception is not None:
        raise TransformFailedError(f"dbt could not run: {error_text(str(result.exception), 400)}")
    for node in getattr(result.result, "results", None) or ():
        message = str(node.message or "")
        if is_damage(message):
            raise damaged(message)
        if str(node.status) == "error" and cause_in(message) is not None:
            raise TransformFailedError(f"{node.node.name} could not be written: {error_text(message)}")


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
    run: str = "",
    on_model_start: Callable[[str], None] | None = None,
) -> list[NodeResult]:
    """Run dbt over the landing days `first`..`last` (both included) under the lease.

    `command` is `build` (models and data tests) or `run` (models alone); `run` is the run that the build belongs to.
    `on_model_start` gets a model's name, in a thread of dbt's; what it raises is dbt's to swallow. A failed test is a result, not an error;
    so is a failed model. `TransformFailedError` is raised only if dbt could not start.
    """
    compile_when_used()
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner
    from dbt_common.events.event_manager_client import cleanup_event_logger

    spare_start()
    spare_overhead()
    # As parameters: `dbt test` has no options for them, and the tests of the platform's models judge the days of the build.
    window: Any = {"event_time_start": _midnight(first), "event_time_end": _midnight(last + timedelta(days=1))}
    # dbt's own report and its console tell errors with the values that they quote; the results below tell them without.
    words = ["--no-write-json", "--log-level=none"]
    chosen = ["--select", *select] if select else []

    names: dict[str, str] = {}
    """Of versions of a model, which dbt calls alike."""

    def listen(event: Any) -> None:
        is_model = event.info.name == "NodeStart" and event.data.node_info.resource_type == "model"
        if on_model_start is not None and is_model:
            on_model_start(names.get(event.data.node_info.unique_id, event.data.node_info.node_name))

    def invoke(phase: Sequence[str], parsed: Path, more: Sequence[str]) -> list[Any]:
        try:
            # Interrupted before it has read its own options, dbt prints a traceback where it was last told to.
            cleanup_event_logger()
            project = project_run(settings.dbt_project, parsed)
            said = quiet_arguments(*phase, *words, *more, project=project, target=settings.dbt_target)
            runner = dbtRunner(manifest=parsed_project(parsed), callbacks=listeners)
            with kept_translations(parsed):
                result: Any = runner.invoke(said, **window)
        finally:
            # dbt keeps its DuckDB handle for the life of the process; nobody else could open the file.
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        if not result.success:
            gc.collect()  # what an error refers to keeps dbt's handle, and nobody in this process could open the file
        _raise_what_went_wrong(result)
        return list(result.result.results)

    # Nothing is made into a message where nobody listens: a twentieth of a build.
    listeners: list[Callable[[Any], None]] = [listen] if on_model_start is not None else []
    journaled = _journaled(settings, first, last, run=run, whole=not select)
    with journaled as number, warehouse_lease(settings), _environment(settings):
        ensure_sound_bronze(settings, set(days(first, last)))
        ensure_sound_reference(settings)
        manifest = ensure_manifest(settings.dbt_project)
        refuse_if_lacking(manifest)
        own = own_tables(manifest)
        if OWN_DBT_PROJECT is not None:
            names.update({key: node["name"] for key, node in read_manifest(manifest)["nodes"].items()})
        # Stays open while dbt has its connections: whoever opens the file alone reads all of its catalogue, and closing writes.
        with open_when_free(settings, read_only=False) as connection:  # dbt would retry blindly, or print a lock error
            build_few_with_one_thread(connection, settings, list(days(first, last)))
            remember(settings, connection, first, last)  # what a build left that was killed before it could itself
            own_changed = own_changed_since_built(settings, connection, own)
            changed = begin_build(settings, connection)
            phases = _phases(command)
            nodes = (
                build_on_spark(settings, first, last, select, partial(invoke, phases[0]), manifest)
                if settings.engine == SPARK
                else [one for phase in phases for one in invoke(phase, manifest, chosen)]
            )
            remember(settings, connection, first, last)
            note_built(connection, set(days(first, last)), changed)
            made = {names.get(one.node.unique_id, one.node.name) for one in nodes if str(one.status) == "success"}
            note_own_built(connection, own, made)
            note_origin(connection, _home(settings), number)
        end_build(settings, is_as_built=all(table in made for table, _, _ in own_changed))
    return [
        NodeResult(
            unique_id=node.node.unique_id,
            resource_type=str(node.node.resource_type),
            name=names.get(node.node.unique_id, node.node.name),
            status=str(node.status),
            seconds=node.execution_time,
            failures=node.failures,
            message=error_text(node.message or "", MAX_ERROR),
            ended_at=_ended_at(node),
        )
        for node in nodes
    ]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _phases(command: str) -> list[list[str]]:
    """The commands of dbt that a build is. With an own project its tables are all built before any is judged: of a table
    after a test that fails, `dbt build` would leave the rows of before, and of its tests no result.
    """
    only_models = ["build", "--exclude-resource-type=test", "--exclude-resource-type=unit_test"]
    if OWN_DBT_PROJECT is None:
        return [["build", "--exclude-resource-type=unit_test"] if command == "build" else [command]]
    if command == "run":
        return [only_models]  # dbt's `run` leaves seeds and snapshots out
    return [only_models, ["test", "--exclude-resource-type=unit_test"]]
