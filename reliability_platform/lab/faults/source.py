"""Faults of a source behind HTTP: it answers, but not now."""

import os
import shutil
from datetime import date

import numpy as np

from reliability_platform.errors import ExitCode
from reliability_platform.lab.clean import clean_sources
from reliability_platform.lab.faults.fault import AFTER_A_GAP, Containment, Fault, LiveInjectionResult, Stage
from reliability_platform.lab.faults.targets import ANYTHING
from reliability_platform.lab.processes import begin, end_of
from reliability_platform.lab.simulation.misbehaviour import at_first
from reliability_platform.lab.simulation.server import serving
from reliability_platform.landing.inputs import BuildInputs
from reliability_platform.landing.seals import break_seal
from reliability_platform.landing.working_copy import forget_day
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, variable

FETCH = "reliability_platform.landing.fetch"
FETCH_SECONDS = 180


def _upstream_rate_limited(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    """The day is fetched anew over HTTP, from a server that turns the first requests away."""
    del rng
    # The day has not come yet: nothing of it landed, was built, quarantined, or is kept.
    BuildInputs(operations_engine(settings)).forget(source, day)
    break_seal(settings, source, day)
    for root in (settings.landing, settings.quarantine, settings.spool):
        shutil.rmtree(root / source / f"landing_date={day.isoformat()}", ignore_errors=True)
    forget_day(settings, source, day)
    with serving(clean_sources(settings), at_first(int(size))) as server:
        # Of a clone it must not land in the bucket of the home that it is a clone of.
        place = {variable(name): getattr(settings, name) for name in ("landing_url", "landing_key")}
        said = {name: value for name, value in (os.environ | place).items() if value is not None}
        process = begin(FETCH, str(settings.home), source, day.isoformat(), server.url, environment=said)
        code = end_of(process, FETCH_SECONDS)
    if code != ExitCode.OK:
        raise RuntimeError(f"the fetch of {source} of {day} ended with {code}")
    return LiveInjectionResult([day], [day], [])


SOURCE_FAULTS = (
    Fault(
        name="upstream_rate_limited",
        family="pipeline",
        description="A source answers 429 for a while.",
        target=ANYTHING,
        magnitudes={"small": 3, "medium": 8, "large": 1000},
        magnitude_meaning="requests that are turned away, each for a second; retries make up for four in a row",
        expected_class="upstream_unavailable",
        expected_severity="P2",
        root="bronze_{source}",
        signature=("bronze_{source}__source_answers",),
        symptoms=(
            "bronze_{source}__batch_completeness",
            "bronze_{source}__not_silent",
            "stg_{source}__row_count",
            *AFTER_A_GAP,
        ),
        containment=Containment.HELD,
        end_state="source recovers, resumed, oracle-equal",
        stage=Stage.SOURCE,
        live=_upstream_rate_limited,
    ),
)
