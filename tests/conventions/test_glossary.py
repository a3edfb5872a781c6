"""One word for one thing, and that of the field: names that were retired do not return."""

import ast
import io
import re
import tokenize
from functools import cache

import pytest
from sqlalchemy import Table

from reliability_platform.operations.tables import metadata
from reliability_platform.settings import PROJECT_ROOT
from tests.conventions.code import MODULES, ROOT, tree_of

RETIRED = {
    "without_values": "redact_errors",
    "piecemeal": "redacted_parts",
    "without_freed_pages": "compact_warehouse",
    "error_words": "error_text",
    "world_of": "environment_fingerprint",
    "World": "Trial",
    "WorldPlan": "TrialPlan",
    "WorldOutcome": "TrialOutcome",
    "Twin": "Clone",
    "twin_of": "clone_of",
    "snapshot_turn": "snapshot_lock",
    "witness": "baseline",
    "Strike": "Injection",
    "PlannedStrike": "PlannedInjection",
    "Struck": "InjectionResult",
    "LiveStruck": "LiveInjectionResult",
    "Blow": "DayInjection",
    "Verdict": "CheckStatus",
    "shims": "decisions",
}
"""The retired name, and what the field says."""


RETIRED_PARTS = {
    "courier": "sender",
    "verdict": "status",
    "strike": "injection",
    "struck": "injected",
    "blow": "injection",
}
"""Words that no name contains, and what the field says."""


@cache
def _names() -> dict[str, str]:
    """The names in all code that has a retired one somewhere, be it in a sentence, and a file that has it."""
    found: dict[str, str] = {}
    somewhere = re.compile("|".join([*RETIRED, *RETIRED_PARTS]), re.IGNORECASE)
    for folder in ("reliability_platform", "tests"):
        for path in sorted((PROJECT_ROOT / folder).rglob("*.py")):
            text = path.read_text()
            if somewhere.search(text) is None:
                continue
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type == tokenize.NAME:
                    found.setdefault(token.string, str(path.relative_to(PROJECT_ROOT)))
    return found


@pytest.mark.parametrize("name", RETIRED)
def test_a_retired_name_does_not_return(name: str) -> None:
    """Two names for one thing are two things to a reader."""
    assert name not in _names(), f"{_names()[name]} has {name}: call it {RETIRED[name]}"


@pytest.mark.parametrize("part", RETIRED_PARTS)
def test_no_name_contains_a_retired_word(part: str) -> None:
    """`VERDICTS_AT_ONCE` beside `CheckStatus` is two names for one thing, too."""
    having = {name: path for name, path in _names().items() if part in name.lower()}
    assert not having, f"say {RETIRED_PARTS[part]}"


RETIRED_WORDS = {
    "verdict",
    "verdicts",
    "words",
    "witness",
    "strike",
    "strikes",
    "told",
    "news",
    "aside",
    "shim",
    "shims",
}


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: str(table.name))
def test_no_table_or_column_of_the_store_has_a_retired_word(table: Table) -> None:
    """Who reads the store with SQL looks for the field's words: `words` was an alert's summary, a decision's message."""
    for name in (table.name, *table.columns.keys()):
        assert not RETIRED_WORDS & set(name.split("_")), f"{table.name}.{name}"


def test_no_two_classes_have_one_name() -> None:
    """Thirty-one names stood for two things each, `Kind` for four: whoever searched found the wrong one first."""
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}
