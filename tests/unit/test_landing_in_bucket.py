"""Landing in a bucket of a real object store: the same tables, nothing half seen, nothing lost with the home or the store."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3fs import S3FileSystem

from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.contracts import CONTRACTS
from reliability_platform.elsewhere import Elsewhere, OvertakenError
from reliability_platform.encryption import AgeKey, is_encrypted, new_key
from reliability_platform.errors import EnvironmentUnusableError, ExitCode
from reliability_platform.lab.clean import clean_sources
from reliability_platform.lab.faults.landed_again import redeliver
from reliability_platform.lab.faults.plan import ActivePlan, PlannedInjection, resolve_injection
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing import working_copy
from reliability_platform.landing.admission import admit
from reliability_platform.landing.attempts import ANY_CONTENT, How, Permission, permit
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.bucket_holder import MARKER, ensure_held
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.correction import Correction
from reliability_platform.landing.corrections import (
    CorrectedBatch,
    Corrections,
    Decided,
    Turn,
    corrected_days,
    read_corrections,
    write_corrections,
)
from reliability_platform.landing.dead_letters import dead_letter_file
from reliability_platform.landing.decisions import (
    Shim,
    accept_late_rows,
    approve_shim,
    late_rows_accepted,
    read_shim,
    withdraw_late_rows,
    withdraw_shim,
)
from reliability_platform.landing.deliveries import deliver
from reliability_platform.landing.discards import FILE, Discard, Discards, read_discards, write_discards
from reliability_platform.landing.file_quarantine import quarantine_folder, quarantined_files
from reliability_platform.landing.manifest import MANIFEST_SUFFIX, Manifest
from reliability_platform.landing.purged import Purged, purged_content, write_purged
from reliability_platform.landing.working_copy import (
    bring_in,
    bring_in_decisions,
    bring_in_every_day,
    forget_day,
    learn_days,
    look_around,
    put_back,
    remove,
)
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import given_identity
from reliability_platform.parquet import read_table
from reliability_platform.recovery.damaged import mend
from reliability_platform.recovery.stores import examine_landing
from reliability_platform.remediation.corrections import revert
from reliability_platform.remediation.dead_letters.discard import discard
from reliability_platform.remediation.dead_letters.letters import Letter
from reliability_platform.remediation.purge import Betraying, Survey, purge
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse import dead_letters
from tests.ground import FIRST
from tests.object_store import KEY, SECRET, ObjectStore
from tests.unit.broken_home import BrokenHome

SOURCE, LEAKY, DAY = "orders", "web_events", BrokenHome.DAY
SIMULATION = Simulation(seed=3, events_per_day=400)
BATCHES = tuple(scheduled_batches(SIMULATION, SOURCE, DAY))


class _How:
    """How the bucket of a test is: readable, or encrypted with a key."""

    key: str | None = None


@pytest.fixture(
    autouse=True, params=[False, pytest.param(True, marks=pytest.mark.exhaustive)], ids=["readable", "encrypted"]
)
def _encrypted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All that is so of a bucket is so of an encrypted one."""
    if request.param:
        file = tmp_path_factory.mktemp("key") / "key"
        file.write_text(new_key())
        _How.key = f"file:{file}"
    yield
    _How.key = None


@pytest.fixture
def home(bucket: str, tmp_path: Path) -> Settings:
    settings = with_landing_at(bucket, tmp_path / "home")
    ensure_held(settings)
    return settings


def with_landing_at(url: str | None, home: Path) -> Settings:
    """A home whose landing is at a URL. All that share one are the same home, on several hosts or come back from a snapshot."""
    settings = load_settings(home).model_copy(update={"landing_url": url, "landing_key": url and _How.key})
    given_identity(settings, "4711")
    operations_engine(settings, begin=True)
    return settings


def land(settings: Settings) -> None:
    """The simulated day."""
    for batch in BATCHES:
        write_batch(settings, batch)


def inside(store: ObjectStore, settings: Settings) -> dict[str, bytes]:
    """Every object of landing, by name."""
    root = str(settings.landing_url).removeprefix("s3://")
    store.system.invalidate_cache()
    found = [path for path in store.system.find(root) if not path.endswith(MARKER)]
    return {path.removeprefix(f"{root}/"): content_of(store.system.cat_file(path)) for path in found if path != root}


