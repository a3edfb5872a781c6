"""One build on Spark: what it reads is given, dbt runs, what it has made is shown; the views that read it stay DuckDB's."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from reliability_platform.errors import UsageError
from reliability_platform.settings import OWN_DBT_PROJECT, Settings
from reliability_platform.warehouse.build_rules import note_build_rules
from reliability_platform.warehouse.built import built_days
from reliability_platform.warehouse.corrected import note_corrected
from reliability_platform.warehouse.dbt_manifest import SPARK, ensure_manifest
from reliability_platform.warehouse.lease import open_when_free
from reliability_platform.warehouse.spark.inputs import give_inputs
from reliability_platform.warehouse.spark.session import spark_session
from reliability_platform.warehouse.spark.tables import has_tables, show_tables

VIEWS, TABLES_IN_SPARK = "config.materialized:view", "path:models/dimensions"
"""DuckDB makes the views on the tables that Spark has made, but for those that are tables there."""

Invoke = Callable[[Path, Sequence[str]], list[Any]]
"""Runs a command of dbt on a manifest, with more words; returns the results of its nodes."""


def build_on_spark(
    settings: Settings, first: date, last: date, select: Sequence[str], invoke: Invoke, manifest: Path
) -> list[Any]:
    """Build what `select` names (all, if nothing) over the landing days `first`..`last`; `manifest` is DuckDB's."""
    if OWN_DBT_PROJECT is not None:
        raise UsageError(
            "RELIABILITY_ENGINE is spark: a dbt project of one's own is built by DuckDB alone (RELIABILITY_OWN_DBT_PROJECT)."
        )
    session = spark_session(settings)
    with open_when_free(settings, read_only=False) as connection:
        if not has_tables(session):
            _refuse_other_days(built_days(connection), first, last)
        note_build_rules(settings, connection)
        note_corrected(settings, connection, first, last)
        give_inputs(settings, session, connection, first, last)
    chosen = ["--select", *select] if select else []
    nodes = invoke(ensure_manifest(settings.dbt_project, SPARK), [*chosen, "--exclude", VIEWS, f"--target={SPARK}"])
    made = [one.node.name for one in nodes if one.node.resource_type == "model" and str(one.status) == "success"]
    with open_when_free(settings, read_only=False) as connection:
        show_tables(settings, session, connection, made)
    views = [f"{one},{VIEWS}" for one in select] or [VIEWS]
    return nodes + invoke(manifest, ["--select", *views, "--exclude", TABLES_IN_SPARK, *_broken(nodes)])


def _refuse_other_days(built: Sequence[date], first: date, last: date) -> None:
    """Spark has no tables yet, or no more: what it would show are the days of its first build alone."""
    if built and not (first <= built[0] and built[-1] <= last):
        raise UsageError(
            "Spark has no tables of this home: build all of its days there at once, with "
            f"`reliability run --from {min(first, built[0])} --to {max(last, built[-1])}`."
        )


def _broken(nodes: Sequence[Any]) -> Iterator[str]:
    """What is downstream of a model that failed, was skipped, or has a test that failed: `dbt build` leaves it out."""
    for one in nodes:
        if str(one.status) in ("error", "skipped") and one.node.resource_type == "model":
            yield f"{one.node.name}+"
        elif str(one.status) in ("error", "fail"):
            yield from (f"{parent.split('.')[-1]}+" for parent in one.node.depends_on.nodes)
