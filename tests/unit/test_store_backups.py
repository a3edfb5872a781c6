"""An operations store in a server: it is in the snapshots of its home, is put back from them, and drills work on a copy of it."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations import operations_engine
from reliability_platform.operations.portable import copy_to_file, put_back_from_file
from reliability_platform.operations.postgresql import Installation
from reliability_platform.operations.tables import leases, metadata
from reliability_platform.recovery.clone import clone_of
from reliability_platform.recovery.damaged import mend
from reliability_platform.recovery.stores import examine_operations
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import EVENTS, Platform, day
from tests.postgresql_server import PostgresqlServer
from tests.unit.failing import result

CHECK = "bronze_orders__batch_completeness"


def rows(settings: Settings) -> dict[str, list[Any]]:
    """All that a store says, but for who has the lease."""
    with operations_engine(settings).connect() as connection:
        return {
            table.name: sorted(map(repr, map(tuple, connection.execute(select(table)))))
            for table in metadata.sorted_tables
            if table is not leases
        }


def test_a_store_goes_into_a_file_and_back_and_counts_on(in_postgresql: PostgresqlServer, tmp_path: Path) -> None:
    """Sequences that began at one again would give out numbers that are taken."""
    settings = load_settings(tmp_path / "home")
    engine = operations_engine(settings)
    CheckStore(engine).record([result(CHECK), result(CHECK, 6)])
    before = rows(settings)
    copy_to_file(engine, tmp_path / "copy.sqlite")
    CheckStore(engine).record([result(CHECK, 7)])
    kept = put_back_from_file(engine, Installation.of(settings).schema, tmp_path / "copy.sqlite")
    assert rows(settings) == before
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f'select count(*) from "{kept}".check_results').scalar() == 3
    CheckStore(engine).record([result(CHECK, 8)])
    assert CheckStore(engine).last_id() == 3


@pytest.mark.exhaustive  # 15 s
def test_a_schema_that_is_lost_is_put_back_from_a_snapshot_and_drills_work(
    in_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    """It was left to the means of the server, and drills were refused."""
    made = Platform(tmp_path / "home", events_per_day=EVENTS)
    made.run(day(1), day(1))
    settings = made.settings
    snapshot = take_snapshot(settings, utc_now)
    assert snapshot.file("operations.sqlite") is not None
    assert "operations" not in snapshot.left_out
    before = rows(settings)
    with clone_of(settings) as clone:
        assert clone.settings.operations_url is None
        assert rows(clone.settings) == before
    in_postgresql.execute(f'drop schema "{Installation.of(settings).schema}" cascade')
    with pytest.raises(EnvironmentUnusableError, match="`reliability restore --damaged` puts it back"):
        operations_engine(settings)
    [damage] = examine_operations(settings)
    assert "has no tables of this home" in str(damage)
    done = mend(settings, utc_now)
    assert done.left == []
    assert "put back the operations store" in done.steps[0]
    assert {name: len(found) for name, found in rows(settings).items()}["check_results"] >= len(before["check_results"])
    assert rows(settings)["homes"] == before["homes"]
