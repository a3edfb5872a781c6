"""The report of an experiment: JSON for programs, Markdown for people, entries in the logs of drills and of what people did."""

from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.actor import whoami
from reliability_platform.audit_log import Changes, note_act
from reliability_platform.clock import utc_now
from reliability_platform.formats import second, seconds
from reliability_platform.incidents.documents.blocks import Block, Bullets, Grid, Heading, Paragraph
from reliability_platform.lab.drills.report import write_report
from reliability_platform.lab.experiments.judge import Claim, ExperimentStatus
from reliability_platform.lab.experiments.run import ExperimentReport
from reliability_platform.recovery.drill_log import DrillLog
from reliability_platform.settings import Settings

ABOUT = (
    "It was done on a clone of the home, which is removed: the home, its error budgets and its incidents are as before, and nobody "
    "was told."
)


def answer(claim: Claim) -> str:
    """Whether a claim held, in words."""
    return {True: "held", False: "NOT held", None: "no answer"}[claim.held]


def blocks(report: ExperimentReport) -> list[Block]:
    """The document as data."""
    experiment = report.experiment
    found: list[Block] = [
        Heading(1, f"Experiment {report.name}: {report.status}"),
        Paragraph(f"{experiment.title}. Begun {second(report.began_at)} UTC. {ABOUT}"),
        Heading(2, "Hypothesis"),
        Paragraph(experiment.hypothesis),
        Heading(2, "Claims" if report.was_steady else "The steady state, which was not there"),
        Grid(
            ("claim", "expected", "observed", ""),
            [(one.claim, one.expected, one.observed, answer(one)) for one in report.claims],
        ),
    ]
    if report.injections:
        rows = [
            (one.fault, one.source, one.landing_date.isoformat(), str(one.days), one.magnitude)
            for one in report.injections
        ]
        found += [Heading(2, "Injected"), Grid(("fault", "source", "landing day", "days", "magnitude"), rows)]
    if report.incidents:
        found += [
            Heading(2, "Incidents on the clone"),
            Bullets([f"{one.id}, {one.severity}: {one.state}" for one in report.incidents]),
        ]
    if report.remarks:
        found += [Heading(2, "Remarks"), Bullets(report.remarks)]
    steps = [(step, seconds(taken)) for step, taken in report.steps.items()]
    return [*found, Heading(2, "Steps"), Grid(("step", "time"), steps)]


def keep(settings: Settings, engine: Engine, report: ExperimentReport) -> Path | None:
    """Write the report into the home and the entry into the log; returns the Markdown file. Of a hypothesis that was not
    evaluated nothing is kept: it is due as before.
    """
    if report.status is ExperimentStatus.NOT_EVALUATED:
        return None
    refuted = "; ".join(
        f"{one.claim}: {one.observed}, expected {one.expected}" for one in report.claims if not one.held
    )
    number = DrillLog(engine).record(
        report.name, report.began_at, report.rows_lost, report.recovery_seconds, not refuted, refuted
    )
    note_act(engine, Changes.REHEARSE, f"{report.name}: {report.status}", whoami(), "", utc_now())
    return write_report(
        settings, f"{number:04d}-{report.name}", {"number": number, **report.document()}, blocks(report)
    )
