"""The SQL of all dbt models as a full build would run it, without any warehouse.

dbt compiles against an empty database of its own, in a process of its own: neither the home, nor the environment of
this process, nor a warehouse that somebody has open is touched.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.warehouse.dbt_manifest import PARSED, parsed_project, project_of, quiet_arguments
from reliability_platform.warehouse.dbt_start import compile_when_used, spare_start
from reliability_platform.warehouse.own_project import name_of

TIMEOUT_SECONDS = 300
HOME = "__home__"
"""Stands in compiled SQL where the path of the home would be."""


def compiled_models(manifest: Path) -> dict[str, str]:
    """Model → its SELECT, in full-refresh form, so that no filter of an incremental run is in it. Takes 4 s.

    Paths of files in the home begin with `HOME`. Raises `EnvironmentUnusableError` if the project does not compile.
    """
    project = project_of(manifest)
    if not (project / "dbt_project.yml").exists() or not manifest.with_name(PARSED).exists():
        raise EnvironmentUnusableError(
            f"{project} is no dbt project: it was parsed before, and has been removed since."
        )
    with TemporaryDirectory(prefix="lineage-") as folder:
        home, target = Path(folder) / "home", Path(folder) / "target"
        home.mkdir()
        target.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(manifest), str(target)],
            env={**os.environ, "RELIABILITY_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            said = " ".join((done.stdout + done.stderr).split())[-400:]
            raise EnvironmentUnusableError(f"The dbt project does not compile; mend it, then try again: {said}")
        found = json.loads((target / "manifest.json").read_bytes())
    return {
        name_of(node): _by_name(_whole(key, node["compiled_code"]).replace(str(home), HOME), node, found)
        for key, node in found["nodes"].items()
        if key.startswith(("model.", "snapshot.")) and node.get("compiled_code")
    }


def _compile(manifest: Path, target: Path) -> str | None:
    """Let dbt compile what has been parsed, and write it below `target`; why it could not, if it could not."""
    compile_when_used()
    from dbt.cli.main import dbtRunner

    spare_start()
    words = ("compile", "--full-refresh", "--select=resource_type:model resource_type:snapshot")
    arguments = quiet_arguments(*words, project=project_of(manifest), target=target)
    done = dbtRunner(manifest=parsed_project(manifest)).invoke(arguments)
    if done.success:
        return None
    nodes: Any = getattr(done.result, "results", None) or ()
    return str(done.exception or next((one.message for one in nodes if str(one.status) == "error"), "it says not why"))


def _whole(key: str, sql: str) -> str:
    """A snapshot has columns of dbt's own besides those of its query."""
    if not key.startswith("snapshot."):
        return sql
    own = ", ".join(f"null as dbt_{name}" for name in ("scd_id", "updated_at", "valid_from", "valid_to"))
    return f"select *, {own} from ({sql}) as taken"


def _by_name(sql: str, node: dict[str, Any], manifest: dict[str, Any]) -> str:
    """The query with each table that it reads called as in the data graph, wherever it lies in the warehouse."""
    # A source that a contract feeds lies where the model does that stands for it: that one is read.
    for parent in sorted(node["depends_on"]["nodes"], key=lambda one: one not in manifest["nodes"]):
        one = manifest["nodes"].get(parent) or manifest["sources"].get(parent)
        if one is not None and one.get("relation_name"):
            name = name_of(one) if parent in manifest["nodes"] else f"{one['source_name']}/{one['name']}"
            sql = sql.replace(one["relation_name"], f'"{name}"')
    return sql


if __name__ == "__main__":
    sys.exit(_compile(*map(Path, sys.argv[1:])))
