"""How a column may be called: it stands unquoted in models, checks and messages.

What a producer calls it otherwise is said as `physicalName`.
"""

import re
import unicodedata
from collections.abc import Iterable

COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
ORIGINAL_NAMES = "original_names"
"""Under this key the footer of a reference table has what its columns were called in the files that it is made of."""
PLATFORM_COLUMNS = frozenset(
    {
        "landing_date", "batch_id", "row_number", "event_date", "rescued", "disposition", "reject_reasons", "landed_at",
        "batch_sequence", "batch_attempt", "is_superseded",
    }
)  # fmt: skip
"""The platform's own columns beside those of a source, in bronze, staging and silver; so is whatever begins with `_`."""
RESERVED_WORDS = frozenset(
    """
    all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast
    check collate collation column concurrently constraint create cross default deferrable desc describe
    distinct do else end except false fetch for foreign freeze from full glob group having ilike in initially
    inner intersect into is isnull join lambda lateral leading left like limit natural not notnull null offset
    on only or order outer overlaps pivot pivot_longer pivot_wider placing positional primary qualify references
    returning right select semi show similar some summarize symmetric table tablesample then to trailing true
    union unique unpack unpivot using variadic verbose when where window with
    """.split()  # noqa: SIM905 (a hundred words, a line each, are three screens)
)
"""The keywords of DuckDB that are no column unless they are quoted: those it calls reserved, and others such as `at` and
`left`. A test asks DuckDB for each. Asking costs every process 20 ms."""


def refusal(name: str) -> str | None:
    """Why a column cannot be called so; None if it can."""
    if name.startswith("_") or name.lower() in PLATFORM_COLUMNS:
        return "a name of the platform's own columns"
    if name.lower() in RESERVED_WORDS:
        return "a reserved word of SQL"
    if COLUMN_NAME.fullmatch(name) is None:
        return "no plain identifier"
    return None


def plain_names(originals: Iterable[str]) -> dict[str, str]:
    """Each name as a producer writes it, and a plain one for it; no two get the same."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for original in originals:
        base = _plain(original)
        name, number = base, 2
        while name in taken:
            name, number = f"{base[:58]}_{number}", number + 1
        taken.add(name)
        found[original] = name
    return found


def _plain(original: str) -> str:
    letters = unicodedata.normalize("NFKD", original.replace("ß", "ss")).encode("ascii", "ignore").decode()
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", letters)
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:55] or "column"
    if name[0].isdigit():
        name = f"c_{name}"
    return name if refusal(name) is None else f"{name}_value"
