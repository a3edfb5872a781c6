"""That no incident is open does not mean that all is well: who says so looks first."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.recovery.damaged import mend
from reliability_platform.recovery.unjudged import invalidate_days, unjudged_days
from reliability_platform.recovery.unnoticed import unnoticed
from tests.ground import Platform, day

DAMAGES: dict[str, Callable[[Platform], object]] = {
    "warehouse.duckdb is missing": lambda made: made.settings.warehouse.unlink(),
    "4 landing partitions are held for want of a result": lambda made: invalidate_days(made.engine, [day(2)]),
    f"landing/orders/landing_date={day(1)}/": lambda made: next(
        (made.settings.landing / "orders" / f"landing_date={day(1)}").glob("*.parquet")
    ).unlink(),
    "operations.sqlite is missing": lambda made: [
        one.unlink() for one in made.settings.home.glob("operations.sqlite*")
    ],
}


@pytest.mark.parametrize("said", DAMAGES)
def test_what_is_wrong_without_an_incident_is_found_with_what_to_do(
    lived: Callable[[Path], Platform], tmp_path: Path, said: str
) -> None:
    """`heal` said that no incident was open, with exit code 0, of a home whose warehouse was lost; `doctor` knew."""
    made = lived(tmp_path / "home")
    assert not unnoticed(made.settings)
    DAMAGES[said](made)
    [line] = unnoticed(made.settings).lines
    assert said in line
    assert "`reliability " in line


@pytest.mark.parametrize("words", [("heal",), ("heal", "--dry-run")])
def test_healing_does_not_say_that_all_is_well_of_a_home_that_has_lost_its_warehouse(
    lived: Callable[[Path], Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """What nothing but a restore can heal is said by the command that somebody types to have it healed."""
    made = lived(tmp_path / "home")
    made.settings.warehouse.unlink()
    assert main([*words, "--home", str(made.settings.home)]) == ExitCode.NOT_HEALED
    assert capsys.readouterr().out.splitlines() == [
        "No incident is open, but not all is well:",
        f"warehouse.duckdb is missing: `reliability restore --damaged --home {made.settings.home}` puts it back from a "
        "snapshot.",
    ]


@pytest.mark.exhaustive  # 5 s
def test_a_restore_that_was_cut_off_after_its_last_file_judges_the_days_when_it_is_run_again(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """Everything was whole again, so it did nothing and said that all was well; the days stayed held."""
    made = lived(tmp_path / "home")
    invalidate_days(made.engine, [day(2)])
    done = mend(made.settings, utc_now)
    assert (done.found, done.landing_days, done.left) == ([], [day(2)], [])
    assert done.steps == ["built and judged 1 landing day again, of which results were missing"]
    assert unjudged_days(made.settings, made.engine) == set()
    assert mend(made.settings, utc_now).landing_days == []
