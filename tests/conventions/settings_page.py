"""`docs/settings.md`, made of the settings themselves: `python -m tests.conventions.settings_page` writes it."""

import ast
import itertools
from pathlib import Path
from typing import Any

from reliability_platform.settings import PREFIX, PROJECT_ROOT, Settings

PAGE = PROJECT_ROOT / "docs" / "settings.md"
HEAD = """\
# Settings

Each is an environment variable. A misspelt one is refused, and so are a value that a setting cannot have and, where
nothing means nothing, an empty one.

| variable | default | what it says |
|---|---|---|
"""


def _said() -> dict[str, str]:
    """The docstring of each setting."""
    module = ast.parse((PROJECT_ROOT / "reliability_platform" / "settings.py").read_text(encoding="utf-8"))
    [body] = [one.body for one in module.body if isinstance(one, ast.ClassDef) and one.name == Settings.__name__]
    return {
        one.target.id: " ".join(after.value.value.split())
        for one, after in itertools.pairwise(body)
        if isinstance(one, ast.AnnAssign)
        and isinstance(one.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


def _default(name: str) -> str:
    value: Any = Settings.model_fields[name].default
    if name == "cache":  # it depends on the user
        return "`~/.cache/reliability-platform`"
    if value is None or value == [] or value == () or Settings.model_fields[name].default_factory is not None:
        return "–"
    if isinstance(value, Path):
        return f"`{value.relative_to(PROJECT_ROOT)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def page() -> str:
    """The whole page."""
    said = _said()
    return HEAD + "".join(
        f"| `{PREFIX}{name.upper()}` | {_default(name)} | {said.get(name, '')} |\n" for name in Settings.model_fields
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
