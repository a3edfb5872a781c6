"""The house: who may import whom, and that detection is blind."""

import ast
from functools import cache
from pathlib import Path

import pytest

import reliability_platform

ROOT = Path(reliability_platform.__file__).parent
ORDER = [
    "errors", "counted", "causes", "csv_cell", "yaml_places", "yaml_text", "home_path", "settings", "room", "atomic", "ending",
    "parquet",
    "json_text", "damage", "clock", "operations", "day_clock",
    "sources", "masking", "audit_log", "system_errors", "faults",
    "landing", "warehouse", "checks", "lineage", "openlineage_events", "incidents", "slo", "alerts", "backfills",
    "remediation", "pipeline", "recovery", "scorecard", "orchestration", "cli",
]  # fmt: skip
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.parent != ROOT)


@cache  # each module stands on the way of many others: parsed once, not 40 times
def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
    return found


def _package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_what_stands_before_it(path: Path) -> None:
    """A circle of imports is a house without a door."""
    own = ORDER.index(_package(path))
    for name in _imports(path):
        if name.startswith("reliability_platform."):
            assert ORDER.index(name.split(".")[1]) <= own, f"{path} imports {name}"


BLIND_PACKAGES = (
    *("masking", "warehouse", "checks", "lineage", "openlineage_events", "incidents", "slo", "alerts", "backfills"),
    *("remediation", "pipeline", "recovery"),
)
BLIND = [path for path in MODULES if _package(path) in BLIND_PACKAGES]
BLIND += [path for path in MODULES if _package(path) == "landing" and path.name != "delivery.py"]


@pytest.mark.parametrize("path", BLIND, ids=lambda path: str(path.relative_to(ROOT)))
def test_detection_and_healing_are_blind(path: Path) -> None:
    """Whoever judges the data must not know what was broken on purpose, by no way of imports."""
    seen: set[str] = set()
    queue = [path]
    while queue:
        for name in _imports(queue.pop()):
            if not name.startswith("reliability_platform.") or name in seen:
                continue
            seen.add(name)
            assert not name.startswith("reliability_platform.faults"), f"{path} reaches {name}"
            assert name != "reliability_platform.landing.delivery", f"{path} reaches {name}"
            target = ROOT.joinpath(*name.split(".")[1:])
            queue += [found for found in (target.with_suffix(".py"), target / "__init__.py") if found.exists()]


def test_checks_and_incidents_never_ask_the_source() -> None:
    """They may read contracts; only remediation and the oracle may ask the system of record again."""
    for path in BLIND:
        if _package(path) in ("checks", "lineage", "openlineage_events", "incidents", "slo"):
            asked = {name for name in _imports(path) if name.startswith("reliability_platform.sources.")}
            assert asked <= {"reliability_platform.sources.contracts"}, path


def test_dagster_stays_at_the_edge() -> None:
    """The work runs without an orchestrator."""
    for path in MODULES:
        if _package(path) not in ("orchestration", "cli"):
            assert not any(name.split(".")[0].startswith("dagster") for name in _imports(path)), path


def test_every_module_says_what_it_is_for() -> None:
    """A docstring on every module; no `utils`, no `helpers`."""
    for path in MODULES:
        assert ast.get_docstring(ast.parse(path.read_text())), path
        assert path.stem not in ("utils", "helpers", "common", "misc"), path


def test_the_guide_names_every_layer_in_its_order() -> None:
    """A contributor was told of an order in which packages were missing."""
    guide = " ".join((ROOT.parent / "CONTRIBUTING.md").read_text().split())
    assert " → ".join(ORDER) in guide, f"put this into CONTRIBUTING.md: {' → '.join(ORDER)}"