def content_of(stored: bytes) -> bytes:
    """What an object holds."""
    if _How.key is None or not is_encrypted(stored):
        return stored
    return AgeKey(_How.key, "RELIABILITY_LANDING_KEY").decrypted_bytes(stored)


def files(settings: Settings, folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by name; not the drafts."""
    found = sorted(one for one in folder.rglob("*") if one.is_file() and not one.name.startswith("."))
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in found}


def test_landing_in_a_bucket_is_what_it_is_in_a_folder(home: Settings, store: ObjectStore, tmp_path: Path) -> None:
    """Byte for byte: the bucket, the copy of it, and the bronze that comes of it."""
    plain = with_landing_at(None, tmp_path / "plain")
    for settings in (plain, home):
        land(settings)
        bring_in(settings, SOURCE, [DAY])
        admit(settings, SOURCE, DAY)
    assert inside(store, home) == files(plain, plain.landing) == files(home, home.landing)
    assert len(inside(store, home)) == 2 * len(BATCHES)
    bronze = files(plain, bronze_folder(plain, SOURCE, DAY))
    assert bronze and files(home, bronze_folder(home, SOURCE, DAY)) == bronze


def test_a_home_that_is_lost_altogether_comes_back_from_the_bucket(home: Settings, tmp_path: Path) -> None:
    land(home)
    admit(home, SOURCE, DAY)
    anew = with_landing_at(home.landing_url, tmp_path / "anew")
    learn_days(anew)
    assert [one.name for one in (anew.landing / SOURCE).iterdir()] == [f"landing_date={DAY}"]
    bring_in(anew, SOURCE, [DAY])
    records = admit(anew, SOURCE, DAY)
    assert {one.status for one in records} == {"admitted"}
    assert files(anew, bronze_folder(anew, SOURCE, DAY)) == files(home, bronze_folder(home, SOURCE, DAY))


class Counting:
    """The file system of a place, and what was asked of it; it dies at the n-th of some calls."""

    def __init__(self, fs: Any, asked: list[str], dies_at: str = "", after: int = 0) -> None:
        self._fs, self._asked, self._dies_at, self._after = fs, asked, dies_at, after

    def __getattr__(self, name: str) -> Any:
        if name == self._dies_at and self._asked.count(name) >= self._after:
            raise KeyboardInterrupt
        self._asked.append(name)
        return getattr(self._fs, name)


def watched(patch: pytest.MonkeyPatch, dies_at: str = "", after: int = 0) -> list[str]:
    """What is asked of places from now on."""
    asked: list[str] = []
    opened = Elsewhere.open
    working_copy._opened.cache_clear()

    def watching(*words: str) -> Elsewhere:
        place = opened(*words)
        return replace(place, fs=Counting(place.fs, asked, dies_at, after))

    patch.setattr(Elsewhere, "open", watching)
    return asked


def test_a_day_costs_three_listings_and_nothing_is_fetched_that_this_home_has_put_there(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them is of what people have decided about the source, of any of its days, one of what was refused."""
    asked = watched(monkeypatch)
    land(home)
    assert asked.count("pipe_file") == 2 * len(BATCHES)
    asked.clear()
    bring_in(home, SOURCE, [DAY])
    bring_in(home, SOURCE, [DAY])
    assert asked.count("ls") == 2 * 3
    assert not {"cat", "cat_file", "info", "pipe_file"} & set(asked)
    anew = with_landing_at(home.landing_url, tmp_path / "anew")
    asked.clear()
    bring_in(anew, SOURCE, [DAY])
    bring_in(anew, SOURCE, [DAY])
    assert (asked.count("ls"), asked.count("cat"), asked.count("cat_file")) == (2 * 3, 1, 0)


@pytest.mark.parametrize("after", [1, *(pytest.param(one, marks=pytest.mark.exhaustive) for one in (0, 2, 3))])
def test_a_home_that_dies_while_it_lands_shows_no_half_of_a_batch(
    after: int, home: Settings, store: ObjectStore, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        watched(patch, "pipe_file", after)
        with pytest.raises(KeyboardInterrupt):
            land(home)
    working_copy._opened.cache_clear()
    there = inside(store, home)
    assert len(there) == after
    for name in [one for one in there if one.endswith(MANIFEST_SUFFIX)]:
        content = there[name.removesuffix(MANIFEST_SUFFIX) + ".parquet"]
        assert json.loads(there[name])["checksum"] == hashlib.sha256(content).hexdigest()
    land(home)
    whole = with_landing_at(None, tmp_path / "whole")
    land(whole)
    assert inside(store, home) == files(whole, whole.landing)


def test_what_a_producer_puts_into_the_bucket_is_seen(home: Settings, store: ObjectStore) -> None:
    land(home)
    other = inside(store, home)
    root = str(home.landing_url).removeprefix("s3://")
    yesterday = DAY - timedelta(days=1)
    store.system.pipe(f"{root}/{SOURCE}/landing_date={yesterday}/theirs.parquet", b"no parquet")
    store.system.pipe(f"{root}/{SOURCE}/landing_date={DAY}/folder/part-0.parquet", b"no parquet")
    now = utc_now()
    look_around(home, {DAY, yesterday}, now)
    assert (landing_folder(home, SOURCE, yesterday) / "theirs.parquet").read_bytes() == b"no parquet"
    reasons = {one.status for one in admit(home, SOURCE, DAY)}
    assert len(admit(home, SOURCE, DAY)) == len(BATCHES) + 1
    assert reasons == {"admitted", "refused"}
    assert other.items() <= inside(store, home).items()
    store.system.pipe(f"{root}/{SOURCE}/landing_date={yesterday}/more.parquet", b"more")
    look_around(home, {DAY, yesterday}, now + timedelta(minutes=1))
    assert not (landing_folder(home, SOURCE, yesterday) / "more.parquet").exists()
    look_around(home, {DAY, yesterday}, now + timedelta(minutes=6))
    assert (landing_folder(home, SOURCE, yesterday) / "more.parquet").exists()


def test_a_file_that_was_changed_in_the_home_is_what_the_bucket_has_again(home: Settings) -> None:
    land(home)
    bring_in(home, SOURCE, [DAY])
    before = files(home, home.landing)
    first, second, *_ = sorted(one for one in landing_folder(home, SOURCE, DAY).iterdir())
    first.write_bytes(b"spoilt")
    second.unlink()
    bring_in(home, SOURCE, [DAY])
    assert files(home, home.landing) == before


def test_what_landed_before_there_was_a_bucket_goes_up(home: Settings, store: ObjectStore) -> None:
    before = with_landing_at(None, home.home)
    land(before)
    (landing_folder(home, SOURCE, DAY) / ".draft.1").write_bytes(b"half")
    bring_in(home, SOURCE, [DAY])
    assert inside(store, home) == files(before, before.landing)


def test_an_object_that_vanishes_is_named_and_put_back_from_the_home(home: Settings, store: ObjectStore) -> None:
    """What nothing else gives back is not removed here because it was removed there."""
    land(home)
    bring_in(home, SOURCE, [DAY])
    whole = inside(store, home)
    gone = f"{SOURCE}/landing_date={DAY}/{BATCHES[0].batch_id}.parquet"
    root = str(home.landing_url).removeprefix("s3://")
    store.system.rm_file(f"{root}/{gone}")
    with pytest.raises(EnvironmentUnusableError) as refused:
        bring_in(home, SOURCE, [DAY])
    assert str(refused.value).startswith(
        f"The place of landing that RELIABILITY_LANDING_URL names has lost {gone}, which this home has: `reliability restore"
    )
    assert [(one.path, one.what) for one in examine_landing(home)] == [(f"landing/{gone}", "is lost in the bucket")]
    done = mend(home, utc_now)
    assert "put back 1 file that a bucket had lost" in done.steps
    assert inside(store, home) == whole
    assert not examine_landing(home)


@pytest.mark.exhaustive  # 6 s
def test_a_home_goes_to_another_bucket(home: Settings, store: ObjectStore) -> None:
    land(home)
    bring_in(home, SOURCE, [DAY])
    moved = with_landing_at(f"{home.landing_url}-moved", home.home)
    assert mend(moved, utc_now).steps[0] == f"put back {2 * len(BATCHES)} files that a bucket had lost"
    assert inside(store, moved) == inside(store, home)


def test_what_was_removed_on_purpose_is_removed_in_both(home: Settings, store: ObjectStore) -> None:
    """As the purge does it with a file of texts that it replaces; and as the lab does with a day that lands anew."""
    land(home)
    bring_in(home, SOURCE, [DAY])
    gone = landing_folder(home, SOURCE, DAY) / f"{BATCHES[0].batch_id}.parquet"
    remove(home, gone)
    bring_in(home, SOURCE, [DAY])
    assert not gone.exists()
    assert len(inside(store, home)) == 2 * len(BATCHES) - 1
    forget_day(home, SOURCE, DAY)
    assert inside(store, home) == {}


def test_a_purge_masks_what_the_bucket_has(home: Settings, store: ObjectStore) -> None:
    """Nothing of it may be brought back from there."""
    mail = "erika.4711@mail.example.com"
    batch = next(iter(scheduled_batches(SIMULATION, LEAKY, DAY)))
    payload = batch.table.column_names.index("payload")
    texts = pa.array([f'{{"search": "{mail}"}}'] * batch.table.num_rows, batch.table.schema.field("payload").type)
    table = batch.table.set_column(payload, "payload", texts)
    write_batch(home, replace(batch, table=table))
    bring_in(home, LEAKY, [DAY])
    found = Survey(LEAKY, DAY, survey_of(home), ())
    assert [one.layer for one in found.files] == ["landing"]
    purge(home, operations_engine(home), found, "because", "test", utc_now())
    bring_in(home, LEAKY, [DAY])
    [there] = [content for name, content in inside(store, home).items() if name.endswith(".parquet")]
    assert there == (landing_folder(home, LEAKY, DAY) / f"{batch.batch_id}.parquet").read_bytes()
    assert mail not in str(pq.read_table(pa.BufferReader(there))["payload"].to_pylist())
    assert {one.status for one in admit(home, LEAKY, DAY)} == {"admitted"}


def survey_of(home: Settings) -> tuple[Betraying, ...]:
    """The files of the day that a purge would mask; without a warehouse, which says which rows still wait."""
    found = [
        Betraying("landing", path.stem, path, masked[1])
        for path in sorted(landing_folder(home, LEAKY, DAY).glob("*.parquet"))
        if (masked := purged_content(CONTRACTS[LEAKY], path, set())) is not None and masked[1]
    ]
    return tuple(found)


@pytest.mark.exhaustive  # 9 s
def test_a_fault_lets_a_day_of_the_bucket_land_anew(home: Settings, store: ObjectStore) -> None:
    """What had landed is gone from there as well: the lab knows what has been broken, and nothing else is left of it."""
    SIMULATION.save(home)
    clean = clean_sources(home)[SOURCE]
    deliver(home, operations_engine(home), clean, [DAY])
    bring_in(home, SOURCE, [DAY])
    before = inside(store, home)
    injection = PlannedInjection(fault="null_spike", source=SOURCE, date=DAY, magnitude="medium")
    plan = ActivePlan(3, ()).with_injection(resolve_injection(injection, FIRST, date.max))
    redeliver(home, plan, clean, DAY)
    bring_in(home, SOURCE, [DAY])
    assert inside(store, home) == files(home, home.landing)
    assert inside(store, home) != before
    redeliver(home, ActivePlan(3, ()), clean, DAY)
    bring_in(home, SOURCE, [DAY])
    assert inside(store, home) == files(home, home.landing) == before


def test_of_two_homes_that_land_the_same_batch_otherwise_one_is_refused(home: Settings, tmp_path: Path) -> None:
    other = with_landing_at(home.landing_url, tmp_path / "other")
    batch = BATCHES[0]
    write_batch(home, batch)
    write_batch(other, batch)  # the same bytes are no contradiction
    changed = replace(batch, declared_rows=700)
    write_batch(other, changed)  # over what it knows
    with pytest.raises(OvertakenError, match="names was written to by another process just now: try again"):
        write_batch(home, replace(batch, declared_rows=800))
    bring_in(home, SOURCE, [DAY])
    manifest = Manifest.read(landing_folder(home, SOURCE, DAY) / f"{batch.batch_id}{MANIFEST_SUFFIX}")
    assert manifest.expected_rows == changed.declared_rows


@pytest.mark.parametrize("command", ["demo", "campaign"])
def test_the_lab_does_not_fill_a_bucket(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trials by the dozen, each in a home of its own, would land on each other in one place."""
    monkeypatch.setenv("RELIABILITY_LANDING_URL", "s3://nobody/landing")
    SIMULATION.save(load_settings(tmp_path / "home"))
    with pytest.raises(SystemExit) as ended:
        main([command, "--home", str(tmp_path / "home")])
    assert ended.value.code == ExitCode.USAGE
    assert "does not land in the bucket that RELIABILITY_LANDING_URL names" in capsys.readouterr().err


REFUSALS = {
    "a wrong key": ({"AWS_SECRET_ACCESS_KEY": "hunter3"}, "", "names refuses access (PermissionError)"),
    "a dead endpoint": (
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        "",
        "names cannot be used (EndpointConnectionError)",
    ),
    "a missing bucket": ({}, "s3://nobody/landing", "names has no such bucket"),
    "no driver": ({}, "nowhere://x", "RELIABILITY_LANDING_URL names a place that cannot be reached"),
    "no protocol": ({}, "nobody/landing", "begin it with / for a folder of this machine, with s3://"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_place_that_refuses_is_one_line_and_an_exit_code(
    what: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is lost by it: the same command works once the place does."""
    environment, url, words = REFUSALS[what]
    home = tmp_path / "home"
    SIMULATION.save(load_settings(home))
    monkeypatch.setenv("RELIABILITY_LANDING_URL", url or bucket)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        S3FileSystem.clear_instance_cache()
        working_copy._opened.cache_clear()
        with pytest.raises(SystemExit) as ended:
            main(["backfill", "--from", str(DAY), "--to", str(DAY), "--home", str(home)])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == (ExitCode.USAGE if what in ("no driver", "no protocol") else ExitCode.ENVIRONMENT), said
    assert words in said
    assert "\n" not in said
    assert SECRET not in said and KEY not in said
    S3FileSystem.clear_instance_cache()
    working_copy._opened.cache_clear()
    settings = with_landing_at(bucket, home)
    land(settings)
    bring_in(settings, SOURCE, [DAY])


# What was refused


def refused(home: Settings) -> None:
    """A file that is refused, and sent again as it should be under its name; and a row that was rejected once."""
    land(home)
    batch = BATCHES[1]
    write_batch(home, replace(batch, table=batch.table.drop_columns(["customer_id"])))
    admit(home, SOURCE, DAY)
    write_batch(home, batch)
    admit(home, SOURCE, DAY)
    dead_letters._append(home, SOURCE, DAY, LETTERS)


def test_what_was_refused_survives_a_lost_home(home: Settings, tmp_path: Path) -> None:
    """Bytes that the source has replaced since are in no other place, and neither is a row that would pass today."""
    refused(home)
    [before] = quarantined_files(home)
    assert before["state"] == "superseded"
    anew = with_landing_at(home.landing_url, tmp_path / "anew")
    bring_in(anew, SOURCE, [DAY])
    admit(anew, SOURCE, DAY)
    assert quarantined_files(anew) == [before]
    folder = quarantine_folder(home, SOURCE, DAY)
    assert len(files(home, folder)) == 3
    assert files(anew, quarantine_folder(anew, SOURCE, DAY)) == files(home, folder)
    assert read_table(dead_letter_file(anew, SOURCE, DAY), schema=dead_letters.SCHEMA).equals(LETTERS)
    assert examine_landing(anew) == []


@pytest.mark.parametrize("after", [1, *(pytest.param(one, marks=pytest.mark.exhaustive) for one in (0, 2))])
def test_a_home_that_dies_while_it_refuses_a_file_leaves_no_reason_without_the_file(
    after: int, home: Settings, store: ObjectStore, tmp_path: Path
) -> None:
    write_batch(home, replace(BATCHES[1], table=BATCHES[1].table.drop_columns(["customer_id"])))
    bring_in(home, SOURCE, [DAY])
    with pytest.MonkeyPatch.context() as patch:
        watched(patch, "pipe_file", after)
        with pytest.raises(KeyboardInterrupt) if after < 2 else nullcontext():
            admit(home, SOURCE, DAY)
    working_copy._opened.cache_clear()
    there = sorted(name.rpartition(".")[2] for name in inside(store, home) if name.startswith("_quarantine/"))
    assert there == [[], ["parquet"], ["json", "parquet"]][after], "the reason comes last"
    admit(home, SOURCE, DAY)
    anew = with_landing_at(home.landing_url, tmp_path / "anew")
    bring_in(anew, SOURCE, [DAY])
    folders = [quarantine_folder(one, SOURCE, DAY) for one in (home, anew)]
    assert len(files(home, folders[0])) == 2
    assert files(home, folders[0]) == files(anew, folders[1])


@pytest.mark.exhaustive  # 3 s; the same is shown of landing
def test_what_was_refused_and_the_bucket_has_lost_is_put_back(home: Settings, store: ObjectStore) -> None:
    refused(home)
    bring_in(home, SOURCE, [DAY])
    whole = inside(store, home)
    store.system.rm(f"{str(home.landing_url).removeprefix('s3://')}/_quarantine", recursive=True)
    with pytest.raises(EnvironmentUnusableError, match="has lost orders/landing_date="):
        bring_in(home, SOURCE, [DAY])
    lost = bring_in_every_day(home)
    assert len(lost) == 3 and all(one.startswith("quarantine/") for one in lost)
    put_back(home, [home.home / one for one in lost])
    assert inside(store, home) == whole


# What people have decided

LETTERS = pa.Table.from_pylist(
    [
        {
            "source": SOURCE,
            "landing_date": DAY,
            "batch_id": BATCHES[0].batch_id,
            "row_number": 3,
            "reject_reasons": "null_in_required",
            "attempts": 1,
        }
    ],
    dead_letters.SCHEMA,
)
RENAMED = Reading({"user_id": "customer_id"})
SHIM, LATE = f"{SOURCE}/{BATCHES[1].batch_id}.json", f"{SOURCE}/{SOURCE}-{DAY:%Y%m%d}-late.json"
CENTS = Correction(SOURCE, "amount", "multiply", ("100",))
LETTER = Discard(SOURCE, DAY, BATCHES[2].batch_id, FILE, "schema_column_missing", "f" * 64, 7)


def decide(home: Settings) -> None:
    """One decision of each kind."""
    engine = operations_engine(home)
    approve_shim(home, SOURCE, BATCHES[1].batch_id, RENAMED, "ann", "the past bears it out")
    accept_late_rows(home, SOURCE, DAY, "ann", "INC-0001")
    permit(home, SOURCE, DAY, Permission(f"{BATCHES[0].batch_id}-a2", ANY_CONTENT, How.REQUESTED, "ann", "asked"))
    write_purged(home, SOURCE, DAY, Purged(BATCHES[0].batch_id, "a" * 64, "b" * 64, 3, "ann", "a mail"))
    give_up(home, LETTER)
    batch = CorrectedBatch(DAY, BATCHES[0].batch_id, "a" * 64, 3)
    Corrections(engine).record(Decided(CENTS, (batch,)), Turn.APPLIED, "cents", "ann", utc_now())
    write_corrections(home, engine, SOURCE, [DAY])


def give_up(home: Settings, letter: Discard) -> None:
    """A dead letter."""
    Discards(operations_engine(home)).record([letter], "beyond repair", "ann", utc_now())
    write_discards(home, operations_engine(home), SOURCE, [DAY])


def decided(store: ObjectStore, home: Settings) -> dict[str, bytes]:
    """The objects of decisions, by name."""
    found = {name: content for name, content in inside(store, home).items() if name.startswith("_decisions/")}
    return {name.removeprefix("_decisions/"): content for name, content in found.items()}


def test_decisions_lie_in_the_bucket_and_come_back_to_a_home_that_knows_nothing(
    home: Settings, store: ObjectStore, tmp_path: Path
) -> None:
    """Also after its own tables, which are empty, have been written into files; and with decisions of its own."""
    decide(home)
    assert len(decided(store, home)) == 6
    assert decided(store, home) == files(home, home.decisions)
    anew = with_landing_at(home.landing_url, tmp_path / "anew")
    bring_in(anew, SOURCE, [DAY])
    write_discards(anew, operations_engine(anew), SOURCE, [DAY])
    write_corrections(anew, operations_engine(anew), SOURCE, [DAY])
    assert files(anew, anew.decisions) == files(home, home.decisions) == decided(store, home)
    give_up(anew, replace(LETTER, batch_id=BATCHES[3].batch_id))
    assert {batch for batch, _ in read_discards(anew, SOURCE, DAY).files} == {BATCHES[2].batch_id, BATCHES[3].batch_id}
    other = Decided(replace(CENTS, arguments=("2",)), (CorrectedBatch(DAY, BATCHES[1].batch_id, "c" * 64, 1),))
    Corrections(operations_engine(anew)).record(other, Turn.APPLIED, "twice", "ann", utc_now())
    write_corrections(anew, operations_engine(anew), SOURCE, [DAY])
    first, second = read_corrections(anew, SOURCE, DAY)
    assert (first.correction, second.correction) == (CENTS, other.correction)
    assert first.place < second.place
    Corrections(operations_engine(anew)).record(other, Turn.REVERTED, "no", "ann", utc_now())
    write_corrections(anew, operations_engine(anew), SOURCE, [DAY])
    assert read_corrections(anew, SOURCE, DAY) == [first]


def test_who_corrected_rows_and_why_travels_with_the_bucket_and_the_next_home_takes_it_back(
    home: Settings, tmp_path: Path
) -> None:
    """A correction that nobody could list could not be reverted; one that a snapshot still has in force is not applied again."""
    decide(home)
    [before] = Corrections(operations_engine(home)).all()
    anew = with_landing_at(home.landing_url, tmp_path / "anew")
    engine = operations_engine(anew)
    bring_in(anew, SOURCE, [DAY])
    write_corrections(anew, engine, SOURCE, [DAY])
    assert Corrections(engine).all() == [before]
    assert (before.who, before.why, before.rows) == ("ann", "cents", 3)
    assert revert(anew, engine, Corrections(engine).named(before.id), "no cents", "bob", utc_now())
    assert read_corrections(anew, SOURCE, DAY) == corrected_days(anew, SOURCE) == []
    bring_in_decisions(home, [SOURCE])
    write_corrections(home, operations_engine(home), SOURCE, [DAY])
    [after] = Corrections(operations_engine(home)).all()
    assert (after.turn, after.who, after.why, after.number) == (Turn.REVERTED, "bob", "no cents", 2)
    assert read_corrections(home, SOURCE, DAY) == []


def test_who_gave_up_dead_letters_and_why_travels_with_the_bucket(home: Settings, tmp_path: Path) -> None:
    give_up(home, LETTER)
    before = Discards(operations_engine(home)).of(SOURCE, [DAY])
    anew = with_landing_at(home.landing_url, tmp_path / "anew")
    bring_in(anew, SOURCE, [DAY])
    write_discards(anew, operations_engine(anew), SOURCE, [DAY])
    assert Discards(operations_engine(anew)).of(SOURCE, [DAY]) == before
    assert before[0].who and before[0].why and before[0].rows == LETTER.rows


IMPOSSIBLE = {
    "without who": {"who": None, "discarded_at": None},
    "a moment without its zone": {"discarded_at": "2026-01-02T03:04:05"},
    "a moment outside of the calendar": {"discarded_at": "0001-01-01T00:00:00+14:00"},
    "too many rows": {"rows": 2**40},
    "no number": {"rows": "seven"},
    "another kind": {"what": "everything"},
    "a name that nothing can be called": {"batch_id": "\ud800" + "x" * 10},
    "a name that is too long": {"batch_id": "x" * 201},
    "a list for a name": {"fingerprint": ["f"]},
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_a_discard_that_cannot_be_is_not_taken_in_and_nothing_else_is_lost_by_it(home: Settings, what: str) -> None:
    """A file in a bucket is what anybody who may write there says."""
    give_up(home, LETTER)
    engine = operations_engine(home)
    [path] = home.decisions.glob(f"{SOURCE}/*-discarded.json")
    [whole] = json.loads(path.read_text())
    hostile = whole | {"batch_id": "another"} | IMPOSSIBLE[what]
    working_copy.write(home, path, json.dumps([hostile, whole, "no decision"]).encode())
    write_discards(home, engine, SOURCE, [DAY])
    assert [one.batch_id for one in Discards(engine).of(SOURCE, [DAY])] == [LETTER.batch_id]
    assert whole in json.loads(path.read_text())


@pytest.mark.exhaustive  # 5 s
def test_a_decision_that_is_withdrawn_in_one_home_is_gone_in_the_other_and_can_be_taken_anew(
    home: Settings, store: ObjectStore, tmp_path: Path
) -> None:
    other = with_landing_at(home.landing_url, tmp_path / "other")
    land(home)
    decide(home)
    bring_in(other, SOURCE, [DAY])
    admit(other, SOURCE, DAY)
    assert withdraw_shim(home, SOURCE, BATCHES[1].batch_id, "bob", "wrong")
    assert withdraw_late_rows(home, SOURCE, DAY, "bob", "INC-0001")
    bring_in(other, SOURCE, [DAY])
    assert read_shim(other, SOURCE, BATCHES[1].batch_id) is None
    assert not late_rows_accepted(other, SOURCE, DAY)
    assert examine_landing(other) == []
    approve_shim(other, SOURCE, BATCHES[1].batch_id, RENAMED, "bob", "right after all")
    bring_in_decisions(home, [SOURCE])
    assert read_shim(home, SOURCE, BATCHES[1].batch_id) == Shim(RENAMED, "bob", "right after all")
    assert decided(store, home)[LATE] == b""


def test_of_two_who_decide_otherwise_at_once_one_is_refused(home: Settings, tmp_path: Path) -> None:
    other = with_landing_at(home.landing_url, tmp_path / "other")
    approve_shim(home, SOURCE, BATCHES[1].batch_id, RENAMED, "ann", "because")
    with pytest.raises(OvertakenError):
        approve_shim(other, SOURCE, BATCHES[1].batch_id, Reading({"buyer": "customer_id"}), "bob", "because")
    assert read_shim(other, SOURCE, BATCHES[1].batch_id) is None


def test_who_dies_between_bucket_and_home_leaves_a_decision_whole_or_none(
    home: Settings, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = working_copy._put

    def putting(*words: Any) -> None:
        put(*words)
        raise KeyboardInterrupt

    for what, is_in_force in ((accept_late_rows, True), (withdraw_late_rows, False)):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(working_copy, "_put", putting)
            what(home, SOURCE, DAY, "ann", "INC-0001")
        bring_in_decisions(home, [SOURCE])
        assert late_rows_accepted(home, SOURCE, DAY) is is_in_force
        assert bool(decided(store, home)[LATE]) is is_in_force
        what(home, SOURCE, DAY, "ann", "INC-0001")
        assert late_rows_accepted(home, SOURCE, DAY) is is_in_force


def test_a_decision_that_the_bucket_has_lost_is_named_and_put_back(home: Settings, store: ObjectStore) -> None:
    """A rule for old objects must not withdraw what people have decided."""
    approve_shim(home, SOURCE, BATCHES[1].batch_id, RENAMED, "ann", "because")
    bring_in_decisions(home, [SOURCE])
    whole = decided(store, home)
    store.system.rm_file(f"{str(home.landing_url).removeprefix('s3://')}/_decisions/{SHIM}")
    with pytest.raises(EnvironmentUnusableError, match="The place of decisions that RELIABILITY_LANDING_URL names has"):
        bring_in_decisions(home, [SOURCE])
    assert [(one.store, one.path) for one in examine_landing(home)] == [("decisions", f"decisions/{SHIM}")]
    assert mend(home, utc_now).steps[0] == "put back 1 file that a bucket had lost"
    assert decided(store, home) == whole == files(home, home.decisions)


def test_while_the_store_is_away_nothing_is_decided(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables of the home say no more than the bucket does."""
    engine = operations_engine(home)
    letter = Letter(SOURCE, DAY, LETTER.batch_id, FILE, 7, LETTER.reasons, LETTER.fingerprint, "", None, "")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        S3FileSystem.clear_instance_cache()
        working_copy._opened.cache_clear()
        with pytest.raises(EnvironmentUnusableError, match="cannot be used") as said:
            discard(home, engine, [letter], "beyond repair", "ann", utc_now())
        assert said.value.exit_code is ExitCode.ENVIRONMENT and "\n" not in str(said.value)
        with pytest.raises(EnvironmentUnusableError, match="cannot be used"):
            accept_late_rows(home, SOURCE, DAY, "ann", "INC-0001")
    S3FileSystem.clear_instance_cache()
    working_copy._opened.cache_clear()
    assert Discards(engine).of(SOURCE, [DAY]) == []
    assert files(home, home.decisions) == {}
