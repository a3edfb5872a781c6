"""Faults that hit the warehouse behind the pipeline's back: rows altered, rows deleted."""

from collections.abc import Sequence
from datetime import date

import duckdb
import numpy as np

from reliability_platform.lab.faults.fault import Containment, Fault, LiveInjectionResult, Stage
from reliability_platform.lab.faults.targets import (
    IN_A_DAILY_MART,
    IN_A_MART,
    RECONCILIATION,
    daily_gold_of,
    stored_gold_of,
)
from reliability_platform.parquet import identifier
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_lease


def not_on_spark(settings: Settings, fault: Fault) -> str:
    """Why a fault cannot be injected into a home whose tables Spark builds; empty where it can."""
    if settings.engine != "spark" or fault.stage is not Stage.WAREHOUSE:
        return ""
    return "it changes tables of DuckDB, and with RELIABILITY_ENGINE=spark the warehouse file only shows Spark's"


def _as_a_stranger(settings: Settings, statements: Sequence[str]) -> list[list[tuple[object, ...]]]:
    """Run statements as somebody with a DuckDB shell would. He waits until nobody else has the file open."""
    with warehouse_lease(settings), duckdb.connect(str(settings.warehouse)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements]


def _landing_days(settings: Settings, source: str, where: str = "true") -> list[date]:
    [rows] = _as_a_stranger(
        settings, [f"select distinct landing_date from int_{source}__deduplicated where {where} order by landing_date"]
    )
    return [day for (day,) in rows if isinstance(day, date)]


def _downstream_metric_mismatch(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    gold, factor = next(stored_gold_of(source)), 1 + size
    mart, measure = gold.mart, identifier(gold.measure)
    # At least one more, so that a small factor on a small count is not rounded away.
    where = "true" if mart.event_date is None else f"{mart.day} = date '{day.isoformat()}'"
    _as_a_stranger(
        settings,
        [f"update {mart.relation} set {measure} = greatest({measure} + 1, {measure} * {factor:g}) where {where}"],
    )
    del rng
    if mart.event_date is None:  # it is compared as a whole, and held as one
        concerned = _landing_days(settings, source)
        return LiveInjectionResult(concerned, concerned, [mart.name])
    concerned = _landing_days(settings, source, f"event_date = date '{day.isoformat()}'")
    return LiveInjectionResult(concerned, [day], [mart.name])


def _accidental_delete(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    del day, rng
    concerned = _landing_days(settings, source)
    mart, layers = next(daily_gold_of(source)).mart, [f"int_{source}__deduplicated", f"stg_{source}"]
    _as_a_stranger(settings, [f"delete from {table}" for table in [mart.relation, *layers][: int(size)]])
    return LiveInjectionResult(concerned, concerned, [mart.name, *layers][: int(size)])


WAREHOUSE_FAULTS = (
    Fault(
        name="downstream_metric_mismatch",
        family="warehouse",
        description="Somebody corrects numbers in gold by hand.",
        target=IN_A_MART,
        magnitudes={"small": 0.001, "medium": 0.1, "large": 1},
        magnitude_meaning="by which share a measure of one event date is raised, by one at least",
        expected_class="reconciliation_mismatch",
        expected_severity="P1",
        root="rec_silver__vs__gold",
        signature=("rec_silver__vs__gold__{source}",),
        containment=Containment.HELD,
        end_state="rebuilt from silver, oracle-equal",
        stage=Stage.WAREHOUSE,
        live=_downstream_metric_mismatch,
    ),
    Fault(
        name="accidental_delete",
        family="warehouse",
        description="A DELETE without WHERE.",
        target=IN_A_DAILY_MART,
        magnitudes={"small": 1, "medium": 2, "large": 3},
        magnitude_meaning="tables that lose all their rows: gold; silver too; staging too",
        expected_class="data_loss",
        expected_severity="P0",
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__no_rows_lost",),
        symptoms=(
            "rec_silver__vs__gold__{source}",
            "rec_batches__conserved__{source}",
            "int_{source}__deduplicated__volume",
            RECONCILIATION,
            "stg_{source}__row_count",
            "stg_{source}__freshness",
            "stg_{source}__as_built",
        ),
        containment=Containment.HELD,
        end_state="restored from a snapshot (without one, rebuilt from bronze), oracle-equal",
        stage=Stage.WAREHOUSE,
        live=_accidental_delete,
    ),
)
