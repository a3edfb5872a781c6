"""Moments in the operations store carry their zone, on the way in and on the way out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import DateTime, func, insert, select
from sqlalchemy.exc import StatementError

from reliability_platform.operations import operations_engine
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import build_inputs, metadata, simulated_days
from reliability_platform.operations.utc import UtcDateTime
from reliability_platform.settings import load_settings
from tests.ground import day

BERLIN = datetime(2026, 7, 1, 14, 30, tzinfo=ZoneInfo("Europe/Berlin"))


@dataclass(frozen=True)
class Began:
    """A row of `simulated_days`."""

    landing_date: str
    began_at: datetime


def test_a_moment_of_any_zone_comes_back_as_the_same_moment_in_utc(tmp_path: Path) -> None:
    """33 places cut the zone off by hand, and one that did not wrote local time."""
    with operations_engine(load_settings(tmp_path)).begin() as connection:
        connection.execute(insert(simulated_days).values(landing_date=day(1), began_at=BERLIN))
        [row] = connection.execute(select(simulated_days))
        assert (row.began_at, row.began_at.tzinfo) == (BERLIN, UTC)
        assert connection.scalar(select(func.max(simulated_days.c.began_at))) == BERLIN
        assert connection.scalar(select(func.count()).where(simulated_days.c.began_at >= BERLIN)) == 1
        found = record(Began, row, landing_date=str)
    assert found == Began("2026-01-01", BERLIN)


def test_a_moment_without_a_zone_is_refused(tmp_path: Path) -> None:
    """It would be taken for UTC, whatever clock it was read from."""
    with (
        operations_engine(load_settings(tmp_path)).begin() as connection,
        pytest.raises(StatementError, match="has no zone"),
    ):
        connection.execute(insert(simulated_days).values(landing_date=day(1), began_at=BERLIN.replace(tzinfo=None)))


def test_every_moment_of_the_platform_has_the_type(tmp_path: Path) -> None:
    """Data times are UTC without a zone, as in DuckDB: the one that the store has is the manifest's."""
    others = {
        column
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, DateTime) and not isinstance(column.type, UtcDateTime)
    }
    assert others == {build_inputs.c.landed_at}
