"""Two houses: who may import whom, and that the platform cannot see the lab."""

import ast
from functools import cache
from pathlib import Path

from reliability_platform.operations import tables
from tests.conventions import code
from tests.conventions.code import ROOT, nodes_of, tree_of

ORDER = [
    "errors", "counted", "formats", "inline_svg", "palette", "causes", "csv_cell", "strict_yaml", "home_path", "credentials", "settings", "clock", "log_lines", "actor", "room", "locks", "atomic", "ending", "elsewhere", "encryption",
    "parquet", "in_memory",
    "json_text", "damage", "operations", "day_clock",
    "contracts", "sources", "masking", "audit_log", "pauses", "system_errors",
    "landing", "warehouse", "profiles", "checks", "suggestions", "lineage", "openlineage_events", "incidents", "slo", "alerts", "backfills",
    "remediation", "pipeline", "recovery", "service", "lab", "mutation", "orchestration", "cli",
]  # fmt: skip
MODULES = [path for path in code.MODULES if path != ROOT / "__init__.py"]


@cache
def _imports(path: Path) -> set[str]:
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.update((node.module, *(f"{node.module}.{name.name}" for name in node.names)))
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
    return found


def _package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_a_package_imports_only_what_stands_before_it() -> None:
    """Modules that import each other can be neither understood nor tested alone."""
    later = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in MODULES
        for name in sorted(_imports(path))
        if name.startswith("reliability_platform.") and ORDER.index(name.split(".")[1]) > ORDER.index(_package(path))
    ]
    assert later == []


SEE_THE_LAB = ("lab", "orchestration", "cli")
PLATFORM = [path for path in MODULES if _package(path) not in SEE_THE_LAB]


def test_the_platform_cannot_see_the_lab() -> None:
    """Whoever lands, judges, documents or heals data must not know what was broken on purpose, nor the truth of it."""
    assert [path for path in PLATFORM if "reliability_platform.lab" in path.read_text()] == []
    assert len(PLATFORM) > 300


SENDS = tuple(
    f"reliability_platform.{one}" for one in ("alerts.dispatch", "alerts.sender", "alerts.delivery", "service.dead_man")
)
TELLS_PEOPLE = ("alerts", "orchestration", "cli")


def test_only_the_daemon_and_the_command_line_send() -> None:
    """What breaks clones and trials drives every part of the platform: a part that sent by itself would wake people for what never
    happened to them.
    """
    senders = [path for path in MODULES if any(name.startswith(SENDS) for name in _imports(path))]
    assert {_package(path) for path in senders} == set(TELLS_PEOPLE)


ASKS_THE_SOURCE = ("sources", "landing", "remediation", "pipeline")


def test_only_landing_and_remediation_ask_a_source() -> None:
    """Checks and incidents read contracts; whether a delivery is right they must see from what landed."""
    for path in PLATFORM:
        if _package(path) not in ASKS_THE_SOURCE:
            assert "reliability_platform.sources.source" not in _imports(path), path


def test_dagster_stays_at_the_edge() -> None:
    """The work runs without an orchestrator."""
    for path in MODULES:
        if _package(path) not in ("orchestration", "cli"):
            assert not any(name.split(".")[0].startswith("dagster") for name in _imports(path)), path


def test_locks_are_taken_in_one_module() -> None:
    """Eleven modules spelled waiting, giving up and re-entering with two libraries in three ways."""
    for path in MODULES:
        assert path.stem == "locks" or not {"filelock", "fcntl"} & _imports(path), path


def test_every_module_says_what_it_is_for() -> None:
    """A docstring on every module; no `utils`, no `helpers`."""
    for path in MODULES:
        assert ast.get_docstring(tree_of(path)), path
        assert path.stem not in ("utils", "helpers", "common", "misc"), path


def test_the_guide_names_every_layer_in_its_order() -> None:
    """A contributor was told of an order in which packages were missing."""
    guide = " ".join((ROOT.parent / "CONTRIBUTING.md").read_text().split())
    assert " → ".join(ORDER) in guide, f"put this into CONTRIBUTING.md: {' → '.join(ORDER)}"


def test_every_table_of_the_store_stands_in_one_module_under_its_own_name() -> None:
    """A table that its module declared existed only in processes that had imported the module."""
    assert [path for path in MODULES if "sqlalchemy.Table" in _names_from_sqlalchemy(path)] == [
        ROOT / "operations" / "tables.py"
    ]
    assert all(getattr(tables, name) is table for name, table in tables.metadata.tables.items())


def _names_from_sqlalchemy(path: Path) -> set[str]:
    return {
        f"sqlalchemy.{name.name}"
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom) and node.module == "sqlalchemy"
        for name in node.names
    }


KNOWS_THE_INSIDE = {
    f"orchestration/{name}.py"
    for name in (
        "code_server",
        "code_socket",
        "daemon",
        "event_log",
        "kept_engines",
        "run_endings",
        "server_storage",
        "tick_storage",
    )
}
"""Each for a measured reason: docs/decisions/0011, 0019 and 0021."""


def test_dagsters_inner_packages_are_imported_where_a_decision_says_why() -> None:
    """What begins with an underscore changes without notice."""
    inner = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if any(name.startswith(("dagster._", "dagster_dbt.core")) for name in _imports(path))
    }
    assert inner == KNOWS_THE_INSIDE
