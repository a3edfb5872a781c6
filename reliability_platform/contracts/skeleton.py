"""A project of one's own: the platform's part of the one that comes with it, without the shop."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts.yaml_text import flow, quoted
from reliability_platform.errors import UsageError
from reliability_platform.settings import PROJECT_ROOT

PARTS = (
    "workspace.yaml",
    "dbt_project/dbt_project.yml",
    "dbt_project/profiles.yml",
    "dbt_project/macros/*.sql",
    "dbt_project/tests/**/*.sql",
    "dbt_project/models/columns.md",
    "dbt_project/models/groups.yml",
    "dbt_project/models/sources/admissions.yml",
    "dbt_project/models/quarantine/*",
    "dbt_project/models/reconciliation/rec_batches__conserved.*",
    "soda_checks/configuration.yml",
)
"""What every project has; patterns below the platform's own."""
PROFILE = "dbt_project/profiles.yml"
NOT_OURS = ("_unit_tests.yml", "macros/contracts.sql")
"""Ends of the names of what speaks of the shop, and of what is generated."""
IGNORED = "data/\ndbt_project/target/\ndbt_project/logs/\n.user.yml\n"


SETTINGS = """\
# Settings of this project, one a line; the environment comes before them. `docs/reference/settings.md` has them all.
# RELIABILITY_FIRST_DAY=2025-01-01
"""


def make_project(folder: Path, own: Path | None = None, profile: Mapping[str, Any] | None = None) -> list[str]:
    """Write a project without sources into a new or empty folder; returns the files.

    With an `own` dbt project, one that stands around it; `profile` is the target of that one's profile.

    Raises `UsageError` for a folder that has anything in it: nothing of a person's is ever written over.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty: name a new folder, or an empty one.")
    files = {
        path.relative_to(PROJECT_ROOT).as_posix(): path.read_bytes()
        for pattern in PARTS
        for path in sorted(PROJECT_ROOT.glob(pattern))
        if path.is_file() and not path.as_posix().endswith(NOT_OURS)
    }
    files[".gitignore"] = IGNORED.encode()
    files["settings.env"] = SETTINGS.encode()
    if own is not None:
        line = f"RELIABILITY_OWN_DBT_PROJECT={Path(os.path.relpath(own.resolve(), folder.resolve())).as_posix()}\n"
        files["settings.env"] += line.encode()
        files[PROFILE] = _profile(files[PROFILE].decode(), profile or {}).encode()
    for name, content in files.items():
        write_atomically(folder / name, content)
    (folder / "contracts").mkdir(parents=True, exist_ok=True)
    return sorted(files)


def _profile(ours: str, theirs: Mapping[str, Any]) -> str:
    """The platform's profile with the names that models of theirs may ask for: target, schema, extensions."""
    target = quoted(str(theirs.get("target") or "dev"))
    taken = {name: theirs[name] for name in ("schema", "extensions") if theirs.get(name)}
    lines = "".join(f"      {name}: {flow(value)}\n" for name, value in taken.items())
    return (
        ours.replace("  target: warehouse\n", f"  target: {target}\n")
        .replace("    warehouse:\n", f"    {target}:\n")
        .replace("      type: duckdb\n", f"      type: duckdb\n{lines}")
    )
