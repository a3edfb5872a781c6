"""One connection to Spark, as the profile's adapter makes it, with errors as ours and an end that another thread may ask for.

Spark says what went wrong in traces of many lines, and of a lost connection by errors of its libraries.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from reliability_platform.mutation.errors import ProjectUnusableError, ServerInterruptedError, ServerStatementError

SAID = re.compile(r"\[[A-Z][A-Z0-9_.]+\][^\n]*")
"""What went wrong, in the trace of a stage that failed."""
LOST = re.compile(
    r"Connection refused|Broken pipe|Connection reset|TSocket|Py4JNetworkError|stopped SparkContext", re.IGNORECASE
)
SESSION = "session"


class SparkConnection:
    """One of the adapter's, with errors as ours."""

    def __init__(self, handle: Any, *, is_session: bool) -> None:
        self._handle, self._is_session = handle, is_session
        self._alone = threading.Lock()
        self._group, self._was_interrupted = "", False

    def begin(self, group: str) -> None:
        """What follows belongs together, and can be ended together."""
        self._group, self._was_interrupted = group, False

    def do(self, sql: str) -> None:
        """A statement without rows."""
        with self._alone, self._translated():
            self._handle.cursor().execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All of a query."""
        with self._alone, self._translated():
            cursor = self._handle.cursor()
            cursor.execute(sql)
            return [*(cursor.fetchall() or ())]

    def interrupt(self) -> None:
        """Called by another thread."""
        self._was_interrupted = True
        context = self._context()
        if context is not None:
            context.cancelJobGroup(self._group)

    def close(self) -> None:
        """A session stays: it is that of the process."""
        with suppress(Exception):
            self._handle.close()

    def _context(self) -> Any:
        if not self._is_session:
            return None
        from pyspark import SparkContext

        return SparkContext._active_spark_context

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises `ProjectUnusableError` for what says nothing of the statement: a lost connection."""
        if self._was_interrupted:
            raise ServerInterruptedError("its time is over")
        context = self._context()
        if context is not None:
            context.setJobGroup(self._group or "reliability mutate", "reliability mutate", True)
        try:
            yield
        except Exception as error:
            if self._was_interrupted:
                raise ServerInterruptedError("its time is over") from None
            said = said_by_spark(error)
            if LOST.search(f"{type(error).__name__} {error}"):
                raise ProjectUnusableError(
                    f"Spark stopped working for us: {said} — run it again, it goes on where it was."
                ) from None
            raise ServerStatementError(said) from None


def said_by_spark(error: Exception) -> str:
    text = str(error).strip() or "it gave no reason"
    found = SAID.findall(text)
    return (found[-1] if found else text.splitlines()[0])[:300]
