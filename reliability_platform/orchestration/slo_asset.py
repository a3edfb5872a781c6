"""The objectives as an asset: each materialization is a point of its curves, and writes the report anew."""

import dagster as dg

from reliability_platform.clock import utc_now
from reliability_platform.incidents.documents.blocks import Paragraph
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.incidents.metrics import GroupedBy, metrics
from reliability_platform.incidents.metrics import page as metrics_page
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.catalog import PLATFORM_OWNERS
from reliability_platform.orchestration.published_assets import MARTS
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.retries import RETRIES, only_transient
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.slo.objectives import objectives_of
from reliability_platform.slo.report import document, page, staleness, write_report
from reliability_platform.slo.status import status


@dg.asset(
    key="slo",
    owners=PLATFORM_OWNERS,
    group_name="incidents",
    kinds={"json", "csv"},
    deps=[["published", mart.name] for mart in MARTS],
    retry_policy=RETRIES,
    description="Objectives for freshness, completeness and correctness by dataset: error budgets over landing days. "
    "An exhausted budget is said here and holds no publication; with RELIABILITY_CHANGE_FREEZE it freezes changes.",
)
@only_transient
@redact_errors
def slo(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Count good and bad landing days against their budgets. Reads the operations store alone: no turn to wait for."""
    settings = home.settings
    engine = home.engine
    now = utc_now()
    found = status(engine, objectives_of(settings), now)
    files = write_report(settings, found)
    for one in found.exhausted:
        context.log.warning(f"{one.objective.dataset} {one.objective.name}: {one.budget.words}")
    stale = staleness(found, engine, now)
    incidents = metrics(IncidentStore(engine).all(), GroupedBy.SEVERITY)
    blocks = [*page(found), *([Paragraph(stale)] if stale else []), *metrics_page(incidents)]
    return dg.MaterializeResult(
        metadata={
            "objectives": dg.MetadataValue.md(markdown(blocks)),
            "exhausted": dg.MetadataValue.int(len(found.exhausted)),
            "burning": dg.MetadataValue.int(sum(bool(one.burning) for one in found.objectives)),
            "frozen": dg.MetadataValue.text(", ".join(found.frozen) or "nothing"),
            "missed": dg.MetadataValue.int(sum(one.budget.missed for one in found.objectives)),
            "as_of": dg.MetadataValue.text(str(found.as_of or "never")),
            "document": dg.MetadataValue.json(document(found)),
            "report": dg.MetadataValue.path(str(files[0])),
        }
    )
