"""Views are replaced in one statement, whatever stands in their place."""

from collections.abc import Callable
from pathlib import Path

import duckdb

from reliability_platform.warehouse import dbt_runner
from tests.ground import Platform, day

KIND = "select table_type from information_schema.tables where table_name = 'hld_too_late'"


def test_a_view_replaces_a_view_and_a_table(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """A model that was a table in an earlier release left its table in the way of the view of the same name."""
    made = lived(tmp_path / "home")
    with duckdb.connect(str(made.settings.warehouse)) as connection:
        connection.execute("drop view hld_too_late; create table hld_too_late as select 1 as one")
    for _ in ("table", "view"):
        nodes = dbt_runner.build(made.settings, day(1), day(1), select=["hld_too_late"])
        assert [(node.status, node.name) for node in nodes if node.resource_type == "model"] == [
            ("success", "hld_too_late")
        ]
        with duckdb.connect(str(made.settings.warehouse), read_only=True) as connection:
            assert connection.execute(KIND).fetchall() == [("VIEW",)]
            assert "landing_date" in [row[0] for row in connection.execute("describe hld_too_late").fetchall()]
