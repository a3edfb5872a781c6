"""What a recording is bound to, and what it delivers; the whole way is in `tests/scenarios/test_recording.py`."""

import json
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from reliability_platform.clock import FIRST_DAY
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.servers import FILES, Server
from reliability_platform.damage import sha256_of
from reliability_platform.errors import UsageError
from reliability_platform.lab.campaign.derived_plan import HISTORY, derived_plan
from reliability_platform.lab.campaign.grid import HISTORY_DAYS, lanes, scenarios_of, trials_of
from reliability_platform.lab.campaign.kills import _plan
from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS, fault_named
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.plan import check_together
from reliability_platform.lab.faults.rows import event_dates
from reliability_platform.lab.recordings.recording import (
    RecordedSource,
    Recording,
    _as_delivered,
    fingerprint_of,
    seal_of,
)
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import simulated_sources
from reliability_platform.landing.canonical import canonical
from reliability_platform.settings import load_settings
from reliability_platform.sources.endpoint import endpoints_of
from reliability_platform.sources.source import is_picked_up, kind_of

ORDERS = CONTRACTS["orders"]


@dataclass(frozen=True)
class Later(Contract):
    """A contract of a later release, which can say more."""

    more: str = ""


def test_a_recording_stays_what_it_is_until_its_contract_says_something_else_of_the_rows() -> None:
    """A release that added a field to contracts made every recording useless; another description had, too."""
    said = fingerprint_of(ORDERS)
    assert fingerprint_of(replace(ORDERS, description="Other words.", owner="somebody@example.com")) == said
    assert fingerprint_of(Later(**{one.name: getattr(ORDERS, one.name) for one in fields(ORDERS)})) == said
    assert fingerprint_of(replace(ORDERS, columns=ORDERS.columns[:-1])) != said
    assert fingerprint_of(replace(ORDERS, deadline_minutes=61)) != said


def test_recorded_moments_of_a_zone_are_not_moved_again() -> None:
    """They are recorded in UTC; admission reads what names no zone in the one that the contract declares."""
    zoned = replace(
        ORDERS,
        columns=tuple(replace(one, zone="Asia/Tokyo") if one.name == "event_time" else one for one in ORDERS.columns),
    )
    moments = pa.table({"event_time": pa.array([1_700_000_000_000_000], pa.timestamp("us"))})
    assert canonical(moments, zoned)["event_time"] != moments["event_time"]
    assert canonical(_as_delivered(zoned, moments), zoned)["event_time"] == moments["event_time"]


def test_what_is_no_recording_is_said_in_one_line(tmp_path: Path) -> None:
    """An empty folder, a day before its first."""
    with pytest.raises(UsageError, match=r"^\S+ is no recording: `reliability lab record` makes one\.$"):
        Recording.open(tmp_path)
    source = RecordedSource(Recording(tmp_path, date(2026, 1, 1), date(2026, 1, 2), ""), "orders")
    with pytest.raises(UsageError, match="Nothing of 2026-01-03 is recorded"):
        source.deliver(date(2026, 1, 3))


def test_a_home_of_the_lab_asks_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real source behind HTTP would have been asked for what the lab has broken; what producers put somewhere would have
    been taken in beside it."""
    monkeypatch.setenv("RELIABILITY_SOURCE_URL", "http://127.0.0.1:9")
    home = load_settings(tmp_path)
    assert ([one.url for one in endpoints_of(home, "orders")], kind_of(home, "orders")) == (
        ["http://127.0.0.1:9"],
        "simulated",
    )
    monkeypatch.setitem(
        CONTRACTS, "orders", replace(ORDERS, kind="drop", servers=(Server(FILES, "/deliveries/orders-*.csv"),))
    )
    assert is_picked_up(home, "orders")
    home.recording.mkdir()
    assert (endpoints_of(home, "orders"), kind_of(home, "orders"), is_picked_up(home, "orders")) == (
        (),
        "recorded",
        False,
    )


def test_event_dates_are_those_of_the_calendar_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flight of the evening in New York is of that day, which is the day before in UTC."""
    evening = pa.table({"event_time": pa.array([datetime(2013, 1, 2, 3)], pa.timestamp("us"))})
    assert event_dates("orders", [evening]) == [date(2013, 1, 2)]
    monkeypatch.setitem(CONTRACTS, "orders", replace(ORDERS, day_zone="America/New_York"))
    assert event_dates("orders", [evening]) == [date(2013, 1, 1)]


def simulated_recording(folder: Path, days: int) -> Recording:
    """What the simulation delivers on so many days from its first one on, a few rows each, as recorded."""
    batches, files = [], {}
    for name, source in simulated_sources(Simulation(3, 300)).items():
        for batch in (one for number in range(days) for one in source.deliver(FIRST_DAY + timedelta(days=number))):
            path = folder / f"{batch.batch_id}.parquet"
            write_table(batch.table.cast(CONTRACTS[name].arrow_schema), path)
            files[path.name] = sha256_of(path)
            told = {"source": name, "landing_date": str(batch.landing_date), "sequence": batch.sequence}
            moments = {one: getattr(batch, one).isoformat() for one in ("produced_at", "landed_at")}
            batches.append({**told, **moments, "rows": batch.table.num_rows, "file": path.name})
    document = {"first": str(FIRST_DAY), "last": str(FIRST_DAY + timedelta(days=days - 1)), "batches": batches}
    document |= {"files": files, "contracts": {name: fingerprint_of(one) for name, one in CONTRACTS.items()}}
    (folder / "recording.json").write_text(json.dumps({**document, "seal": seal_of(document)}))
    return Recording.open(folder)


