"""Nothing is done again blindly: a failure that stays is met again only after a change, and what did not help is undone."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from reliability_platform.audit_log import AuditLog
from reliability_platform.checks.gate import Why, held
from reliability_platform.checks.holds import Holds
from reliability_platform.cli.main import cli
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.model import Incident, State
from reliability_platform.lab.simulation.system import request_batch
from reliability_platform.landing.decisions import accept_late_rows, late_rows_accepted, read_shim
from reliability_platform.landing.replacement import land_replacement
from reliability_platform.remediation import conditions, heal
from reliability_platform.remediation.actions import ACTIONS, Done, action_named
from reliability_platform.remediation.conditions import CONDITIONS
from reliability_platform.remediation.documents import render_overview
from reliability_platform.remediation.due import obstacle
from reliability_platform.remediation.heal import act, describe, undo, verify
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.remediation.time_limit import ActionTimedOutError, within
from reliability_platform.settings import Settings
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, later

NULLS = "stg_orders__missing_customer_id"
CONTRACT = "bronze_orders__schema_contract"
TOO_LATE = "hld_too_late__no_orders"
BLIND = "nothing has changed since the last attempt"


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    return BrokenHome(tmp_path / "home")


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> BrokenHome:
    """One for many incidents, of which none changes it."""
    made = BrokenHome(tmp_path_factory.mktemp("landed") / "home")
    made.land()
    return made


def why_not(home: BrokenHome, one: str, settings: Settings | None = None, **said: bool) -> str:
    """What keeps the platform from acting while somebody watches; empty if nothing does."""
    own = (settings or home.settings).model_copy(update={"attended": True})
    return obstacle(own, home.engine, home.incidents.get(one), later(60), **said) or ""


def fail(home: BrokenHome, one: str, check: str, minute: int) -> Incident:
    """One attempt after which the check fails as before."""
    act(home.settings, home.engine, one, later(minute), "test")
    home.admit()
    home.judge(failing=[check], at=later(minute + 1))
    assert not verify(home.settings, home.engine, one, later(minute + 2), "test")
    return home.incidents.get(one)


def of_class(home: BrokenHome, failure_class: str, message: str = "") -> Incident:
    """An incident of a class, as it stands on the timeline."""
    data = {
        "source": "orders", "failure_class": failure_class, "root_dataset": "stg_orders", "severity": "P1",
        "severity_reason": "P1", "partitions": [home.day.isoformat()],
        "signals": [{
            "check": NULLS, "dataset": "stg_orders", "source": "orders", "partition": home.day.isoformat(),
            "status": "failed", "value": 1.0, "threshold": "= 0", "message": message, "sample": [],
        }],
    }  # fmt: skip
    one = home.incidents.create(failure_class, NOW, "sensor", "it failed", data, [])
    assert one is not None
    return home.incidents.get(one)


def test_a_failure_that_stays_is_met_again_only_after_a_change(home: BrokenHome) -> None:
    """The source sends the same nulls again: asking it all night gives the same, and a person is told at once."""
    home.land()
    home.reject([2])
    one = home.incident(NULLS).id
    incident = fail(home, one, NULLS, 1)
    assert (incident.state, incident.attempts, POLICIES["null_spike"].max_attempts) == (State.CONTAINED, 1, 2)
    assert "Trying again changes nothing" in incident.timeline[-2].why
    assert incident.timeline[-1].kind == "escalation"
    assert BLIND in why_not(home, one)
    assert why_not(home, one, approved=True) == ""


def _another_delivery(home: BrokenHome, settings: Settings) -> Settings:
    land_replacement(home.settings, request_batch(home.simulation, "orders", home.day, 3, 2))
    return settings


def _an_approval(home: BrokenHome, settings: Settings) -> Settings:
    accept_late_rows(home.settings, "orders", home.day, "Ada", "INC-0009")
    return settings


def _other_reference_data(home: BrokenHome, settings: Settings) -> Settings:
    home.settings.reference.mkdir()
    (home.settings.reference / "customers.parquet").write_bytes(b"others")
    return settings


def _other_models(home: BrokenHome, settings: Settings) -> Settings:
    project = home.settings.home / "project"
    shutil.copytree(settings.dbt_project, project, ignore=shutil.ignore_patterns("target", "logs"))
    with (project / "models" / "staging" / "stg_orders.sql").open("a") as model:
        model.write("-- mended\n")
    return settings.model_copy(update={"dbt_project": project})


def _no_room(home: BrokenHome, settings: Settings) -> Settings:
    conditions.ROOM_BYTES = 10**18
    return settings


@pytest.mark.parametrize(
    "change",
    [_another_delivery, _an_approval, _other_reference_data, _other_models, _no_room],
    ids=lambda one: one.__name__,
)
def test_each_change_that_may_help_is_a_reason_to_try_again(
    home: BrokenHome, change: Callable[[BrokenHome, Settings], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs, approvals, reference data, models, room."""
    monkeypatch.setattr(conditions, "ROOM_BYTES", conditions.ROOM_BYTES)  # put back whatever a change does
    home.land()
    home.reject([2])
    one = home.incident(NULLS).id
    fail(home, one, NULLS, 1)
    assert BLIND in why_not(home, one)
    changed = change(home, home.settings)
    assert why_not(home, one, changed) == ""
    act(changed, home.engine, one, later(10), "test")
    begun = next(entry for entry in reversed(home.incidents.get(one).timeline) if entry.data.get("phase") == "begun")
    assert "changed since the last one: " in begun.why


