"""A DuckDB file keeps the bytes of rows that are gone until their pages are used again. Written anew, it has none."""

import os

from reliability_platform.parquet import literal
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import open_when_free, warehouse_lease


def compact_warehouse(settings: Settings) -> None:
    """Write the warehouse anew, table by table, and put the new file in the old one's place in one step."""
    draft = settings.warehouse.with_name(f".{settings.warehouse.name}.rewritten")
    with warehouse_lease(settings):
        for left in draft.parent.glob(f"{draft.name}*"):
            left.unlink()  # by a process that was killed; the lease says that it is not at work
        connection = open_when_free(settings, read_only=False)
        try:
            found = connection.execute("select current_database()").fetchone()
            assert found is not None
            connection.execute("checkpoint")
            connection.execute(f"attach {literal(draft)} as rewritten")
            connection.execute(f'copy from database "{found[0]}" to rewritten')
            connection.execute("checkpoint rewritten")
            connection.execute("detach rewritten")
        finally:
            connection.close()
        descriptor = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(settings.warehouse)
