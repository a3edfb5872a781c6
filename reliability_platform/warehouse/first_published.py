"""When consumers were first shown an event date of a mart: the moment at which the version that has it became current.

Objectives compare it with the hour that is promised. It is written down once and never changes: what was late stays so.
"""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb
from sqlalchemy import Engine, func, insert, select

from reliability_platform.in_memory import in_memory
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations.tables import first_published
from reliability_platform.parquet import scan
from reliability_platform.settings import Settings
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.publication import Partition, Publication, read_publication
from reliability_platform.warehouse.published import table_files, versions


def note_first_published(
    settings: Settings, engine: Engine, marts: Sequence[Mart], current: Publication, run_id: str, now: datetime
) -> None:
    """Write down the event dates that the version shows which a run has just made `current`; and those of versions before
    it whose process was killed before it could: of them their own record says when.
    """
    with engine.connect() as connection:
        known = {(row.mart, row.event_date) for row in connection.execute(select(first_published))}
        newest = connection.execute(select(func.max(first_published.c.version))).scalar() or ""
    # To read the records of all versions would take longer with each day.
    unread = [read_publication(settings, one) for one in versions(settings) if one > newest]
    if not unread:
        return
    landed = landed_partitions(settings)
    with in_memory() as reader:  # one for all: to open an engine takes longer than to ask it
        for publication in unread:
            ours = (publication.version, publication.run_id) == (current.version, run_id)
            moment = now if ours else datetime.fromisoformat(publication.published_at)
            fresh = [
                (mart.name, day)
                for mart in marts
                for day in sorted(_shown(reader, settings.published / publication.version, publication, mart, landed))
            ]
            rows = [
                {"mart": mart, "event_date": day, "version": publication.version, "published_at": moment}
                for mart, day in fresh
                if (mart, day) not in known
            ]
            known.update(fresh)
            if rows:
                with engine.begin() as connection:
                    connection.execute(insert(first_published), rows)


def _shown(
    reader: duckdb.DuckDBPyConnection, folder: Path, publication: Publication, mart: Mart, landed: list[Partition]
) -> set[date]:
    """The event dates that a version shows: those of its rows, and those of which nothing happened."""
    table = next((one for one in publication.tables if one.name == mart.name), None)
    if table is None:
        return set()
    held = publication.held_partitions
    released = [{day for one, day in landed if one == source and (one, day) not in held} for source in mart.sources]
    happened = set.intersection(*released) if released else set[date]()
    if mart.event_date is None:  # nothing is held of it, or it shows what it did before
        return happened if table.whole is not None and not table.is_kept else set()
    try:
        relation = reader.sql(f"from {scan(*table_files(folder, mart.name))}")
        found = {row[0] for row in relation.project(mart.day).distinct().fetchall()}
    except duckdb.Error:
        return set()  # altered or gone: a later version will show what it has
    return found | (happened - {date.fromisoformat(day) for day in table.absent_dates})
