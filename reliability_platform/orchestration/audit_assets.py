"""The audit between write and publish: every Soda and native check, one result per check and landing day.

The audit asset evaluates all checks of its run and reports each result to Dagster on the partition it concerns, in
range runs too, where Dagster itself would record none. The same checks can be executed alone from an asset's page.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import date

import dagster as dg

from reliability_platform.checks.catalogue import CHECKS, CheckSpec
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.results import UNTOLD, CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.openlineage_events.datasets import assertions, bronze_metrics
from reliability_platform.openlineage_events.run import Dataset, Datasets
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.catalog import PLATFORM_OWNERS
from reliability_platform.orchestration.dbt_assets import WAREHOUSE_POOL, dbt_models
from reliability_platform.orchestration.evaluations import store_evaluations
from reliability_platform.orchestration.lineage_events import AUDIT, News, told
from reliability_platform.orchestration.partitions import LANDING_DAYS, ONE_RUN, run_days, tagged_days
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.retries import RETRIES, only_transient
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.pipeline import steps
from reliability_platform.pipeline.stage_log import RunStage, timed
from reliability_platform.settings import Settings

AUDITED = {name: spec for name, spec in CHECKS.items() if spec.engine in ("soda", "native")}


HOLDS = (
    "Holds publication: a landing day on which this check does not pass is not published, while the other days of the run "
    "are. (Dagster calls a check blocking only if it stops all of them.)"
)
HOLDS_NOTHING = "Does not hold publication: a failure opens an incident."


def asset_key_of(dataset: str) -> dg.AssetKey:
    """The asset that a check's dataset stands for: `bronze_orders` is bronze/orders, any other is a dbt model."""
    layer, _, rest = dataset.partition("_")
    return dg.AssetKey([layer, rest]) if layer == "bronze" else dg.AssetKey(dataset)


def _judge(
    settings: Settings, run: dg.DagsterRun, days: Sequence[date], only: set[str] | None = None
) -> list[CheckResult]:
    """Evaluate checks (all, or `only` some) and tell of it."""
    read = sorted({spec.dataset for spec in AUDITED.values() if only is None or spec.name in only})
    writes = [Dataset("audit/results")]

    def judged(results: Sequence[CheckResult]) -> Datasets:
        said = assertions(results)
        counts = {f"bronze_{source}": bronze_metrics(settings, source, days) for source in SOURCES}
        return Datasets(
            [replace(dataset_of(name), assertions=said[name], metrics=counts.get(name)) for name in read], writes
        )

    expected = Datasets([dataset_of(name) for name in read], writes)
    with told(News(settings, run, days), "checks.audit", AUDIT, lambda: expected) as job:
        with timed(operations_engine(settings), utc_now, RunStage.AUDIT) if only is None else nullcontext():
            results = evaluate(settings, days, now=utc_now(), run_id=run.run_id, only=only)
        job.learned = lambda: judged(results)
    return results


def dataset_of(name: str) -> Dataset:
    """A check's dataset as lineage calls it."""
    return Dataset("/".join(asset_key_of(name).path))


def _metadata(spec: CheckSpec, result: CheckResult) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "status": dg.MetadataValue.text(result.status.value),
        "threshold": dg.MetadataValue.text(result.threshold),
    }
    if result.value is not None:
        metadata["value"] = dg.MetadataValue.float(float(result.value))
    if result.status is not CheckStatus.PASSED:
        metadata["recovery"] = dg.MetadataValue.text(spec.recovery)
        metadata["sample"] = dg.MetadataValue.json(result.sample)
    if result.facts.text:
        metadata["facts"] = dg.MetadataValue.json(result.facts.kept())
    return metadata


def _evaluation(spec: CheckSpec, result: CheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=asset_key_of(spec.dataset),
        check_name=spec.name,
        passed=result.status is CheckStatus.PASSED,
        severity=dg.AssetCheckSeverity.ERROR
        if spec.blocking and result.status is CheckStatus.FAILED
        else dg.AssetCheckSeverity.WARN,
        metadata=_metadata(spec, result),
        description=result.message,
        partition=result.partition.isoformat(),
        blocking=spec.blocking,
    )