def test_a_plan_follows_from_the_contracts_and_the_recorded_days(tmp_path: Path) -> None:
    """Each fault that applies is injected once or said to have no room; faults on one lane keep apart, and what only the
    past can tell has one that nothing hits."""
    recording = simulated_recording(tmp_path, 40)
    derived = derived_plan(recording, 7, 40)
    assert derived == derived_plan(recording, 7, 40)
    named = [one.fault for one in derived.injections]
    ruled = {name for name, fault in CATALOGUE.items() if fault.expected_class != "profile_anomaly"}
    assert len(named) == len(set(named))
    assert set(named) | set(derived.left_out) == ruled
    assert not set(named) & set(derived.left_out)
    assert len(named) > 30
    check_together(derived.injections)
    for lane in lanes():
        hit = [
            one for one in derived.injections if one.source in lane and fault_named(one.fault).stage is Stage.LANDING
        ]
        touched = [day for one in hit for day in one.landing_dates()]
        assert len(touched) == len(set(touched))
        # A source that is asked for a day anew sends its first attempt: a second one that had healed it is gone then.
        live = [one for one in derived.injections if one.source in lane and one not in hit]
        assert not {one.landing_date for one in live} & set(touched)
        assert all(recording.first < day <= recording.last for day in touched)
        for one in hit:
            if one.fault in ("volume_drop", "volume_spike", "unit_change", "hot_partition_skew"):
                clean = (one.landing_date - recording.first).days - sum(day < one.landing_date for day in touched)
                assert clean >= HISTORY
            # What it delivers again came as it was: with another content it would be no redelivery.
            read = timedelta(days=fault_named(one.fault).days_read)
            assert not read or one.landing_date - read not in touched
    short = derived_plan(recording, 7, 6)
    assert 0 < len(short.injections) < len(named)
    assert "no room" in short.left_out["volume_drop"]
    assert max(day for one in short.injections for day in one.landing_dates()) <= FIRST_DAY + timedelta(days=5)


def test_kills_find_something_to_hit_in_any_recording(tmp_path: Path) -> None:
    """They named sources of the shop. Two faults of one source come on days after each other."""
    recording = simulated_recording(tmp_path, 5)
    assert len(_plan(7, recording).scenarios) == 3
    assert _plan(7, recording).days <= 5
    with pytest.raises(UsageError, match="record more"):
        _plan(7, simulated_recording(tmp_path, 2))


def a_recording(folder: Path, days: int, empty: int) -> Recording:
    """One of so many days of all sources, of which one has no rows; without its files."""
    first = date(2019, 3, 1)
    batches = [
        {"source": source, "landing_date": str(first + timedelta(days=number)), "rows": int(number != empty)}
        for source in CONTRACTS
        for number in range(days)
    ]
    document = {"first": str(first), "last": str(first + timedelta(days=days - 1)), "batches": batches, "files": {}}
    document |= {"contracts": {name: fingerprint_of(contract) for name, contract in CONTRACTS.items()}}
    (folder / "recording.json").write_text(json.dumps({**document, "seal": seal_of(document)}))
    return Recording.open(folder)


def test_a_campaign_on_a_recording_stays_within_its_days(tmp_path: Path) -> None:
    """It began on the platform's first day, and broke off on a day on which nothing had been delivered."""
    empty = HISTORY_DAYS + 1
    recording = a_recording(tmp_path, 40, empty)
    plans = trials_of(scenarios_of("quick", 1), recording)
    assert {one.fault for plan in plans for one in plan.scenarios} == set(CATALOGUE) | set(CONTROLS)
    for plan in plans:
        assert (plan.first_day, plan.first_day + timedelta(days=plan.days - 1) <= recording.last) == (
            recording.first,
            True,
        )
        for one in plan.scenarios if not plan.is_live else ():
            touched = [one.first_day + timedelta(days=offset) for offset in range(one.span)]
            assert recording.first + timedelta(days=HISTORY_DAYS) <= touched[0] <= touched[-1] <= recording.last
            assert recording.first + timedelta(days=empty) not in touched
    second, full = recording.first + timedelta(days=30), {one.fault for plan in plans for one in plan.scenarios}
    picky = trials_of(
        scenarios_of("quick", 1),
        recording,
        lambda one: one.fault != "unknown_enum" and (one.fault != "category_shift" or one.first_day >= second),
    )
    found = {one.fault: one.first_day for plan in picky for one in plan.scenarios}
    assert (full - found.keys(), found["category_shift"] >= second) == ({"unknown_enum"}, True)
    with pytest.raises(
        UsageError, match=r"^\w+ finds no day of \w+ after the 21 to compare with, of 25 days in all: record more"
    ):
        trials_of(scenarios_of("quick", 1), a_recording(tmp_path, 25, empty))
