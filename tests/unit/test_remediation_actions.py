"""The actions: they ask for what the evidence names, no more, and doing them twice is doing them once."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from reliability_platform.audit_log import AuditLog
from reliability_platform.cli.main import cli
from reliability_platform.incidents.classes import CLASSES, AskFor
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.decisions import approve_shim, read_shim, withdraw_shim
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.remediation.actions import ACTIONS, action_named
from reliability_platform.remediation.actions.re_request import slots_to_request
from reliability_platform.remediation.due import obstacle
from reliability_platform.remediation.evidence import missing_slots, refused_slots, waiting
from reliability_platform.remediation.heal import describe
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.remediation.readings import candidates
from tests.unit.broken_home import BrokenHome, shim_of
from tests.unit.failing import NOW, missing, refused

GAP = "bronze_orders__batch_completeness"
CONTRACT = "bronze_orders__schema_contract"
INTEGRITY = "bronze_orders__file_integrity"
NULLS = "stg_orders__missing_customer_id"
RENAMED = {"customer_id": "user_id"}


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    return BrokenHome(tmp_path)


def perform(home: BrokenHome, incident_id: str) -> tuple[str, int]:
    """Take the policy's action; its words, and how many batches came again."""
    incident = home.incidents.get(incident_id)
    done = action_named(POLICIES[incident.failure_class].action).perform(home.settings, incident, "test")
    return done.summary, len(done.replays)


def test_only_the_missing_slots_are_asked_for(home: BrokenHome) -> None:
    """What is there is not replaced: its rows would become other attempts for nothing."""
    home.land(without=(2, 4))
    incident = home.incident(GAP, facts=missing(2, 4))
    before = home.landed()
    perform(home, incident.id)
    assert home.landed() - before == {"orders-20260105-02-a2", "orders-20260105-04-a2"}
    assert set(home.admit().values()) == {"admitted"}
    assert missing_slots(home.settings, "orders", home.day) == set()


def test_only_the_slots_with_rejected_rows_are_asked_for(home: BrokenHome) -> None:
    """A slot whose bad rows a later attempt has replaced is well again."""
    home.land()
    home.reject([3], superseded=[1])
    incident = home.incident(NULLS)
    assert slots_to_request(home.settings, incident) == {home.day: {3}}


def test_a_null_spike_does_not_ask_for_batches_that_are_missing_for_another_reason(home: BrokenHome) -> None:
    """Each incident heals its own failure; the other one has its own."""
    home.land(without=(2,))
    home.reject([3])
    assert slots_to_request(home.settings, home.incident(NULLS)) == {home.day: {3}}
    assert slots_to_request(home.settings, home.incident(GAP, facts=missing(2))) == {home.day: {2}}