def report_evaluations(instance: dg.DagsterInstance, run_id: str, results: Sequence[CheckResult]) -> None:
    """Show results on the pages of their assets, each on its own partition.

    A check that cannot judge yet because its history is too short shows nothing: it is neither good nor bad news.
    """
    evaluations = [
        _evaluation(AUDITED[result.check], result)
        for result in results
        if result.reason not in UNTOLD and result.check in AUDITED
    ]
    store_evaluations(instance, run_id, "audit", evaluations)


def _summary(results: Sequence[CheckResult]) -> dict[str, dg.MetadataValue]:
    failing = [result for result in results if result.status is not CheckStatus.PASSED]
    failing = [result for result in failing if result.reason not in UNTOLD]
    lines = [
        f"| {result.partition} | {result.check} | {result.status.value} | {result.value} | {result.threshold} |"
        for result in failing[:100]
    ]
    table = "\n".join(["| landing day | check | status | value | threshold |", "|---|---|---|---|---|", *lines])
    return {
        "results": dg.MetadataValue.int(len(results)),
        "not_passed": dg.MetadataValue.int(len(failing)),
        "failing": dg.MetadataValue.md(table if failing else "All passed."),
    }


@dg.asset(
    key=["audit", "results"],
    owners=PLATFORM_OWNERS,
    deps=list(dbt_models.keys),
    group_name="audit",
    kinds={"soda"},
    partitions_def=LANDING_DAYS,
    backfill_policy=ONE_RUN,
    pool=WAREHOUSE_POOL,
    retry_policy=RETRIES,
    description="One result per check and landing day: passed, failed or not evaluated. Decides what is published.",
)
@only_transient
@redact_errors
def audit(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Evaluate every check on the landing days of the run."""
    settings = home.settings
    days = run_days(context)
    results = _judge(settings, context.run, days)
    steps.record_results(home.run(context.run), days, results)
    report_evaluations(context.instance, context.run.run_id, results)
    return dg.MaterializeResult(metadata=_summary(results))


@dg.multi_asset_check(
    name="checks_on_demand",
    # Not `blocking` in Dagster's sense, so that its page says "non-blocking": that stops the steps after the check, audit
    # and publication, for all landing days of a run, while the gate holds the days concerned and lets the others go.
    specs=[
        dg.AssetCheckSpec(
            name=spec.name,
            asset=asset_key_of(spec.dataset),
            description=f"{spec.description} {HOLDS if spec.blocking else HOLDS_NOTHING}",
            metadata={
                "failure_class": spec.failure_class,
                "severity": str(spec.severity),
                "holds_publication": spec.blocking,
            },
            partitions_def=LANDING_DAYS,
        )
        for spec in AUDITED.values()
    ],
    can_subset=True,
    pool=WAREHOUSE_POOL,
)
@redact_errors
def checks_on_demand(context: dg.AssetCheckExecutionContext, home: Home) -> Iterator[dg.AssetCheckResult]:
    """Execute chosen checks alone, from the page of an asset, on the landing days of the run."""
    settings = home.settings
    days = tagged_days(context.run.tags)
    if not days:
        raise UsageError("A check judges landing days: choose one or more partitions to execute it on.")
    names = {key.name for key in context.selected_asset_check_keys}
    results = _judge(settings, context.run, days, only=names)
    CheckStore(home.engine).record(results)
    worst: dict[str, CheckResult] = {}
    for result in results:
        if result.reason in UNTOLD:  # says nothing of the other days
            continue
        if result.check not in worst or worst[result.check].status is CheckStatus.PASSED:
            worst[result.check] = result
    for name, result in worst.items():
        evaluation = _evaluation(AUDITED[name], result)
        yield dg.AssetCheckResult(
            asset_key=evaluation.asset_key,
            check_name=name,
            passed=evaluation.passed,
            severity=evaluation.severity,
            metadata=evaluation.metadata,
            description=evaluation.description,
        )
