"""From a snapshot back to the present: put back, build what it lacks, judge, publish."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from reliability_platform.clock import Clock
from reliability_platform.day_clock import scheduled_at
from reliability_platform.incidents.anchor import forget_end
from reliability_platform.landing.misplaced import unexamined
from reliability_platform.landing.working_copy import bring_in_every_day
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import identify
from reliability_platform.pipeline.run import reprocess
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.recovery.unjudged import invalidate_days, unjudged_days
from reliability_platform.settings import Settings
from reliability_platform.warehouse.ledger import Ledger
from reliability_platform.warehouse.publication import Publication
from reliability_platform.warehouse.published_integrity import adopt
from reliability_platform.warehouse.snapshots.manifest import Snapshot
from reliability_platform.warehouse.snapshots.restore import gap, restore_home, restore_tables, restore_warehouse


@dataclass(frozen=True)
class Restored:
    """What was put back, and what was built again after it."""

    what: str
    snapshot: str
    landing_days: list[date]
    """Those that the snapshot lacked."""
    publication: Publication

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "restored": self.what,
            "snapshot": self.snapshot,
            "landing_days_built_again": [day.isoformat() for day in self.landing_days],
            "published": self.publication.version,
            "held": asdict(self.publication)["held"],
        }


def recover_warehouse(settings: Settings, snapshot: Snapshot, clock: Clock, table: str | None = None) -> Restored:
    """Put the warehouse (or one table) back into place and bring it to the present.

    Killed after any step, it can be run again: the days to build lose their results first, so the gate holds them.
    """
    engine = operations_engine(settings)

    def void(landing_days: list[date]) -> None:
        invalidate_days(engine, landing_days)

    if table is None:
        lacking = restore_warehouse(settings, engine, snapshot, void)
    else:
        lacking = restore_tables(settings, engine, snapshot, [table], void)
    landing_days = sorted({*lacking, *unjudged_days(settings, engine)})
    publication = reprocess(RunContext(settings, engine, clock, f"restore-{snapshot.id}"), landing_days)
    return Restored(table or "warehouse", snapshot.id, landing_days, publication)


def recover_home(settings: Settings, snapshot: Snapshot, clock: Clock) -> Restored:
    """Put a lost home back into place and bring it to the present, as far as landing goes: that of the snapshot, or the bucket."""
    landing_days: list[date] = []

    def settle() -> None:
        engine = operations_engine(settings)
        forget_end(settings)
        bring_in_every_day(
            settings
        )  # what has come into the bucket since the snapshot; the doctor names what is lost there
        # Files are never older than the store: versions that were published while the snapshot was taken are taken in.
        adopt(settings, Ledger(engine, identify(settings, engine)))
        came = {day for _, day in unexamined(settings) if scheduled_at(day) <= clock()}
        landing_days.extend(sorted({*gap(settings, engine, snapshot), *unjudged_days(settings, engine), *came}))
        invalidate_days(engine, landing_days)

    restore_home(settings, snapshot, settings.home, settle)
    publication = reprocess(RunContext.of(settings, f"restore-{snapshot.id}", clock), landing_days)
    return Restored("home", snapshot.id, landing_days, publication)
