"""How far a sensor has read a table, whichever process evaluates it: the daemon or a command."""

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from reliability_platform.operations.tables import sensor_cursors


def numbered_in_order(connection: Connection) -> None:
    """Let a transaction's rows become visible in the order of their numbers, or a cursor would pass over a lower one that
    comes later. SQLite has one writer at a time anyway; a server gives out numbers to several at once.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("select pg_advisory_xact_lock(5715002, hashtext(current_schema()))")


def cursor_of(engine: Engine, sensor: str) -> int:
    """The last number that it has read; 0 if it has read none."""
    with engine.connect() as connection:
        query = select(sensor_cursors.c.position).where(sensor_cursors.c.sensor == sensor)
        return connection.execute(query).scalar() or 0


def advance(engine: Engine, sensor: str, position: int) -> None:
    """Go on to a number. Never back: another process that read at the same time may have come further."""
    with engine.begin() as connection:
        mine = sensor_cursors.c.sensor == sensor
        further = update(sensor_cursors).where(mine, sensor_cursors.c.position < position).values(position=position)
        if connection.execute(further).rowcount or connection.execute(select(sensor_cursors).where(mine)).first():
            return
    try:
        with engine.begin() as connection:
            connection.execute(insert(sensor_cursors).values(sensor=sensor, position=position))
    except IntegrityError:
        advance(engine, sensor, position)
