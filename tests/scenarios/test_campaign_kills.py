"""The campaign's own kills and drills, on real processes."""

from pathlib import Path

import pytest

from reliability_platform.clock import utc_now
from reliability_platform.lab.campaign.kills import broken, not_right, run_kills
from reliability_platform.lab.campaign.rehearsals import run_drills
from reliability_platform.recovery.drill_log import Drill
from reliability_platform.warehouse.publication import CURRENT
from tests.ground import Platform, day

pytestmark = pytest.mark.exhaustive


def test_a_process_that_is_killed_at_its_work_leaves_nothing_that_a_rerun_does_not_mend(tmp_path: Path) -> None:
    """The moment follows from the seed; the homes are gone afterwards."""
    document = run_kills(tmp_path / "kills", 2, seed=11)
    assert (document["n"], document["survived"]) == (2, 2), document
    assert all(0 < one["at_seconds"] < one["work_seconds"] for one in document["kills"])
    assert not (tmp_path / "kills").exists()


def test_a_loss_is_not_taken_for_a_survival(tmp_path: Path) -> None:
    """The examination can say no: a published file is exchanged, another one is gone."""
    made = Platform(tmp_path / "home")
    made.run(day(1), day(1))
    oracle = tmp_path / "oracle"
    current = made.settings.published / CURRENT
    oracle.mkdir()
    for path in current.glob("*/2026-01.parquet"):
        (oracle / f"{path.parent.name}.parquet").write_bytes(path.read_bytes())
    assert broken(made.settings) == [] and not_right(made.settings, oracle) == []
    first, second = sorted(path.parent.name for path in current.glob("*/2026-01.parquet"))[:2]
    (current / first / "2026-01.parquet").unlink()
    (current / first / "2026-01.parquet").write_bytes((oracle / f"{second}.parquet").read_bytes())
    (current / second / "2026-01.parquet").unlink()
    assert broken(made.settings) == [f"published: {one} is not what its record says" for one in (first, second)]
    assert f"published: {first} differs from a run without faults" in not_right(made.settings, oracle)


def test_every_drill_is_done_on_a_world_of_the_campaigns_own(tmp_path: Path) -> None:
    """Rows lost and seconds to recover of each, against the objectives."""
    document = run_drills(tmp_path / "drills", 11, utc_now)
    assert [one["drill"] for one in document["drills"]] == [one.value for one in Drill]
    assert document["met"] == len(Drill), document
    assert all(one["recovery_seconds"] > 0 for one in document["drills"])
