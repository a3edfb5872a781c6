"""What a run of landing days would change for consumers: run on a clone of the home, compared, thrown away."""

from dataclasses import dataclass
from datetime import date

from reliability_platform.clock import days, utc_now
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline.run import reprocess
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.recovery.clone import clone_of
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.difference import TableDifference, difference
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import CURRENT
from reliability_platform.warehouse.published import key_of

WORKSPACE = ".rehearsal"


@dataclass(frozen=True)
class Rehearsal:
    """How it went on the clone."""

    tables: list[TableDifference]
    """What would change of what is published, table by table."""
    held: dict[str, list[str]]
    """`source/landing day` of the run → why it would be held."""


def rehearse(settings: Settings, first: date, last: date) -> Rehearsal:
    """Admit, build, judge and publish days on a clone from what has landed. Nothing of the home is written.

    Raises `TransformFailedError` if a model fails, `UsageError` if the home has no clone.
    """
    with clone_of(settings, WORKSPACE) as clone:
        engine = operations_engine(clone.settings)
        window = list(days(first, last))
        published = reprocess(RunContext(clone.settings, engine, utc_now, "rehearsal"), window)
        manifest = ensure_manifest(settings.dbt_project)
        tables = difference(marts(manifest), manifest, clone.published, clone.settings.published / CURRENT)
        held = {key_of(one): why for one, why in published.held_partitions.items() if one[1] in window}
        return Rehearsal(tables, held)


def changes(settings: Settings, first: date, last: date) -> list[TableDifference]:
    """The difference alone."""
    return rehearse(settings, first, last).tables
