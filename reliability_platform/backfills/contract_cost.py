"""What an incompatible change of a contract costs: the tables and landing days that are to be built again."""

import os
from dataclasses import dataclass
from datetime import date
from typing import Any

from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.formats import span
from reliability_platform.in_memory import in_memory
from reliability_platform.landing.watch import landed_days
from reliability_platform.parquet import scan_days
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts


@dataclass(frozen=True)
class RebuildCost:
    """What is to be built again for one source."""

    source: str
    tables: tuple[str, ...]
    days: tuple[date, ...]
    rows: int
    """Delivered rows that were admitted on these days."""

    @property
    def words(self) -> str:
        """In one line, with the command."""
        first, last = self.days[0], self.days[-1]
        return (
            f"{self.source}: {counted(len(self.days), 'landing day')} ({span((first, last))}, {counted(self.rows, 'row')}) in "
            f"{', '.join(self.tables)} are read anew: `reliability backfill --from {first} --to {last}`. Until then each of "
            "them is held, and consumers keep its rows of the old version"
        )

    @property
    def document(self) -> dict[str, Any]:
        """For a program to read."""
        return {"source": self.source, "tables": list(self.tables), "days": list(self.days), "rows": self.rows}


def rebuild_cost(settings: Settings, source: str, since: date | None) -> RebuildCost | None:
    """The cost of a change from a landing day on, or of all; None where nothing has landed. `settings` is of a home that may
    have nothing in it."""
    days = tuple(sorted(day for day in landed_days(settings, source) if since is None or day >= since))
    if not days:
        return None
    try:
        published = [one.name for one in marts(ensure_manifest(settings.dbt_project)) if source in one.sources]
    except EnvironmentUnusableError:  # the models are not written yet, or are being mended
        published = []
    tables = (f"stg_{source}", f"int_{source}__deduplicated", *published)
    return RebuildCost(source, tables, days, _admitted_rows(settings, source, days[0]))


def has_been_read(settings: Settings, source: str) -> bool:
    """Whether a landing day of a source has been admitted, so that rows were read by its contract. A folder into which this
    user may not look counts as one that has days."""
    try:
        with os.scandir(settings.admissions / source) as found:
            return any(one.name.startswith("landing_date=") for one in found)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _admitted_rows(settings: Settings, source: str, since: date) -> int:
    if not any((settings.admissions / source).glob("landing_date=*/admissions.parquet")):
        return 0
    with in_memory() as connection:
        found = connection.execute(
            f"select coalesce(sum(admitted_rows), 0) from {scan_days(settings.admissions / source)} "
            "where landing_date >= $since",
            {"since": since},
        ).fetchone()
    return int(found[0]) if found else 0
