"""`doctor` says each cause once, and by whom it was met besides."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.cli.doctor import DoctorFinding, _because_of, examined
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import identify
from reliability_platform.operations.tables import check_results
from reliability_platform.settings import load_settings
from tests.ground import Platform, day

SILENT = ["sources", "checks", "alerts", "drills", "schedule", "upkeep"]


@pytest.mark.parametrize("content", [b"", b"not a database at all", None])
def test_a_lost_operations_store_is_one_cause(tmp_path: Path, content: bytes | None) -> None:
    """The same sentence came under five headings, and the reader looked for five faults."""
    settings = load_settings(tmp_path / "elsewhere")
    identify(settings, operations_engine(settings))
    for file in settings.home.glob("operations.sqlite*"):
        file.unlink()
    if content is not None:
        (settings.home / "operations.sqlite").write_bytes(content)
    wrong = {one.what: one for one in examined(settings) if not one.ok}
    assert [one for one in SILENT if wrong[one].because_of != "operations"] == []
    told = [one.says for one in wrong.values() if one.because_of is None and "operations.sqlite" in one.says]
    assert len(told) == 1
    assert "restore --damaged" in told[0]


def test_a_full_disk_is_one_cause_and_another_fault_stays_another() -> None:
    """What does not come from a cause that is told is told itself, though something else is wrong, too."""
    full = DoctorFinding("home", False, "/x cannot be written (No space left on device): make room")
    before = [full, DoctorFinding("operations", False, "operations.sqlite is empty: put it back")]
    assert _because_of("dbt", "The manifest cannot be written: No space left on device", before, looked=True) == "home"
    assert _because_of("dbt", "The project does not parse", before, looked=True) is None
    assert _because_of("alerts", "The operations store is empty", before, looked=False) == "operations"
    assert _because_of("alerts", "a channel is failing", before, looked=True) is None


def test_days_that_are_held_for_a_check_without_a_result_are_named(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """After dbt tests had been added, the days of before were held, and `doctor` found nothing wrong."""
    made = lived(tmp_path / "home")
    assert {one.what: one.ok for one in examined(made.settings)}["checks"]
    [name] = [
        one for one, spec in CHECKS.items() if spec.engine == "dbt" and spec.blocking and spec.sources == ("orders",)
    ][:1]
    with made.engine.begin() as connection:
        connection.execute(delete(check_results).where(check_results.c.check_name == name))
    [found] = [one for one in examined(made.settings) if one.what == "checks"]
    assert not found.ok
    assert name in found.says
    assert "2 landing partitions are held" in found.says
    assert f"`reliability run --from {day(1)} --to {day(2)}`" in found.says


def test_a_folder_in_the_place_of_a_lock_is_named(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """Nothing could run, and `doctor` found nothing wrong."""
    home = lived(tmp_path / "home").settings.home
    (home / ".session.lock").unlink(missing_ok=True)
    (home / ".session.lock").mkdir()
    [found] = [one for one in examined(load_settings(home)) if not one.ok]
    assert (found.what, str(home / ".session.lock") in found.says, "remove it" in found.says) == ("home", True, True)
