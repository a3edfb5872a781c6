"""Errors of PostgreSQL's driver as ours, and the columns of a relation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reliability_platform.mutation.errors import ProjectUnusableError, ServerInterruptedError, ServerStatementError

CANCELLED = "57014"
SERVER_TROUBLE = ("08", "53", "57", "58", "XX")
"""Classes of SQLSTATE that say nothing of the statement: the connection, room, an operator, the system."""


@contextmanager
def translated(cursor: Any = None) -> Iterator[None]:
    """Errors of the driver as ours; in a transaction, which then goes on.

    Raises `ProjectUnusableError` for what says nothing of the statement: a lost connection, a full disk.
    """
    import psycopg2

    try:
        yield
    except psycopg2.Error as error:
        # The first line alone: what follows can hold the values of a row.
        said = (str(error).strip().splitlines() or ["it gave no reason"])[0][:300]
        state = error.pgcode or ""
        if state == CANCELLED:
            raise ServerInterruptedError(said) from None
        if not state or state.startswith(SERVER_TROUBLE):
            raise ProjectUnusableError(
                f"The server stopped working for us: {said} — run it again, it goes on where it was."
            ) from None
        if cursor is not None:
            cursor.execute("rollback to savepoint before_statement")
        raise ServerStatementError(said) from None


def columns_of(cursor: Any, relation: str) -> dict[str, str]:
    with translated():
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
            [relation],
        )
        return {str(name): str(kind) for name, kind in cursor.fetchall()}
