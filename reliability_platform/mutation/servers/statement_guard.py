"""What a statement of dbt would change, so that nothing outside of the run's schemas is.

A net for what a project does by mistake: a hook, a macro or a model that names a schema of the user's. What a function of
the server does when a query calls it is not seen.
"""

import re
from collections.abc import Callable, Iterator

from reliability_platform.mutation.errors import ServerStatementError

HIDDEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL | re.IGNORECASE
)
"""Comments and texts: what stands in them is no statement."""
ONE = r'(?:"(?:[^"]|"")+"|[\w$]+)'
NAME = rf"({ONE}(?:\s*\.\s*{ONE})*)"
PART = re.compile(r'"((?:[^"]|"")+)"|([\w$]+)')
READS = frozenset(
    [
        "select",
        "with",
        "values",
        "table",
        "show",
        "explain",
        "begin",
        "start",
        "commit",
        "end",
        "rollback",
        "savepoint",
        "release",
        "set",
        "reset",
        "fetch",
        "close",
        "declare",
        "discard",
        "deallocate",
        "analyze",
    ]
)
"""Statements that change nothing by themselves; `with` and `explain` can hold one that does."""
ROWS = frozenset(("insert", "update", "delete", "merge"))
WRITES_ROWS = re.compile(
    r"\b(?:into(?:\s+temp(?:orary)?|\s+unlogged)?(?:\s+table)?|delete\s+from|(?<!for\s)(?<!key\s)(?<!do\s)(?<!then\s)update)"
    rf"(?:\s+only)?\s+{NAME}",
    re.IGNORECASE,
)
KINDS = r"(materialized\s+view|foreign\s+table|table|view|sequence|schema|index|function|procedure|type|column)"
OPTIONS = r"(?:\s+concurrently)?(?:\s+if\s+(?:not\s+)?exists)?(?:\s+only)?"
CHANGES_OBJECT = re.compile(
    rf"(?:create(?:\s+or\s+replace)?(?:\s+unlogged)?|drop|alter|comment\s+on|refresh|truncate|(?:grant|revoke)\b.*?\bon)"
    rf"(?:\s+{KINDS})?{OPTIONS}\s+{NAME}",
    re.IGNORECASE | re.DOTALL,
)
CREATES_INDEX = re.compile(rf"create\s+(?:unique\s+)?(index)\b.*?\bon(?:\s+only)?\s+{NAME}", re.IGNORECASE | re.DOTALL)
TEMPORARY = re.compile(r"create\s+(?:or\s+replace\s+)?(?:local\s+|global\s+)?temp(?:orary)?\b", re.IGNORECASE)
MAX_SHOWN = 80


def refuse_foreign(sql: str, is_own: Callable[[str, list[str]], bool], reads: frozenset[str] = READS) -> None:
    """Raise `ServerStatementError` for a statement that would change what is not the run's.

    `is_own` gets the kind of what is changed, `schema` or another, and the parts of its name, as `["schema", "table"]`; `reads`
    are statements that change nothing by themselves.
    """
    for statement in (one.strip() for one in HIDDEN.sub(" ", sql).split(";")):
        for kind, name in _changed(statement, reads):
            parts = [quoted.replace('""', '"') or plain.lower() for quoted, plain in PART.findall(name)]
            if not is_own(kind, parts[:-1] if kind == "column" else parts):
                raise ServerStatementError(
                    f"it would change {name}, which is not in the run's own schemas: {statement[:MAX_SHOWN]!r}"
                )


def _changed(statement: str, reads: frozenset[str]) -> Iterator[tuple[str, str]]:
    verb = next(iter(statement.lstrip("( \n\t").split(None, 1)), "").lower()
    if not verb or TEMPORARY.match(statement):
        return
    written = [("table", one.group(1)) for one in WRITES_ROWS.finditer(statement)]
    found = CREATES_INDEX.match(statement) or CHANGES_OBJECT.match(statement)
    if found is not None:
        yield (found.group(1) or "table").lower(), found.group(2)
        if verb in ("drop", "truncate") and "," in statement[found.end() :]:
            raise ServerStatementError(f"it would change several things at once: {statement[:MAX_SHOWN]!r}")
    elif verb not in reads and not (verb in ROWS and written):
        raise ServerStatementError(f"what it would change cannot be told: {statement[:MAX_SHOWN]!r}")
    if verb != "grant" and verb != "revoke":
        yield from written