@pytest.mark.parametrize("what", AskFor)
def test_whatever_a_class_may_declare_to_ask_for_can_be_looked_up(
    home: BrokenHome, what: AskFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new entry of the table that re-requesting does not know would break off healing at the first incident."""
    home.land(without=(2,), renamed={4: RENAMED})
    home.reject([3])
    monkeypatch.setitem(CLASSES, "null_spike", replace(CLASSES["null_spike"], asks_for=frozenset({what})))
    wanted = {AskFor.MISSING: {2}, AskFor.REJECTED_ROWS: {3}, AskFor.REFUSED_FOR_COLUMNS: {4}}
    wanted |= {one: {1, 2, 3, 4} for one in (AskFor.EVERYTHING, AskFor.SHIFTED)}
    found = slots_to_request(home.settings, home.incident(NULLS))
    assert found.get(home.day, set()) == wanted.get(what, set())


def test_a_refused_file_is_not_missing(home: BrokenHome) -> None:
    """It is in quarantine and can be replayed; asking for it as well would land it twice."""
    home.land(without=(3,), renamed={2: RENAMED})
    assert missing_slots(home.settings, "orders", home.day) == {3}
    assert refused_slots(home.settings, "orders", home.day, schema=True) == {2}
    assert refused_slots(home.settings, "orders", home.day, schema=False) == set()


def test_asking_twice_before_a_run_writes_nothing_twice(home: BrokenHome) -> None:
    """A run that is retried, or a second incident of the same slot, must not pile up attempts."""
    home.land(without=(2,))
    home.reject([2])
    gap, nulls = home.incident(GAP, facts=missing(2)), home.incident(NULLS)
    assert perform(home, gap.id)[1] == 1
    assert set(waiting(home.settings, "orders", home.day)) == {2}
    before = home.landing_bytes()
    for incident in (gap, nulls):
        words, replays = perform(home, incident.id)
        assert replays == 0
        assert "Asked for before" in words
    assert home.landing_bytes() == before


def test_asking_again_after_a_run_that_did_not_help_is_the_next_attempt(home: BrokenHome) -> None:
    """The source is asked for a third attempt only if it sends something else than before."""
    home.land(renamed={2: RENAMED})
    home.reject([2])
    incident = home.incident(NULLS)
    perform(home, incident.id)
    home.admit()
    words, replays = perform(home, incident.id)
    assert replays == 0
    assert "same content again" in words
    assert "orders-20260105-02-a3" not in home.landed()


def test_a_renamed_file_is_replayed_through_a_shim_by_whoever_has_seen_its_past(with_past: BrokenHome) -> None:
    """The rows came; only their name was wrong. A person sees the column beside its past, and nobody is asked again."""
    home = with_past
    home.land(renamed={2: RENAMED})
    incident = home.incident(CONTRACT, GAP)
    before = home.landing_bytes()
    told = describe(home.settings, incident)
    assert "On a person's approval" in told
    assert "the same in payments for the same order_id 100 % (100 % to 100 % in the past)" in told
    assert "values within their past" in told  # of a personal column nobody sees any
    watched = home.settings.model_copy(update={"attended": True})
    assert "under another name" in (obstacle(watched, home.engine, incident, NOW) or "")
    assert obstacle(watched, home.engine, incident, NOW, approved=True) is None
    words, replays = perform(home, incident.id)
    assert (replays, home.landing_bytes()) == (1, before)
    assert "user_id read as customer_id" in words
    shim = shim_of(home.settings, "orders", "orders-20260105-02")
    assert shim["rename"] == {"user_id": "customer_id"}
    assert incident.id in shim["why"]
    assert "in the past" in shim["why"]
    assert "approved by test" in words
    assert home.admit()["orders-20260105-02"] == "replayed"
    assert {record["state"] for record in quarantined_files(home.settings)} == {"replayed"}
    assert perform(home, incident.id) == (
        f"No refused file waits to be replayed: run {home.day} again from what has landed.",
        0,
    )


def test_without_a_past_no_name_and_no_cast_is_believed(home: BrokenHome) -> None:
    """A similar name, or values that all convert, say nothing about what a column means: the source is asked."""
    home.land(renamed={2: RENAMED}, retyped={3: with_comma})
    incident = home.incident(CONTRACT)
    assert "0 good days of the past are too few" in describe(home.settings, incident)
    assert obstacle(home.settings.model_copy(update={"attended": True}), home.engine, incident, NOW) is None
    words, replays = perform(home, incident.id)
    assert (replays, words.count("not evaluated")) == (2, 2)
    batches = [f"orders-20260105-0{slot}" for slot in (2, 3)]
    assert [read_shim(home.settings, "orders", batch) for batch in batches] == [None, None]
    assert {home.admit()[batch] for batch in batches} == {"superseded"}


def test_a_file_without_a_likely_rename_is_asked_for_again(with_past: BrokenHome) -> None:
    """A column that is gone cannot be read under another name."""
    home = with_past
    home.land(renamed={2: RENAMED}, dropped={3: "customer_id"})
    incident = home.incident(CONTRACT)
    words, replays = perform(home, incident.id)
    assert replays == 2
    assert "orders-20260105-02 (user_id read as customer_id)" in words
    assert "landed orders-20260105-03-a2" in words
    states = home.admit()
    assert (states["orders-20260105-02"], states["orders-20260105-03"]) == ("replayed", "superseded")


def test_after_a_shim_that_did_not_help_the_source_is_asked(home: BrokenHome) -> None:
    """The second attempt must be another one, or it is no attempt."""
    home.land(renamed={2: RENAMED})
    incident = home.incident(CONTRACT)
    incident.attempts = 2
    done = action_named("replay_through_shim").perform(home.settings, incident, "test")
    assert [one.how for one in done.replays] == ["replacement"]


def with_comma(table: pa.Table, spoilt: str | None = None) -> pa.Table:
    """Amounts as a spreadsheet of another country writes them; one of them may be no number at all."""
    texts = [str(amount).replace(".", ",") for amount in table["amount"].to_pylist()]
    texts[-1] = spoilt or texts[-1]
    return table.set_column(table.column_names.index("amount"), "amount", pa.array(texts))


def in_seconds(table: pa.Table) -> pa.Table:
    """Times as seconds since 1970."""
    seconds = pc.divide(pc.cast(table["event_time"], pa.int64()), 1_000_000)
    return table.set_column(table.column_names.index("event_time"), "event_time", seconds)


def test_a_file_of_another_type_is_replayed_through_a_cast_with_every_value(with_past: BrokenHome) -> None:
    """Two columns at once that agree with their past; nobody is asked, though nobody would answer."""
    home = with_past
    batches = home.land(retyped={2: lambda table: in_seconds(with_comma(table))})
    incident = home.incident(CONTRACT, GAP)
    away = home.settings.model_copy(update={"source_url": "http://127.0.0.1:9", "attended": True})
    assert obstacle(away, home.engine, incident, NOW) is None
    assert "amount: number in text with comma" in describe(away, incident)
    [replayed] = action_named("replay_through_shim").perform(away, incident, "test").replays
    assert (replayed.batch_id, replayed.how) == ("orders-20260105-02", "shim")
    shim = shim_of(home.settings, "orders", replayed.batch_id)
    assert shim["casts"] == {"amount": "number_in_text_with_comma", "event_time": "epoch_seconds"}
    assert home.admit()[replayed.batch_id] == "replayed"
    bronze = pq.read_table(bronze_folder(home.settings, "orders", home.day) / f"{replayed.batch_id}.parquet")
    [clean] = [one.table for one in scheduled_batches(home.simulation, "orders", home.day) if one.sequence == 2]
    place = clean.column_names.index("event_time")
    whole = clean.set_column(place, "event_time", pc.floor_temporal(clean["event_time"], unit="second"))
    assert bronze.select(clean.column_names).equals(whole)  # fractions of seconds never came
    assert not clean.schema.equals(batches[1].table.schema)


def test_a_column_of_another_name_and_type_is_read_through_both(with_past: BrokenHome) -> None:
    """One release of the producer, one shim."""
    home = with_past

    def changed(table: pa.Table) -> pa.Table:
        names = ["event_timestamp" if name == "event_time" else name for name in table.column_names]
        return with_comma(in_seconds(table)).rename_columns(names)

    home.land(retyped={2: changed})
    perform(home, home.incident(CONTRACT).id)
    shim = shim_of(home.settings, "orders", "orders-20260105-02")
    assert shim["rename"] == {"event_timestamp": "event_time"}
    assert set(shim["casts"]) == {"amount", "event_time"}
    assert home.admit()["orders-20260105-02"] == "replayed"


def test_a_source_that_sends_the_same_types_again_is_healed_by_shims(with_past: BrokenHome) -> None:
    """Its release stays: asking it again can never help."""
    home = with_past
    home.land(retyped={2: with_comma})
    home.land(without=(1, 3, 4), retyped={2: with_comma}, attempt=2)
    assert home.admit()["orders-20260105-02-a2"] == "quarantined"
    _, replays = perform(home, home.incident(CONTRACT).id)
    assert replays == 2
    assert {home.admit()[name] for name in ("orders-20260105-02", "orders-20260105-02-a2")} == {"replayed"}


def test_a_file_with_one_value_that_cannot_be_cast_is_asked_for_again(home: BrokenHome) -> None:
    """Nobody knows what the producer meant by it, and what it says is not shown."""
    home.land(retyped={2: lambda table: with_comma(table, spoilt="Erika M.")})
    incident = home.incident(CONTRACT)
    words, _ = perform(home, incident.id)
    assert "landed orders-20260105-02-a2" in words
    assert home.admit()["orders-20260105-02"] == "superseded"
    assert "Erika" not in json.dumps(quarantined_files(home.settings), default=str)


def test_a_cast_that_fails_refuses_the_file_again_and_counts(home: BrokenHome) -> None:
    """A shim is approved for what was seen; what lands under it later must fit as exactly."""
    home.land(retyped={2: lambda table: with_comma(table, spoilt="Erika M.")})
    reading = Reading(casts={"amount": "number_in_text_with_comma"})
    for _ in range(2):
        approve_shim(home.settings, "orders", "orders-20260105-02", reading, "test", "because")
    [noted] = AuditLog(home.engine).newest([], None)[0]
    assert (noted.command, noted.what) == (
        "read otherwise",
        "orders-20260105-02: amount by number_in_text_with_comma",
    ), "approved twice, it is approved once"
    assert home.admit()["orders-20260105-02"] == "quarantined"
    [refused] = quarantined_files(home.settings)
    assert refused["reason"] == "schema_type_changed"
    assert json.loads(refused["detail"])["unconverted"] == {"amount": 1}
    assert [withdraw_shim(home.settings, "orders", "orders-20260105-02", "Ada", "wrong") for _ in range(2)] == [
        True,
        False,
    ]
    acts = [(one.command, one.what, one.who) for one in AuditLog(home.engine).all()]
    assert acts[1:] == [("read otherwise revert", "orders-20260105-02", "Ada")]


def test_a_shim_of_an_unknown_cast_is_no_shim(home: BrokenHome) -> None:
    """Whoever edits one by hand is told, its file is not read, and every other file is."""
    home.land(retyped={2: with_comma})
    reading = Reading(casts={"amount": "eval"})
    approve_shim(home.settings, "orders", "orders-20260105-02", reading, "test", "because")
    assert home.admit()["orders-20260105-02"] == "quarantined"
    [refused] = quarantined_files(home.settings)
    assert refused["reason"] == "approval_unreadable"


def test_a_hostile_column_name_is_never_read_as_another_column(home: BrokenHome) -> None:
    """Whatever a producer calls a column, the words of the action are printable and the source is asked again."""
    home.land(renamed={2: {"customer_id": "user_id\n`rm -rf`{{x}}\u202e"}})
    words, _ = perform(home, home.incident(CONTRACT).id)
    assert all(letter.isprintable() for letter in words)
    assert home.admit()["orders-20260105-02"] == "superseded"


def test_a_shim_never_hides_a_column_that_is_there(home: BrokenHome) -> None:
    """A refusal that was tampered with, or a bug in admission, must not swap two columns of the contract."""
    for detail in (
        '{"rename": {"amount": "customer_id"}}',
        '{"rename": {"x": "no_such"}}',
        '{"rename": 3}',
        "no json",
        '{"casts": {"amount": "no_such"}, "changed": {"amount": {}}}',
        '{"casts": {"no_such": "other_number"}, "changed": {"no_such": {}}}',
        '{"casts": {"amount": "other_number"}, "changed": {"amount": {}, "currency": {}}}',
    ):
        records = [record("orders-20260105-02", detail)]
        assert candidates("orders", home.day, records) == []
    assert len(candidates("orders", home.day, [record("orders-20260105-02", '{"rename": {"x": "customer_id"}}')])) == 1


def record(batch_id: str, detail: str) -> dict[str, object]:
    """What admission says of a renamed file."""
    return {
        "batch_id": batch_id,
        "batch_sequence": 2,
        "state": "quarantined",
        "reason": "schema_column_renamed",
        "detail": detail,
    }


def test_a_broken_file_is_asked_for_again_by_its_name_even_without_a_manifest(home: BrokenHome) -> None:
    """A producer that died before it wrote the manifest still said by the file's name which batch it was."""
    home.land(without=(2,))
    home.write_stray_file("orders-20260105-02.parquet")
    incident = home.incident(INTEGRITY, GAP, facts=refused("orders-20260105-02", "no_manifest", 2))
    assert incident.failure_class == "file_corruption"
    perform(home, incident.id)
    assert "orders-20260105-02-a2" in home.landed()


def test_a_file_cut_short_is_replaced_though_its_manifest_promises_the_right_bytes(home: BrokenHome) -> None:
    """What landed counts, not what was declared: else the good batch would pass for one that is there already."""
    home.land()
    home.write_stray_file("orders-20260105-02.parquet")
    incident = home.incident(INTEGRITY, facts=refused("orders-20260105-02", "checksum_mismatch", 2))
    assert perform(home, incident.id)[1] == 1
    assert home.admit()["orders-20260105-02"] == "superseded"


def test_a_stray_file_asks_nobody_for_anything(home: BrokenHome) -> None:
    """The source cannot send again what it never sent."""
    home.land()
    home.write_stray_file("../holiday photos; rm -rf ~.parquet".replace("/", "_"))
    home.write_stray_file("orders-20260105-77.parquet")
    home.write_stray_file("payments-20260105-02.parquet")
    before = home.landing_bytes()
    incident = home.incident(INTEGRITY)
    words, replays = perform(home, incident.id)
    assert words.startswith("There is no batch to ask for again.")
    assert "Only a person can end " in words
    assert replays == 0
    assert home.landing_bytes() == before


@pytest.mark.parametrize("check", [GAP, CONTRACT, NULLS])
def test_saying_what_would_be_done_changes_nothing(home: BrokenHome, check: str) -> None:
    """A dry run that acts is no dry run; one that says something else is none either."""
    home.land(without=(4,), renamed={2: RENAMED})
    home.reject([1])
    incident = home.incident(check)
    before = home.landing_bytes()
    plan = describe(home.settings, incident)
    named = {GAP: "orders-20260105-04", CONTRACT: "orders-20260105-02", NULLS: "orders-20260105-01"}[check]
    assert named in plan
    assert home.landing_bytes() == before
    assert not home.settings.decisions.exists()


def test_every_action_is_of_some_class_or_taken_by_people_alone() -> None:
    """One that is neither is dead, and one that changes what consumers see is taken by somebody who answers for it."""
    by_people = {"purge_personal_data", "hold", "release", "fall_back_to_last_good_publication"}
    assert {policy.action for policy in POLICIES.values()} == ACTIONS.keys() - by_people
    assert all(one.purpose and one.leaves for one in ACTIONS.values())
    assert all(policy.max_attempts >= 1 for policy in POLICIES.values())


def test_the_whole_policy_of_each_class_can_be_read_by_people_and_programs() -> None:
    """What nobody can look up at night is no policy."""
    documents = json.loads(CliRunner().invoke(cli, ["incidents", "classes", "--format", "json"]).output)
    assert [one["name"] for one in documents] == list(CLASSES)
    table = CliRunner().invoke(cli, ["incidents", "classes"]).output
    for one in documents:
        remedy, policy = one["remedy"], POLICIES[one["name"]]
        assert (remedy["max_attempts"], remedy["escalation"]) == (policy.max_attempts, policy.escalation)
        assert remedy["verification"].startswith("what had failed passes on all its days")
        assert all(name.format(source="SOURCE") in remedy["verification"] for name in policy.proof)
        assert min(remedy["backoff_seconds"], remedy["time_limit_seconds"]) > 0
        assert remedy["leaves"]
        assert one["persistence"] in ("transient", "deterministic")
        [row] = [line for line in table.splitlines() if line.startswith(f"| {one['name']} ")]
        assert one["persistence"] in row
        assert policy.escalation in row
    page = CliRunner().invoke(cli, ["incidents", "classes", "data_loss"]).output
    assert "rec_silver__vs__gold__SOURCE" in page
    assert "rows that are gone do not come back by themselves; tried again only after a change" in page
