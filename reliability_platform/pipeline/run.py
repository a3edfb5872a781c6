"""The order of a run over landing days. It is spelled here and nowhere else; Dagster's graph has the same steps as assets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

from reliability_platform.checks.results import CheckResult
from reliability_platform.clock import days as days_between
from reliability_platform.clock import spans
from reliability_platform.contracts import SOURCES
from reliability_platform.pipeline.steps import RunContext, admit, audit, build, land, publish
from reliability_platform.warehouse.dbt_runner import TransformFailedError
from reliability_platform.warehouse.publication import Publication


class Step(IntEnum):
    """The steps in their order."""

    LAND = 1
    ADMIT = 2
    BUILD = 3
    AUDIT = 4
    PUBLISH = 5


@dataclass
class Run:
    """What became of a run."""

    results: list[CheckResult] = field(default_factory=list)
    """Of dbt's own tests and of the audit."""
    publication: Publication | None = None
    """None if a failed model or dbt test ended the run before its audit."""


def run_days(
    context: RunContext, days: Sequence[date], *, since: Step = Step.LAND, audit_failed_builds: bool = False
) -> Run:
    """Run landing days from a step to the publication.

    A failed model or dbt test ends the run before its audit, so that its days stay held; with `audit_failed_builds` the
    checks are evaluated all the same.
    """
    run = Run()
    for first, last in spans(days):
        window = list(days_between(first, last))
        broken = None
        for source in SOURCES:
            if since <= Step.LAND:
                land(context, source, window)
            if since <= Step.ADMIT:
                admit(context, source, window)
        if since <= Step.BUILD:
            built = build(context, window)
            run.results += built.results
            if built.failed and not audit_failed_builds:
                return run
            broken = next((node for node in built.failed if node.status == "error"), None)
        if since <= Step.AUDIT:
            run.results += audit(context, window)
        if broken is not None:
            raise TransformFailedError(f"{first} to {last} could not be built: {broken.name}: {broken.message}")
    run.publication = publish(context)
    return run


def reprocess(context: RunContext, days: Sequence[date]) -> Publication:
    """Run days that have landed once more, and publish what the gate releases.

    Raises `TransformFailedError` if a model fails. A failed check raises nothing: it holds its day.
    """
    publication = run_days(context, days, since=Step.ADMIT, audit_failed_builds=True).publication
    assert publication is not None
    return publication
