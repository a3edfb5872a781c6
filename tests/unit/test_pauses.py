"""What is paused on purpose: nothing is asked, published or told of it, everything else goes on, and everybody sees that it is paused."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reliability_platform.checks.gate import held
from reliability_platform.checks.results import CheckStatus
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.pauses import Pausable, Pauses, PauseState
from reliability_platform.pipeline.ticks import notice
from reliability_platform.remediation.due import obstacle
from reliability_platform.service.queries.acts import act_page
from reliability_platform.service.queries.pauses import missed_days
from reliability_platform.service.queries.publications import publication
from reliability_platform.service.queries.sources import source_standings
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.publication import CURRENT
from tests.ground import Platform, day
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, later

SOURCE, TABLE = Pausable.SOURCE, Pausable.TABLE
GAP = "bronze_orders__batch_completeness"


def test_the_last_word_counts_until_its_end(tmp_path: Path) -> None:
    engine = operations_engine(load_settings(tmp_path))
    pauses = Pauses(engine)
    assert pauses.say(SOURCE, "orders", PauseState.PAUSED, "ada", "moving <b>house</b>", NOW, later(60))
    assert not pauses.say(SOURCE, "orders", PauseState.PAUSED, "ada", "again", NOW, later(60))
    assert pauses.say(TABLE, "orders", PauseState.WITHDRAWN, "ada", "of another kind", NOW)
    assert pauses.sources(later(59))["orders"].words == (
        "is paused by ada since 2026-02-01 03:00 UTC until 2026-02-01 04:00 UTC: moving <b>house</b>"
    )
    assert pauses.sources(later(60)) == {}
    assert pauses.say(SOURCE, "orders", PauseState.PAUSED, "ada", "longer", later(61))
    assert pauses.say(SOURCE, "orders", PauseState.ACTIVE, "grace", "moved", later(62))
    assert not pauses.say(SOURCE, "orders", PauseState.ACTIVE, "grace", "moved", later(63))
    assert [one.name for one in pauses.standing(later(64)).values()] == ["orders"]
    assert pauses.spells(later(64)) == {"orders": [(NOW, later(60)), (later(61), later(62))]}
    assert [one.command for one in act_page(engine).items] == ["resume", "pause", "tables withdraw", "pause"]
    for why, until, told in ((" ", None, "reason is empty"), ("x", NOW, "has passed")):
        with pytest.raises(UsageError, match=told):
            pauses.say(SOURCE, "orders", PauseState.PAUSED, "ada", why, NOW, until)


def test_no_healing_asks_a_source_that_is_paused(tmp_path: Path) -> None:
    """Not with an approval either: whoever wants it resumes the source first."""
    home = BrokenHome(tmp_path)
    home.land(without=(2,))
    incident = home.incident(GAP)
    assert obstacle(home.settings, home.engine, incident, later(1), approved=True) is None
    Pauses(home.engine).say(SOURCE, "orders", PauseState.PAUSED, "ada", "no contract", later(1))
    told = obstacle(home.settings, home.engine, incident, later(2), approved=True)
    assert told is not None
    assert "reliability sources resume orders" in told


def test_a_paused_source_and_table_cost_only_themselves(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """A day is run meanwhile: no alarm, no hold, and what is published says what it leaves out."""
    made = lived(tmp_path / "home")
    current = made.settings.published / CURRENT
    funnel = (current / "agg_daily_funnel" / "2026-01.parquet").read_bytes()
    pauses = Pauses(made.engine)
    pauses.say(SOURCE, "payments", PauseState.PAUSED, "ada", "it moves", utc_now())
    pauses.say(TABLE, "agg_daily_funnel", PauseState.PAUSED, "ada", "its model is rewritten", utc_now())
    pauses.say(TABLE, "fct_customer_days", PauseState.WITHDRAWN, "ada", "it was never theirs", utc_now())
    version = made.run(day(3), day(3))
    landed = landed_partitions(made.settings)
    assert ("payments", day(3)) not in landed
    assert missed_days(made.settings, made.engine, utc_now()) == {"payments": [day(3)]}
    assert ("orders", day(3)) in landed
    assert version.held == {}
    assert not [one for one in made.checks.latest([day(3)]) if one.status is CheckStatus.FAILED]
    assert notice(made.settings, made.engine, utc_now)[0] == []
    assert str(day(3)) in (version.table("agg_daily_revenue") or pytest.fail("it is gone")).dates
    assert str(day(3)) not in (version.table("agg_daily_payments") or pytest.fail("it is gone")).dates
    assert (current / "agg_daily_funnel" / "2026-01.parquet").read_bytes() == funnel
    assert not (current / "fct_customer_days").exists()
    assert set(publication(made.settings, "current").paused) == {"agg_daily_funnel", "fct_customer_days"}
    [standing] = [one for one in source_standings(made.settings, made.engine, utc_now()) if one.source == "payments"]
    assert standing.paused is not None
    assert not standing.at_risk
    assert made.publish().version == version.version  # the same again is no new version
    for name in ("agg_daily_funnel", "fct_customer_days"):
        pauses.say(TABLE, name, PauseState.ACTIVE, "ada", "done", utc_now())
    again = made.publish()
    assert (current / "fct_customer_days").exists()
    assert str(day(3)) in (again.table("agg_daily_funnel") or pytest.fail("it is gone")).dates
    # As soon as it is asked again, nothing is let through any more: its day is run, or holds what is compared with it.
    assert not held(made.checks, [("orders", day(3))])
    pauses.say(SOURCE, "payments", PauseState.ACTIVE, "ada", "done", utc_now())
    assert held(made.checks, [("orders", day(3))])
    assert missed_days(made.settings, made.engine, utc_now()) == {"payments": [day(3)]}, "it still lacks the day"
    made.run(day(3), day(3))
    assert missed_days(made.settings, made.engine, utc_now()) == {}


def test_the_commands_say_what_is_paused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    operations_engine(load_settings(tmp_path))

    def told(*words: str) -> str:
        main([*words, *home])
        return capsys.readouterr().out

    until = (utc_now() + timedelta(days=3)).date().isoformat()
    assert "is not asked" in told("sources", "pause", "payments", "--why", "it moves", "--until", until)
    assert "payments is paused by" in told("sources")
    found = json.loads(told("tables", "pause", "agg_daily_funnel", "--why", "rewritten", "--json"))
    assert [one["name"] for one in found["paused"]] == ["payments", "agg_daily_funnel"]
    assert "agg_daily_funnel is paused by" in told("tables", "list")
    assert "is asked again" in told("sources", "resume", "payments", "--why", "it has moved")
    for wrong in (
        ["sources", "pause", "paymets"],
        ["tables", "pause", "orders"],
        ["tables", "withdraw", "agg_daily_funnel"],
    ):
        with pytest.raises(SystemExit) as stop:
            main([*wrong, "--why", "x", *home])
        assert stop.value.code == ExitCode.USAGE
