"""A demo replaces an earlier one, and nothing that a person would miss without asking."""

import json
from pathlib import Path

import pytest

from reliability_platform.checks.holds import Holds
from reliability_platform.cli import demo_home
from reliability_platform.cli.demo import faults_and_controls
from reliability_platform.cli.demo_home import MARKER, may_be_emptied
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.plan import load_plan
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from tests.ground import day


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home as a demo leaves it."""
    settings = load_settings(tmp_path / "home")
    settings.home.mkdir()
    demo_home.begin(settings)
    operations_engine(settings)
    demo_home.end(settings)
    return settings


def hold(settings: Settings) -> None:
    """What a person does after the demo."""
    Holds(operations_engine(settings)).hold("orders", day(2), "anna", "it looks odd", utc_now())


def test_a_second_demo_needs_no_word(settings: Settings) -> None:
    """`make demo` is the first command of the README, and is typed twice."""
    assert may_be_emptied(settings, yes=False).startswith("Replaces the demo in")
    assert may_be_emptied(load_settings(settings.home / "not there"), yes=False) == ""


def test_what_was_done_since_is_not_deleted_without_a_word(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Incidents, decisions and snapshots of a week of practice were gone, and nothing said so."""
    hold(settings)
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--home", str(settings.home)])
    said = capfd.readouterr().err
    assert (stop.value.code, said.count("\n")) == (ExitCode.USAGE, 1)
    assert "add --yes, or give another folder with --home. Nothing was changed." in said
    assert len(Holds(operations_engine(settings)).standing()) == 1
    assert "is replaced" in may_be_emptied(settings, yes=True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")
    with pytest.raises(SystemExit):
        main(["demo", "--home", str(settings.home)])
    assert "nothing was done" in capfd.readouterr().err


def test_a_demo_that_was_broken_off_is_begun_anew(settings: Settings) -> None:
    """After Ctrl-C the same command must go on."""
    demo_home.begin(settings)
    assert "did not come to its end" in may_be_emptied(settings, yes=False)
    assert [one.name for one in settings.home.iterdir() if not one.name.startswith(".")] == [MARKER]


def test_of_a_home_of_an_earlier_release_nobody_knows_what_was_done_since(settings: Settings) -> None:
    """Its mark says nothing but who made it."""
    (settings.home / MARKER).write_text(json.dumps({"made_by": "reliability demo"}))
    with pytest.raises(UsageError, match="add --yes"):
        may_be_emptied(settings, yes=False)


def test_a_home_that_no_demo_made_is_refused_even_with_a_yes(settings: Settings) -> None:
    """It may be somebody's own data."""
    (settings.home / MARKER).unlink()
    with pytest.raises(UsageError, match="did not make"):
        may_be_emptied(settings, yes=True)


def test_the_demo_counts_its_faults_as_the_report_does() -> None:
    """ "34 faults among them" were 26 and a control: seven hit later, and a control is no fault."""
    injected = [fault_named(one.fault) for one in load_plan("showcase").injections]
    assert faults_and_controls(injected) == "33 faults and 1 control"
    assert faults_and_controls([one for one in injected if one.stage is Stage.LANDING]) == "26 faults and 1 control"
    assert faults_and_controls([one for one in injected if not one.is_control][:1]) == "1 fault"
