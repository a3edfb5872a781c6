"""The scorecard as an asset: each materialization is a point of its curves, and writes the evidence anew."""

import dagster as dg

from reliability_platform.clock import utc_now
from reliability_platform.formats import NOTHING
from reliability_platform.lab.scorecard.evidence import StageTiming
from reliability_platform.lab.scorecard.headline import headline
from reliability_platform.lab.scorecard.run import Graded, grade_home
from reliability_platform.lab.scorecard.score import Scorecard
from reliability_platform.orchestration.catalog import PLATFORM_OWNERS
from reliability_platform.orchestration.dbt_assets import WAREHOUSE_POOL
from reliability_platform.orchestration.published_assets import MARTS
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors

STAGE_OF_STEP = {
    "landing": "landing",
    "bronze": "admission",
    "dbt": "dbt",
    "audit": "checks",
    "published": "publication",
    "take_action": "incidents",
}
"""The beginning of a step's key → the stage of the scorecard to which its duration counts."""
RUNS_MEASURED = 500
"""The newest runs: older ones say little of how long things take now."""


def stage_timings(instance: dg.DagsterInstance) -> list[StageTiming]:
    """How long the steps of the finished runs took, by stage."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    runs = instance.get_runs(dg.RunsFilter(statuses=ended), limit=RUNS_MEASURED)
    return [
        StageTiming(STAGE_OF_STEP[stage], round(step.end_time - step.start_time, 3))
        for run in runs
        for step in instance.get_run_step_stats(run.run_id)
        if (stage := step.step_key.split("__")[0]) in STAGE_OF_STEP
        and step.start_time is not None
        and step.end_time is not None
    ]


def _cell(value: object) -> str:
    return NOTHING if value is None else str(value).replace("|", "\\|")


def _table(card: Scorecard) -> str:
    lines = [
        "| fault | source | landing day | severity | incident | contained | healed |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in card.faults:
        cells = [one.fault, one.source, one.partition, one.severity, one.incident]
        cells += ["yes" if one.contained else "told" if one.told else "**no**", "yes" if one.healed else "**no**"]
        lines.append("| " + " | ".join(_cell(value) for value in cells) + " |")
    return "\n".join(lines)


def _number(value: float | int) -> dg.MetadataValue:
    return dg.MetadataValue.float(value) if isinstance(value, float) else dg.MetadataValue.int(value)


@dg.asset(
    key="scorecard",
    owners=PLATFORM_OWNERS,
    group_name="scorecard",
    kinds={"json", "csv"},
    deps=[["published", mart.name] for mart in MARTS],
    pool=WAREHOUSE_POOL,
    description="Truth against check results: what was broken, noticed, kept from consumers and healed; with the evidence.",
)
@redact_errors
def scorecard(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Compare with the oracle, grade every injection, write the evidence files."""
    settings = home.settings
    graded = grade_home(
        settings,
        home.engine,
        utc_now(),
        stage_timings(context.instance),
        lambda step: context.log.info(step),
    )
    return dg.MaterializeResult(metadata=scorecard_metadata(graded))


def show_scorecard(instance: dg.DagsterInstance, graded: Graded) -> None:
    """Show a scorecard that was graded outside of a run, as the demo does, on the page of the asset."""
    found = dg.AssetMaterialization(scorecard.key, metadata=scorecard_metadata(graded))
    instance.report_runless_asset_event(found)


def scorecard_metadata(graded: Graded) -> dict[str, dg.MetadataValue]:
    """What the page of the asset shows."""
    card = graded.card
    numbers = {name: _number(value) for name, value in headline(card).items() if value is not None}
    failures = "\n".join(f"- {failure}" for failure in card.failures)
    return {
        **numbers,
        "proved": dg.MetadataValue.bool(not card.failures),
        "delivered_rows": dg.MetadataValue.int(card.conservation.delivered),
        "injections_and_controls": dg.MetadataValue.md(_table(card) if card.faults else "Nothing was broken."),
        "failures": dg.MetadataValue.md(failures or "Nothing keeps the run from being proved."),
        "report": dg.MetadataValue.path(str(graded.report)),
        "evidence": dg.MetadataValue.path(str(graded.files[-1])),
    }
