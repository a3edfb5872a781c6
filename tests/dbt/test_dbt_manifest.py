"""The platform reads what dbt has parsed from a place of its own: dbt by hand beside it cannot break it."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import DBT_PROJECT, load_settings
from reliability_platform.warehouse import dbt_manifest
from reliability_platform.warehouse.dbt_manifest import ensure_manifest, parsed_project

LOADS = "import sys; from reliability_platform.orchestration.definitions import defs; assert defs"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A dbt project of its own."""
    made = tmp_path / "project"
    shutil.copytree(DBT_PROJECT, made, ignore=shutil.ignore_patterns("target", "logs"))
    return made


@contextmanager
def dbt_by_hand() -> Iterator[None]:
    """Rewrites the files of `target` of the checkout without end, as dbt does: truncated first, then in pieces."""
    target, stop = DBT_PROJECT / "target", threading.Event()
    watched = os.environ.pop("OUTWARD_CALLS")  # whoever runs dbt by hand may write there
    was_there = target.exists()
    target.mkdir(exist_ok=True)
    files = [target / "manifest.json", target / "partial_parse.msgpack"]
    before = {path: path.read_bytes() for path in files if path.exists()}

    def hammer() -> None:
        while not stop.is_set():
            for path in files:
                path.write_bytes(b'{"nodes": {"mod')
            time.sleep(0.01)

    writer = threading.Thread(target=hammer)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()
        for path in files:
            path.unlink()
            if path in before:
                path.write_bytes(before[path])
        if not was_there:
            target.rmdir()
        os.environ["OUTWARD_CALLS"] = watched


@pytest.mark.exhaustive  # 7 s, and it waits for a race
def test_a_run_that_starts_while_dbt_rewrites_its_target_meets_whole_files_only() -> None:
    """`dbt build` from the shell made the start of a run fail with a JSONDecodeError."""
    with dbt_by_hand():
        done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, check=False)
        assert json.loads(ensure_manifest().read_bytes())["nodes"]
    assert done.returncode == 0, done.stderr
    assert not ensure_manifest().is_relative_to(DBT_PROJECT)


@pytest.mark.exhaustive  # 8 s: the project is parsed three times
def test_each_state_of_a_project_is_parsed_once_and_read_by_all(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several that start at once one parses; what is there is never written again; a change is another state."""
    monkeypatch.setenv("RELIABILITY_CACHE", str(tmp_path / "cache"))
    parsed: list[Path] = []
    parse = dbt_manifest._parse
    monkeypatch.setattr(dbt_manifest, "_parse", lambda *words: parsed.append(words[0]) or parse(*words))
    found: list[Path] = []
    starters = [threading.Thread(target=lambda: found.append(ensure_manifest(project))) for _ in range(3)]
    for one in starters:
        one.start()
    for one in starters:
        one.join()
    assert len(found) == 3
    assert len(set(found)) == len(parsed) == 1
    assert parsed_project(found[0]).nodes
    assert not list(project.rglob("target")) + list(project.rglob("logs")) + list(project.rglob(".user.yml"))
    (project / "target").mkdir()
    (project / "target" / "manifest.json").write_text("of somebody else")
    assert ensure_manifest(project) == found[0]
    before = found[0].read_bytes()
    with (project / "models" / "marts" / "agg_daily_revenue.sql").open("a") as model:
        model.write("\n-- changed\n")
    (tmp_path / "cache" / "dbt" / ".draft-killed").mkdir()
    changed = ensure_manifest(project)
    assert changed != found[0]
    assert found[0].read_bytes() == before
    assert not list((tmp_path / "cache" / "dbt").glob(".draft-*"))
    # Of the changed model alone: the rest was taken as it was.
    monkeypatch.setenv("RELIABILITY_CACHE", str(tmp_path / "other cache"))
    whole = ensure_manifest(project)
    assert whole.parent.name == changed.parent.name
    assert _timeless(parsed_project(changed).flat_graph) == _timeless(parsed_project(whole).flat_graph)
    ended = max(node.created_at for node in parsed_project(found[0]).nodes.values())
    anew = {key for key, node in parsed_project(changed).nodes.items() if node.created_at > ended}
    assert "model.reliability_platform.agg_daily_revenue" in anew
    assert len(anew) < len(parsed_project(changed).nodes) / 2


def _timeless(part: Any) -> Any:
    """Part of a manifest without the moments at which it was made."""
    if isinstance(part, dict):
        return {key: _timeless(value) for key, value in part.items() if key != "created_at"}
    return part


def test_what_cannot_be_parsed_or_kept_is_one_line(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting that helps; nothing half made stays."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RELIABILITY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EnvironmentUnusableError, match=r"cannot be kept in .* Set RELIABILITY_CACHE") as refused:
        ensure_manifest(project)
    assert "\n" not in str(refused.value)
    monkeypatch.setenv("RELIABILITY_CACHE", str(tmp_path / "cache"))
    (project / "models" / "marts" / "broken.sql").write_text("select {{ ref('nobody') }}")
    with pytest.raises(EnvironmentUnusableError, match="does not parse"):
        ensure_manifest(project)
    assert [path.name for path in (tmp_path / "cache" / "dbt").iterdir()] == ["parse.lock"]


def test_a_user_without_a_home_folder_has_a_cache_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As services and containers have: then it lies in the temporary folder."""
    monkeypatch.delenv("RELIABILITY_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load_settings().cache == tmp_path / "reliability-platform"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert load_settings().cache.parent == tmp_path
