"""What a landing day takes, in counts that are the same on every machine: a change that makes them more says so here."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

from reliability_platform.checks.store import CheckStore
from reliability_platform.pipeline import steps
from reliability_platform.warehouse import dbt_runner
from tests.ground import Platform, day
from tests.scenarios.counts import compare


def test_a_landing_day_takes_no_more_statements_than_it_did(
    lived: Callable[[Path], Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbt's nodes and their statements, the statements to the operations store, the files and bytes that are new."""
    made = lived(tmp_path / "home")
    counted: Counter[str] = Counter()
    build, execute = dbt_runner.build, DuckDBCursorWrapper.execute

    def built(*arguments: Any, **named: Any) -> Any:
        nodes = build(*arguments, **named)
        counted["dbt_nodes"] += len(nodes)
        return nodes

    def executed(self: Any, *arguments: Any, **named: Any) -> Any:
        counted["dbt_statements"] += 1
        return execute(self, *arguments, **named)

    monkeypatch.setattr(steps.dbt_runner, "build", built)
    monkeypatch.setattr(DuckDBCursorWrapper, "execute", executed)
    sqlalchemy.event.listen(
        made.engine, "before_cursor_execute", lambda *_: counted.update(["statements_of_the_operations_store"])
    )
    results = CheckStore(made.engine).last_id()
    made.run(day(3), day(3))
    found = dict(counted)
    found["results_of_checks"] = CheckStore(made.engine).last_id() - results
    folders = ("landing", "bronze", "quarantine")
    files = [
        path for folder in folders for path in (made.settings.home / folder).rglob(f"*{day(3)}*/*") if path.is_file()
    ]
    found["files_of_the_day"] = len(files)
    found["bytes_of_the_day"] = sum(path.stat().st_size for path in files)
    compare("a_landing_day", found)