@pytest.mark.parametrize("failure_class", [name for name, kind in CLASSES.items() if not kind.cause.is_transient])
def test_no_failure_that_stays_is_retried_without_a_change(landed: BrokenHome, failure_class: str) -> None:
    """For every class: once each way has been tried, the platform waits for a change or a person."""
    one = of_class(landed, failure_class).id
    action = action_named(POLICIES[failure_class].action)
    for attempt in range(1, action.ways + 1):
        begun = {"phase": "begun", "action": action.name}
        landed.incidents.move(one, State.RECOVERING, later(attempt), "test", "Action", **begun)
        done = {"phase": "done", "action": action.name, "reruns": []}
        landed.incidents.append(one, later(attempt), "test", "action", "Done", done)
        assert not verify(landed.settings, landed.engine, one, later(attempt), "test")
    incident = landed.incidents.get(one)
    assert incident.attempts == action.ways
    assert incident.timeline[-1].kind == "escalation"
    policy = replace(POLICIES[failure_class], automatic=True, conditions=(), max_attempts=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(POLICIES, failure_class, policy)  # though it were automatic, and had attempts left
        assert BLIND in why_not(landed, one)
    assert why_not(landed, one, decided=True) == ""


@pytest.mark.parametrize("failure_class", [name for name, policy in POLICIES.items() if policy.action == "retry"])
def test_only_what_passes_by_itself_is_just_retried(landed: BrokenHome, failure_class: str) -> None:
    """A full disk and a damaged file show in the error, and are waited for."""
    assert CLASSES[failure_class].cause.is_transient
    assert {"warehouse_can_be_written", "warehouse_is_sound"} <= set(POLICIES[failure_class].conditions)
    assert landed.day.isoformat() in describe(landed.settings, of_class(landed, failure_class))


def test_a_damaged_warehouse_is_not_tried_again_before_it_is_put_back(home: BrokenHome) -> None:
    """It would fail at the same block for ever."""
    home.land()
    home.reject([2])
    one = of_class(home, "write_failure", "Corrupt database file: computed checksum 1 does not match stored 2").id
    holds = CONDITIONS["warehouse_is_sound"].holds
    assert why_not(home, one) == ""
    whole = home.settings.warehouse.read_bytes()
    home.settings.warehouse.write_bytes(whole[:4096] + b"\0" * (len(whole) - 4096))
    assert not holds(home.settings, home.engine, home.incidents.get(one), NOW)
    assert "damaged: put it back" in why_not(home, one)
    home.settings.warehouse.unlink()
    assert why_not(home, one) == ""


def test_a_shim_that_did_not_help_is_withdrawn_and_then_the_source_is_asked(with_past: BrokenHome) -> None:
    """Read as the wrong column, the rows would stay in silver; the file goes back into quarantine instead."""
    home = with_past
    home.land(renamed={2: {"customer_id": "user_id"}})
    one = home.incident(CONTRACT).id
    [batch] = [batch for batch, status in home.admit().items() if status == "quarantined"]
    act(home.settings, home.engine, one, later(1), "test")
    assert read_shim(home.settings, "orders", batch) is not None
    assert home.admit()[batch] != "quarantined"
    home.judge(failing=[CONTRACT], at=later(2))
    assert not verify(home.settings, home.engine, one, later(3), "test")
    assert read_shim(home.settings, "orders", batch) is None
    partition = ("orders", home.day)
    assert any(one.why is Why.UNJUDGED for one in held(home.checks, [partition])[partition])
    assert why_not(home, one) == ""
    assert batch in describe(home.settings, home.incidents.get(one))
    act(home.settings, home.engine, one, later(10), "test")
    assert f"{batch}-a2" in home.landed()
    home.admit()
    home.judge(failing=[CONTRACT], at=later(11))
    assert not verify(home.settings, home.engine, one, later(12), "test")
    assert "no attempt is left" in why_not(home, one)


def test_late_rows_that_did_not_help_do_not_count_any_more(home: BrokenHome) -> None:
    """Final numbers must not change for nothing; an approval that another incident gave stays."""
    home.land()
    one = home.incident(TOO_LATE).id
    act(home.settings, home.engine, one, later(1), "Ada")
    assert late_rows_accepted(home.settings, "orders", home.day)
    home.judge(failing=[TOO_LATE], at=later(2))
    assert not verify(home.settings, home.engine, one, later(3), "test")
    assert not late_rows_accepted(home.settings, "orders", home.day)
    accept_late_rows(home.settings, "orders", home.day, "Bob", "INC-0009")
    act(home.settings, home.engine, one, later(5), "Ada")
    home.judge(failing=[TOO_LATE], at=later(6))
    assert not verify(home.settings, home.engine, one, later(7), "test")
    path = home.settings.decisions / "orders" / f"orders-{home.day:%Y%m%d}-late.json"
    assert json.loads(path.read_text())["why"] == "INC-0009"


def test_a_replacement_that_did_not_help_stays_in_landing_and_its_day_is_held(home: BrokenHome) -> None:
    """What the source says now is kept like every delivery; consumers see none of it."""
    home.land(without=(2,))
    one = home.incident("bronze_orders__batch_completeness").id
    before = home.landed()
    fail(home, one, "bronze_orders__batch_completeness", 1)
    assert home.landed() - before == {"orders-20260105-02-a2"}
    assert ("orders", home.day) in held(home.checks, [("orders", home.day)])
    assert ACTIONS["re_request_batches"].undo is None


def test_what_a_person_has_done_a_person_takes_back(home: BrokenHome) -> None:
    """The newest first; each once."""
    home.land()
    one = home.incident(TOO_LATE).id
    act(home.settings, home.engine, one, later(1), "Ada")
    home.judge(failing=[TOO_LATE], at=later(2))
    home.incidents.move(one, State.CONTAINED, later(3), "Ada", "I have thought about it again")
    assert "do not count any more" in undo(home.settings, home.engine, one, later(4), "Ada")
    assert not late_rows_accepted(home.settings, "orders", home.day)
    acts = [(entry.command, entry.who) for entry in AuditLog(home.engine).all() if "late rows" in entry.command]
    assert acts == [("accept late rows", "Ada"), ("accept late rows revert", "Ada")]
    assert home.incidents.get(one).timeline[-1].data == {"action": "accept_held_rows", "phase": "undone"}


def test_people_keep_consumers_safe_and_take_it_back_from_the_shell(home: BrokenHome) -> None:
    """Held, named in a dry run, released by --undo; nothing is healed on the way, so no pipeline runs."""
    home.land()
    one = home.incident(TOO_LATE).id

    def say(*words: str) -> str:
        done = CliRunner().invoke(cli, ["heal", "--home", str(home.settings.home), *words])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    assert f"Hold orders {home.day} whatever the checks say" in say("--incident", one, "--action", "hold", "--dry-run")
    assert Holds(home.engine).standing() == {}
    assert f"Held: orders {home.day}" in say("--incident", one, "--action", "hold")
    assert Holds(home.engine).standing().keys() == {("orders", home.day)}
    assert json.loads(say("--incident", one, "--undo", "--json")) == {"done": f"Released: orders {home.day}."}
    assert home.incidents.get(one).attempts == 0
    for words, says in (
        (["--undo"], "name it with --incident"),
        (["--undo", "--incident", one, "--dry-run"], "leave out"),
        (["--undo", "--incident", one], "Nothing was done"),
    ):
        refused = CliRunner().invoke(cli, ["heal", "--home", str(home.settings.home), *words])
        assert isinstance(refused.exception, UsageError)
        assert says in str(refused.exception)


def test_an_action_that_does_not_end_is_stopped_and_counts(home: BrokenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for it gets an answer."""
    home.land(without=(2,))
    one = home.incident("bronze_orders__batch_completeness").id

    def dawdle(settings: Settings, incident: Incident, actor: str) -> Done:
        time.sleep(30)
        return Done("", [])

    slow = replace(ACTIONS["re_request_batches"], perform=dawdle)
    monkeypatch.setattr(heal, "action_named", lambda _: slow)
    short = replace(POLICIES["missing_data"], time_limit=timedelta(seconds=0.1))
    monkeypatch.setitem(POLICIES, "missing_data", short)
    with pytest.raises(ActionTimedOutError, match="had not ended"):
        act(home.settings, home.engine, one, later(1), "test")
    incident = home.incidents.get(one)
    assert (incident.state, incident.attempts, incident.acting_since) == (State.CONTAINED, 1, None)
    with within(timedelta(seconds=0.1), "nothing"):
        pass
    time.sleep(0.15)  # the timer is off


@pytest.mark.parametrize("failure_class", list(CLASSES))
def test_with_automation_off_one_command_heals_each_class(landed: BrokenHome, failure_class: str) -> None:
    """Whoever looks at the incident is told it, and nothing stands in its way: not even that no attempt is left."""
    incident = of_class(landed, failure_class)
    off = landed.settings.model_copy(update={"automation": False})
    shown = render_overview(off, incident, later(1))
    by_hand = POLICIES[failure_class].action == "confirm"  # healing changes nothing before a person has mended it
    assert (f"reliability heal --incident {incident.id}" in shown) is not by_hand
    assert ("Only a person can end it: " in shown) is by_hand
    assert obstacle(off, landed.engine, incident, later(1)) is not None
    incident.attempts = POLICIES[failure_class].max_attempts
    assert obstacle(off, landed.engine, incident, later(1), approved=True) is not None
    assert obstacle(off, landed.engine, incident, later(1), decided=True) is None
