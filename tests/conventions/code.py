"""The platform's own code as syntax trees: each module is read and parsed once for all conventions."""

import ast
from functools import cache
from pathlib import Path

import reliability_platform

ROOT = Path(reliability_platform.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    """What a module says."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a module: 1 s of CPU for all of them, each time that they are walked."""
    return tuple(ast.walk(tree_of(path)))
