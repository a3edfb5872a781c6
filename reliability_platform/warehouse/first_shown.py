"""When consumers were first shown an event date of a mart, as it is on record.

Apart from what writes it down (`first_published.py`): whoever asks for objectives needs neither DuckDB nor Arrow.
"""

from datetime import date, datetime

from sqlalchemy import Engine, select

from reliability_platform.operations.tables import first_published


def published_at(engine: Engine, mart: str, first: date, last: date) -> dict[date, datetime]:
    """When each event date from `first` to `last` was first shown; those that never were are not there."""
    wanted = first_published.c.event_date.between(first, last)
    query = select(first_published).where(first_published.c.mart == mart, wanted)
    with engine.connect() as connection:
        return {row.event_date: row.published_at for row in connection.execute(query)}
