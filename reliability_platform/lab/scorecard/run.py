"""Grades what a home holds now, and leaves the evidence there: the oracle, the score, the files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.campaign.document import last_campaign
from reliability_platform.lab.oracle import verify
from reliability_platform.lab.scorecard.evidence import StageTiming, write_evidence
from reliability_platform.lab.scorecard.report.graded import run_document
from reliability_platform.lab.scorecard.report.month import month_of
from reliability_platform.lab.scorecard.report.render import write_report
from reliability_platform.lab.scorecard.score import Scorecard, score
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.remediation.documents import Together, write_page
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts


@dataclass(frozen=True)
class Graded:
    """The score, and where its evidence is."""

    card: Scorecard
    files: list[Path]
    report: Path


def grade_home(
    settings: Settings,
    engine: Engine,
    now: datetime,
    stage_seconds: Sequence[StageTiming] = (),
    on_step: Callable[[str], None] = lambda _: None,
) -> Graded:
    """Compare with the oracle, grade, write the evidence. Raises `UsageError` if nothing is published yet."""
    comparisons = verify(settings, landed_partitions(settings), on_step)
    on_step("score")
    card = score(settings, engine, marts(ensure_manifest()), comparisons)
    on_step("evidence and report")
    return leave_evidence(settings, engine, card, now, stage_seconds)


def leave_evidence(
    settings: Settings, engine: Engine, card: Scorecard, now: datetime, stage_seconds: Sequence[StageTiming] = ()
) -> Graded:
    """Write the reports, the pages of the incidents and the page to look at."""
    files = write_evidence(settings, engine, card, stage_seconds)
    write_pages(settings, engine, now)
    path = settings.home / "scorecards" / "report.html"
    month = month_of(settings, engine)
    report = write_report(path, run_document(card), last_campaign(settings), month, runbooks="../incidents")
    return Graded(card, files, report)


def write_pages(settings: Settings, engine: Engine, now: datetime) -> None:
    """Write the page of each incident; one that cannot be written costs only itself."""
    store = IncidentStore(engine)
    incidents = store.all()
    together = Together(settings, incidents)
    for incident in incidents:
        with noted(store, incident, now, "Its page could not be written"):
            write_page(settings, engine, incident, now, together)
