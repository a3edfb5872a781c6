"""Faults of the transformations: a model that computes the wrong thing, and passes every test of form."""

import os
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from reliability_platform.lab.faults.fault import Containment, Fault, LiveInjectionResult, Stage
from reliability_platform.lab.faults.targets import IN_A_MART, gold_of
from reliability_platform.settings import DBT_PROJECT, Settings

VARIABLE = "RELIABILITY_DBT_PROJECT"


def project_copy(settings: Settings, name: str) -> Path:
    """A copy of the dbt project, to be changed and deployed."""
    copy = settings.faults / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(DBT_PROJECT, copy, ignore=shutil.ignore_patterns("logs", "dbt_packages", "*.lock"))
    return copy


def _with_bug(settings: Settings, source: str, factor: float) -> tuple[Path, str]:
    """A copy in which one measure of the source's mart is multiplied by mistake, and the name of the mart."""
    copy, gold = project_copy(settings, "deployed"), next(gold_of(source))
    [model] = copy.glob(f"models/**/{gold.table}.sql")
    # By one at least, so that a small factor on a small count is not rounded away.
    wrong = f"cast(greatest({gold.measure} + 1, {gold.measure} * {factor:g}) as {gold.type})"
    model.write_text(f"select * replace ({wrong} as {gold.measure}) from (\n{model.read_text()}\n)\n")
    return copy, gold.table


def _silent_transform_bug(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    del rng
    before = os.environ.get(VARIABLE)
    copy, table = _with_bug(settings, source, size)
    os.environ[VARIABLE] = str(copy)

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
        target=IN_A_MART,
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
