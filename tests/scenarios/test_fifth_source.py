"""A fifth source beside the four of the shop, with files alone: a library's loans, in CSV, none of it about money."""

import os
import random
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from reliability_platform.errors import ExitCode
from reliability_platform.settings import PROJECT_ROOT
from tests.scenarios.test_own_project import read, reliability

FIRST = date(2026, 1, 1)


def loans(folder: Path) -> None:
    """A week of loans, a file a day, with semicolons and a column whose name has a space."""
    drawn = random.Random(3)
    folder.mkdir()
    for number in range(7):
        day = FIRST + timedelta(days=number)
        rows = [
            f"{number * 1_000 + loan};M{drawn.randint(1, 60):03d};{drawn.choice('ABC')};{drawn.randint(40, 900)};"
            f"{day}T{8 + loan // 40:02d}:{loan % 60:02d}:00"
            for loan in range(300)
        ]
        path = folder / f"loans-{day}.csv"
        path.write_text("\n".join(["loan;member;shelf;title pages;borrowed", *rows]) + "\n")
        os.utime(path, (time.time() - 3_600,) * 2)


@pytest.mark.exhaustive  # 40 s; a project of its own is in `test_csv_deliveries`, what follows from a contract in `test_generation`
def test_a_fifth_source_joins_the_shop_with_files_alone(tmp_path: Path) -> None:
    """Contract, models, checks and mart are proposed and generated; the four others are as before, and all is proved: the
    four against the truth, the fifth against a whole build of what landed."""
    shop = tmp_path / "shop"
    for name in ("contracts", "dbt_project", "soda_checks"):
        shutil.copytree(PROJECT_ROOT / name, shop / name, ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copy(PROJECT_ROOT / "workspace.yaml", shop)
    loans(tmp_path / "deliveries")
    added = read(shop, "sources", "add", "loans", "--from", str(tmp_path / "deliveries"), "--yes")
    assert (added["key"], added["event_time"], added["format"]["delimiter"]) == (["loan"], "borrowed", ";")
    changed = {one["path"]: one["change"] for one in read(shop, "generate")["files"] if one["change"] != "same"}
    assert {path for path in changed if "loans" not in path} == {  # what lists all sources
        "contracts/generated.json",
        "dbt_project/macros/contracts.sql",
        "dbt_project/models/reconciliation/rec_silver__vs__gold.sql",
    }
    last = FIRST + timedelta(days=1)
    assert reliability(shop, "run", "--from", str(FIRST), "--to", str(last)).returncode == ExitCode.OK
    assert read(shop, "incidents", "list") == []
    proof = read(shop, "verify")
    assert (proof["equal"], proof["rebuilt_from_landing"]) == (True, ["loans"])
    assert {"agg_daily_loans", "agg_daily_revenue"} <= proof["tables"].keys()
