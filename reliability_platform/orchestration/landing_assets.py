"""Raw deliveries and reference data, as the simulated systems of record and the active fault plan make them, or
as a source sends them over HTTP.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import dagster as dg

from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.faults.catalogue import fault_named
from reliability_platform.faults.fault import Stage
from reliability_platform.faults.plan import ActivePlan
from reliability_platform.landing.arrivals import came_from_us, look
from reliability_platform.landing.breaker import Breaker
from reliability_platform.landing.delivery import deliver
from reliability_platform.landing.fetch import fetch_day
from reliability_platform.landing.replacement import landed_manifests
from reliability_platform.openlineage_events import datasets
from reliability_platform.openlineage_events.run import Datasets
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.backfill_guard import guarded_days
from reliability_platform.orchestration.lineage_events import LANDING, News, told
from reliability_platform.orchestration.partitions import LANDING_DAYS, ONE_RUN
from reliability_platform.orchestration.run_storage import without_values
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources import SOURCES
from reliability_platform.sources.contracts import CONTRACTS
from reliability_platform.sources.reference import REFERENCE_TABLES, write_reference
from reliability_platform.sources.simulation import Simulation


@dg.multi_asset(
    specs=[
        dg.AssetSpec(["reference", table], group_name="reference", kinds={"parquet"}, description=f"All {table}.")
        for table in REFERENCE_TABLES
    ]
)
@without_values
def reference() -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Reference data: what the events refer to."""
    settings = load_settings()
    write_reference(settings, Simulation.load(settings))
    for table in REFERENCE_TABLES:
        yield dg.MaterializeResult(asset_key=["reference", table])


@dataclass(frozen=True)
class _Landed:
    """What is in landing for the days of a run."""

    batches: int
    rows: int
    how_it_went: Mapping[str, int | str] = field(default_factory=dict)
    """What else the asset's page shows."""


def _deliver(settings: Settings, source: str, days: Sequence[date]) -> _Landed:
    """Let the simulated source deliver, broken where the plan says so."""
    simulation, plan = Simulation.load(settings), ActivePlan.load(settings)
    batches = [batch for day in days for batch in deliver(settings, simulation, plan, source, day)]
    came_from_us(settings, operations_engine(settings), batches)
    return _Landed(len(batches), sum(batch.table.num_rows for batch in batches))


def _fetch(settings: Settings, source: str, days: Sequence[date], url: str) -> _Landed:
    """Fetch what has not landed over HTTP; what does not come is missing, and no failure of the run.

    Raises `UsageError` if the plan wants deliveries broken: only those of the simulated source can be.
    """
    broken = sorted(
        {
            strike.fault
            for strike in ActivePlan.load(settings).strikes
            if strike.source == source
            and fault_named(strike.fault).stage is Stage.LANDING
            and set(strike.landing_dates()) & set(days)
        }
    )
    if broken:
        raise UsageError(
            f"The plan breaks deliveries of {source} ({', '.join(broken)}), but it is fetched over HTTP: follow the plan "
            "`clean`, or unset RELIABILITY_SOURCE_URL."
        )
    expected = CONTRACTS[source].batches_per_day
    fetched = [fetch_day(settings, source, day, url, expected, utc_now) for day in days]
    look(settings, operations_engine(settings), source, days, utc_now())
    asked = [one for one in fetched if one is not None]
    manifests = [manifest for day in days for manifest in landed_manifests(settings, source, day)]
    breaker = Breaker(operations_engine(settings), source).view()
    probe = "–" if breaker.next_probe_at is None else f"{breaker.next_probe_at:%Y-%m-%d %H:%M:%S} UTC"
    return _Landed(
        len(manifests),
        sum(manifest.expected_rows for manifest in manifests),
        {
            "batches_missing": sum(one.missing for one in asked),
            "refusals": sum(one.refusals for one in asked),
            "breaker": breaker.state.value,
            "next_probe_at": probe,
        },
    )


def _landing_asset(source: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["landing", source],
        group_name="landing",
        kinds={"parquet"},
        partitions_def=LANDING_DAYS,
        backfill_policy=ONE_RUN,
        description=f"The batches that {source} delivered on a landing day, exactly as they came, each with a manifest.",
    )
    @without_values
    def _deliveries(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = load_settings()
        days = guarded_days(context, settings, asks_source=True)
        url = settings.url_of(source)
        write_reference(settings, Simulation.load(settings))
        written = datasets.landing(source)
        with told(
            News(settings, context.run, days), f"landing.{source}", LANDING, lambda: Datasets(outputs=[written])
        ) as job:
            landed = _deliver(settings, source, days) if url is None else _fetch(settings, source, days, url)
            job.learned = lambda: Datasets(
                outputs=[replace(written, rows_written=landed.rows, files_written=landed.batches)],
            )
        return dg.MaterializeResult(
            metadata={"batches": landed.batches, "dagster/row_count": landed.rows, **landed.how_it_went}
        )

    return _deliveries


landing_assets = [_landing_asset(source) for source in SOURCES]
