"""Faults of the transformations: a model that computes the wrong thing, and passes every test of form."""

import os
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from reliability_platform.lab.faults.fault import Containment, Fault, LiveInjectionResult, Stage
from reliability_platform.settings import DBT_PROJECT, Settings

VARIABLE = "RELIABILITY_DBT_PROJECT"
BUGS = {
    "orders": ("models/marts/agg_daily_revenue.sql", "sum(orders.amount)"),
    "payments": ("models/marts/agg_daily_payments.sql", "count(*) as attempts"),
    "web_events": ("models/marts/agg_daily_funnel.sql", "count(*) filter (where event_type = 'page_view')"),
    "shipments": ("models/marts/agg_daily_fulfilment.sql", "count(*) filter (where status = 'shipped')"),
}
"""The model of each source in which the mistake is made, and the expression that it multiplies."""


def project_copy(settings: Settings, name: str) -> Path:
    """A copy of the dbt project, to be changed and deployed."""
    copy = settings.faults / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(DBT_PROJECT, copy, ignore=shutil.ignore_patterns("logs", "dbt_packages", "*.lock"))
    return copy


def _with_bug(settings: Settings, source: str, factor: float) -> Path:
    """A copy in which one measure is multiplied by mistake."""
    copy = project_copy(settings, "deployed")
    file, expression = BUGS[source]
    model = copy / file
    text = model.read_text()
    right, _, name = expression.partition(" as ")
    wrong = f"cast(round({right} * {factor:g}) as bigint)" if "count" in right else f"{right} * {factor:g}"
    if expression not in text:
        raise RuntimeError(f"{file} no longer holds {expression!r}: choose another expression for the bug.")
    model.write_text(text.replace(expression, f"{wrong} as {name}" if name else wrong, 1))
    return copy


def _silent_transform_bug(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    del rng
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(_with_bug(settings, source, size))
    table = Path(BUGS[source][0]).stem

    def mend() -> None:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before

    # Rows that are late by nature carry the mistake to the date before, and from there to the landing day of that.
    around = [day - timedelta(days=1), day, day + timedelta(days=1)]
    return LiveInjectionResult(around, around[:2], [table], mend)


TRANSFORM_FAULTS = (
    Fault(
        name="silent_transform_bug",
        family="pipeline",
        description="A model that multiplies a measure by mistake is deployed; every test of form passes.",
        applies_to=tuple(BUGS),
        magnitudes={"small": 1.01, "medium": 1.2, "large": 2},
        magnitude_meaning="factor by which one measure of gold is wrong",
        expected_class="reconciliation_mismatch",
        expected_severity="P1",
        root="rec_silver__vs__gold",
        signature=("rec_silver__vs__gold__{source}",),
        containment=Containment.HELD,
        end_state="model mended, rebuilt, oracle-equal",
        stage=Stage.TRANSFORM,
        live=_silent_transform_bug,
    ),
)
