"""No path of a home is a pattern, a partition, SQL or markup."""

import ast
from pathlib import Path

from tests.conventions import code
from tests.conventions.code import ROOT, nodes_of

MODULES = [path for path in code.MODULES if path != ROOT / "parquet.py"]


def _calls(path: Path) -> list[ast.Call]:
    return [node for node in nodes_of(path) if isinstance(node, ast.Call)]


def _name(call: ast.Call) -> str:
    """As `pq.read_table`; of what is called on a result, its last part alone."""
    called = call.func
    if not isinstance(called, ast.Attribute):
        return called.id if isinstance(called, ast.Name) else ""
    return f"{called.value.id if isinstance(called.value, ast.Name) else ''}.{called.attr}"


def _texts(path: Path) -> list[str]:
    """Every text of a module but its docstrings."""
    said = {
        id(node.body[0].value)
        for node in nodes_of(path)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    constants = [node for node in nodes_of(path) if isinstance(node, ast.Constant) and id(node) not in said]
    return [node.value for node in constants if isinstance(node.value, str)]


def test_parquet_files_of_a_home_are_read_through_one_module() -> None:
    """A reader of its own took the folder `source=shop` above a home for a column, and published other numbers."""
    for path in (one for one in MODULES if "inference" not in one.parts):  # it reads samples, which lie in no home
        assert not [text for text in _texts(path) if "read_parquet(" in text or text.endswith("from '")], path
        for call in _calls(path):
            assert not _name(call).endswith(".read_parquet"), f"{path}:{call.lineno}"
            if _name(call) == "pq.read_table":
                assert "BufferReader" in ast.unparse(call.args[0]), f"{path}:{call.lineno} reads by path"


def test_paths_are_printed_as_they_are() -> None:
    """`lake [prod]/home` was shown as `lake /home`: the terminal took the folder for markup."""
    for path in MODULES:
        for call in _calls(path):
            if _name(call) in ("people.print", "progress.print"):
                plain = any(word.arg == "markup" and ast.unparse(word.value) == "False" for word in call.keywords)
                paths = [one for one in _said(call) if _is_path(one)]
                assert plain or not paths, f"{path}:{call.lineno} prints {paths} as markup"


def _said(call: ast.Call) -> list[str]:
    """The expressions in the texts that a call prints."""
    parts = [part for text in call.args for part in ast.walk(text) if isinstance(part, ast.FormattedValue)]
    return [ast.unparse(part.value) for part in parts]


def _is_path(expression: str) -> bool:
    return expression in ("path", "report", "home") or expression.startswith(("settings.home", "settings.alerts"))
