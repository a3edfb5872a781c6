"""Dagster's own storage of a home, read without importing Dagster, which takes 2 s."""

import sqlite3
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from reliability_platform.operations import dagster_engine
from reliability_platform.settings import Settings


class Kept(Enum):
    """What Dagster keeps, and in which file below its home where it is in no server."""

    RUNS = Path("history", "runs.db")
    TICKS = Path("schedules", "schedules.db")
    EVENTS = Path("event_log.db")


def dagster_rows(settings: Settings, kept: Kept, query: str) -> list[tuple[Any, ...]]:
    """What a query gives; nothing where there is no such storage yet, or none of this form."""
    engine = dagster_engine(settings)
    if engine is not None:
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.exec_driver_sql(query)]
        except SQLAlchemyError:
            return []
    file = settings.dagster_home / kept.value
    if not file.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.Error:
        return []
