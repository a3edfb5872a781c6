"""Faults of the transformations: a model that computes the wrong thing, and passes every test of form."""

import os
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from reliability_platform.incidents.changes.what_changed import SHOWN_AS
from reliability_platform.lab.faults.fault import Containment, Fault, LiveInjectionResult, Stage
from reliability_platform.lab.faults.targets import IN_A_MODEL, Gold, written_gold_of
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.parquet import identifier
from reliability_platform.settings import DBT_PROJECT, Settings, own_dbt_project
from reliability_platform.warehouse.fingerprints.model import Part

VARIABLE, OWN_VARIABLE = "RELIABILITY_DBT_PROJECT", "RELIABILITY_OWN_DBT_PROJECT"


def project_copy(settings: Settings, name: str) -> Path:
    """A copy of the dbt project, to be changed and deployed."""
    copy = settings.faults / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(DBT_PROJECT, copy, ignore=shutil.ignore_patterns("logs", "dbt_packages", "*.lock"))
    return copy


def _own_copy(settings: Settings, own: Path, changed: str) -> Path:
    """An own dbt project that can be deployed with one of its files changed. All else are links: what lies beside its models,
    as a warehouse of a developer, may be large, and is read by paths that count from its folder.
    """
    copy = settings.faults / "deployed"
    shutil.rmtree(copy, ignore_errors=True)
    here, there, parts = own, copy, Path(changed).parts
    for part in parts:
        there.mkdir(parents=True)
        for one in here.iterdir():
            if one.name != part:
                (there / one.name).symlink_to(one)
        here, there = here / part, there / part
    shutil.copyfile(here, there)
    return copy


def _with_bug(settings: Settings, gold: Gold, factor: float) -> tuple[str, Path]:
    """A copy of the project in which one measure of a mart is multiplied by mistake, and the variable that deploys it."""
    own = own_dbt_project() if gold.mart.place is not None else None
    copy = project_copy(settings, "deployed") if own is None else _own_copy(settings, own, gold.mart.file)
    model, measure = copy / gold.mart.file, identifier(gold.measure)
    # By one at least, so that a small factor on a small count is not rounded away.
    wrong = f"greatest({measure} + 1, {measure} * {factor:g})"
    wrong = wrong if gold.type is None else f"cast({wrong} as {gold.type})"
    query = model.read_text().rstrip().removesuffix(";")
    model.write_text(f"select * replace ({wrong} as {measure}) from (\n{query}\n)\n")
    return VARIABLE if own is None else OWN_VARIABLE, copy


def _named(gold: Gold) -> str:
    """The file of its model, as incidents name it: one of an own project as it is called there."""
    part = Part.DBT_PROJECT if gold.mart.place is None else Part.OWN_PROJECT
    return f"{SHOWN_AS.get(part, '')}{gold.mart.file}"


def _silent_transform_bug(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    del rng
    gold = next(written_gold_of(source))
    variable, copy = _with_bug(settings, gold, size)
    before = os.environ.get(variable)
    os.environ[variable] = str(copy)

    def mend() -> None:
        if before is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = before

    if gold.mart.place is not None:  # a table of an own dbt project is built whole, and with it every day is wrong
        every = [there for one, there in landed_partitions(settings) if one == source]
        return LiveInjectionResult(every, every, [gold.mart.name], mend, _named(gold))
    # Rows that are late by nature carry the mistake to the date before, and from there to the landing day of that.
    around = [day - timedelta(days=1), day, day + timedelta(days=1)]
    return LiveInjectionResult(around, around[:2], [gold.mart.name], mend, _named(gold))


TRANSFORM_FAULTS = (
    Fault(
        name="silent_transform_bug",
        family="pipeline",
        description="A model that multiplies a measure by mistake is deployed; every test of form passes.",
        target=IN_A_MODEL,
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
