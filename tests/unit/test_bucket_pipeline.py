"""The whole pipeline with landing in a bucket of a real object store: what is published is what it would be without, whoever dies."""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dagster import instance_for_test
from s3fs import S3FileSystem

from reliability_platform import elsewhere
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.elsewhere import Elsewhere
from reliability_platform.encryption import AgeKey, is_encrypted, new_key
from reliability_platform.errors import EnvironmentUnusableError, ExitCode
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing import working_copy
from reliability_platform.landing.bucket_holder import MARKER, take_over
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.correction import Correction
from reliability_platform.landing.corrections import Corrections
from reliability_platform.landing.decisions import accept_late_rows, approve_shim, withdraw_shim
from reliability_platform.landing.discards import Discards
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.landing.manifest import MANIFEST_SUFFIX
from reliability_platform.landing.working_copy import LOOK_EVERY
from reliability_platform.landing.writer import write_batch
from reliability_platform.pipeline import steps
from reliability_platform.pipeline.run import reprocess
from reliability_platform.remediation.corrections import apply, survey
from reliability_platform.remediation.dead_letters.discard import discard
from reliability_platform.remediation.dead_letters.letters import Selection, waiting_letters
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.published_copy import copy_published
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import EVENTS, Platform, day, days
from tests.object_store import BUCKET, KEY, SECRET, ObjectStore, object_store
from tests.orchestration.test_landing_sensor import YESTERDAY
from tests.orchestration.test_landing_sensor import Home as Watched
from tests.torture.killing import NEVER, choose, start

pytestmark = pytest.mark.exhaustive
SIMULATION = Simulation(seed=5, events_per_day=200)
LANDED = (day(1), day(2))
KILLS = 6
LATE = "payments"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as one:
        yield one


class Keys(pytest.MonkeyPatch):
    """Whoever names a bucket has its key."""

    landing: str | None = None

    def setenv(self, name: str, value: str, prepend: str | None = None) -> None:
        super().setenv(name, value, prepend)
        if name == "RELIABILITY_LANDING_URL" and self.landing is not None:
            super().setenv("RELIABILITY_LANDING_KEY", self.landing)


@pytest.fixture(params=["readable", "encrypted"])
def keys(request: pytest.FixtureRequest, store: ObjectStore, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """Those of the store, in the environment; of an encrypted bucket its own as well. The store is empty."""
    for path in store.system.ls(BUCKET):
        store.system.rm(path, recursive=True)
    patch = Keys()
    if request.param == "encrypted":
        (tmp_path / "landing.key").write_text(new_key())
        patch.landing = f"file:{tmp_path / 'landing.key'}"
    patch.setenv("AWS_ENDPOINT_URL", store.url)
    patch.setenv("AWS_ACCESS_KEY_ID", KEY)
    patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    yield patch
    patch.undo()


def begun(home: Path, prefix: str, patch: pytest.MonkeyPatch) -> Settings:
    """A home whose landing is below a prefix of the bucket."""
    patch.setenv("RELIABILITY_LANDING_URL", f"s3://{BUCKET}/{prefix}")
    settings = load_settings(home)
    SIMULATION.save(settings)
    return settings


def land_and_admit(home: Path) -> None:
    """Two days of two sources, as a run does it."""
    context = steps.RunContext.of(load_settings(home), "test")
    for source in SOURCES[:2]:
        steps.land(context, source, LANDED)
        steps.admit(context, source, LANDED)


def objects(store: ObjectStore, prefix: str) -> dict[str, bytes]:
    """What lies below a prefix, by name. Raises if a manifest is there without its file, or with another one."""
    root = f"{BUCKET}/{prefix}/"
    names = [path for path in store.system.find(root) if path.startswith(root) and not path.endswith(MARKER)]
    found = {path.removeprefix(root): content_of(store.system.cat_file(path)) for path in names}
    for name in [one for one in found if one.endswith(MANIFEST_SUFFIX)]:
        file = found[name.removesuffix(MANIFEST_SUFFIX) + ".parquet"]
        assert json.loads(found[name])["checksum"] == hashlib.sha256(file).hexdigest(), name
    return found


def content_of(stored: bytes) -> bytes:
    """What an object holds."""
    reference = os.environ.get("RELIABILITY_LANDING_KEY")
    assert (reference is not None) is is_encrypted(stored) or not stored
    return stored if reference is None or not stored else AgeKey(reference, "the key").decrypted_bytes(stored)


def decisions_in(folder: Path) -> dict[str, bytes]:
    """Every JSON file of a folder, by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.json"))}


def below(folder: Path) -> dict[str, bytes]:
    """Every Parquet file of a folder, by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_a_lost_home_publishes_from_the_bucket_what_one_without_a_bucket_does(
    lived: Callable[[Path], Platform], tmp_path: Path, keys: pytest.MonkeyPatch
) -> None:
    """Row for row; the second home has nothing of the first one, and asks no source."""
    plain = lived(tmp_path / "plain").gold()
    keys.setenv("RELIABILITY_LANDING_URL", f"s3://{BUCKET}/whole")
    first = Platform(tmp_path / "first", events_per_day=EVENTS)
    first.run(day(1), day(2))
    assert first.gold() == plain
    second = Platform(tmp_path / "second", events_per_day=EVENTS)
    take_over(second.settings)
    for source in SOURCES:
        steps.admit(second.context, source, days(day(1), day(2)))
    assert not reprocess(second.context, days(day(1), day(2))).held
    assert second.gold() == plain


def test_a_process_that_is_killed_leaves_no_half_and_its_successor_lands_the_same(
    store: ObjectStore, tmp_path: Path, keys: pytest.MonkeyPatch
) -> None:
    log, random = tmp_path / "log", Random(24)
    whole = begun(tmp_path / "whole", "never-killed", keys)
    undisturbed = start(lambda: land_and_admit(whole.home), log, NEVER).wait()
    assert undisturbed.error is None, undisturbed.error
    expected, bronze = objects(store, "never-killed"), below(whole.bronze)
    assert len(expected) > 12
    killed = 0
    for number in range(KILLS):
        prefix = f"killed-{number}"
        settings = begun(tmp_path / prefix, prefix, keys)
        home, moment = settings.home, choose(random, undisturbed.points, undisturbed.seconds)
        killed += start(lambda home=home: land_and_admit(home), log, moment).wait().killed  # type: ignore[misc]
        assert objects(store, prefix).items() <= expected.items(), moment
        again = start(lambda home=home: land_and_admit(home), log, NEVER).wait()  # type: ignore[misc]
        assert again.error is None, (moment, again.error)
        assert objects(store, prefix) == expected, moment
        assert below(settings.bronze) == bronze, moment
        assert below(settings.landing) == below(whole.landing), moment
    assert killed >= KILLS // 2


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_store_that_goes_away_in_the_middle_is_one_line_and_loses_nothing(
    how: str, store: ObjectStore, tmp_path: Path, keys: pytest.MonkeyPatch
) -> None:
    keys.setattr(elsewhere, "PATIENCE", elsewhere.PATIENCE | {"read_timeout": 1})
    keys.setattr(elsewhere, "PUT_SECONDS", 5.0)
    S3FileSystem.clear_instance_cache()
    working_copy._opened.cache_clear()
    settings = begun(tmp_path / "home", f"that-{how}", keys)
    puts, put = [], working_copy._put

    def putting(*words: Any) -> None:
        puts.append(words)
        if len(puts) == 12:
            (store.kill if how == "dies" else store.stop)()
        put(*words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(working_copy, "_put", putting)
        with pytest.raises(EnvironmentUnusableError) as said:
            land_and_admit(settings.home)
    (store.start if how == "dies" else store.wake)()
    assert str(said.value).startswith("The place of landing that RELIABILITY_LANDING_URL names cannot be used (")
    assert "\n" not in str(said.value)
    assert 0 < len(objects(store, f"that-{how}")) <= 12
    land_and_admit(settings.home)
    undisturbed = begun(tmp_path / "other", f"other-than-{how}", keys)
    land_and_admit(undisturbed.home)
    assert objects(store, f"that-{how}") == objects(store, f"other-than-{how}")
    assert below(settings.bronze) == below(undisturbed.bronze)


def test_a_store_that_hangs_is_given_up_by_snapshots_and_by_the_copy_of_what_is_published(
    store: ObjectStore, tmp_path: Path, keys: pytest.MonkeyPatch, lived: Callable[[Path], Platform]
) -> None:
    """A file that is large is sent when the store has asked for it, for which its driver would wait for ever."""
    for name, value in (("PUT_SECONDS", 3.0), ("PART_MEGABYTES", 1), ("PATIENCE", {"read_timeout": 1})):
        keys.setattr(elsewhere, name, value)
    home = lived(tmp_path / "home").settings
    away = {"snapshot_url": f"s3://{BUCKET}/hanging-snapshots", "published_url": f"s3://{BUCKET}/hanging-copy"}
    settings = home.model_copy(update=away)
    for what in (take_snapshot, copy_published):
        S3FileSystem.clear_instance_cache()
        opened = Elsewhere.open

        def opening(*words: str, opened: Any = opened) -> Elsewhere:
            place: Elsewhere = opened(*words)
            with suppress(FileNotFoundError):
                place.fs.ls(place.root)  # the connection stands, and what was asked before a file is answered
            return replace(place, fs=Hanging(place.fs, store))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Elsewhere, "open", opening)
            begun_at = time.monotonic()
            try:
                said = str(copy_published(settings)) if what is copy_published else refused(settings)
            finally:
                store.wake()
        assert time.monotonic() - begun_at < 200  # ten tries of what is asked afterwards; the driver waited for ever
        assert "cannot be used (" in said and "\n" not in said
    assert copy_published(settings) is None
    taken = take_snapshot(settings, utc_now)
    assert taken.files


class Hanging:
    """The file system of a place whose store hangs as soon as a file is sent."""

    def __init__(self, fs: Any, store: ObjectStore) -> None:
        self._fs, self._store = fs, store

    def __getattr__(self, name: str) -> Any:
        if name in ("open", "put_file"):
            self._store.stop()
        return getattr(self._fs, name)


def refused(settings: Settings) -> str:
    """What a snapshot that cannot be taken says."""
    with pytest.raises(EnvironmentUnusableError) as said:
        take_snapshot(settings, utc_now)
    return str(said.value)


def test_a_home_back_from_a_snapshot_has_what_came_into_the_bucket_since(
    store: ObjectStore, tmp_path: Path, keys: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another day, and a decision about one that the snapshot has; the bucket takes it for the home that it was."""
    keys.setenv("RELIABILITY_LANDING_URL", f"s3://{BUCKET}/snapshot-and-bucket")
    keys.setenv("RELIABILITY_SNAPSHOT_URL", f"s3://{BUCKET}/snapshots")
    home = Platform(tmp_path / "home", events_per_day=EVENTS)
    home.run(day(1), day(1))
    take_snapshot(home.settings, utc_now)
    found = survey(home.settings, home.engine, Correction("orders", "amount", "multiply", ("100",)), [day(1)])
    apply(home.settings, home.engine, found, "cents", "ann", utc_now())
    home.run(day(1), day(2))
    gold = home.gold()
    home.engine.dispose()
    shutil.rmtree(home.settings.home)
    words = ["restore", "--everything", "--yes", "--why", "the machine is gone", "--home", str(home.settings.home)]
    main(words)
    back = Platform(home.settings.home, events_per_day=EVENTS)
    assert back.gold() == gold
    [correction] = Corrections(back.engine).all()
    assert (correction.who, correction.why) == ("ann", "cents")


def admitted_and_built(home: Platform) -> dict[str, list[tuple[object, ...]]]:
    """What a home publishes of both days, from what lies in its bucket."""
    for source in SOURCES:
        steps.admit(home.context, source, days(*LANDED))
    reprocess(home.context, days(*LANDED))
    return home.gold()


def test_a_lost_home_publishes_what_people_had_decided(tmp_path: Path, keys: pytest.MonkeyPatch) -> None:
    """A shim, a file given up, late rows that count and a correction; taken back in one home, a shim is in the other, too."""
    keys.setenv("RELIABILITY_LANDING_URL", f"s3://{BUCKET}/decided")
    first = Platform(tmp_path / "first", events_per_day=EVENTS)
    for source in SOURCES:
        first.deliver(source, *LANDED)
    clock = CONTRACTS[LATE].event_time
    too_late = scheduled_batches(first.simulation, LATE, day(2))[0]
    place = too_late.table.column_names.index(clock)
    long_before = pc.subtract(too_late.table[clock], pa.scalar(timedelta(days=9)))
    table = too_late.table.set_column(place, too_late.table.schema.field(clock), long_before)
    write_batch(first.settings, replace(too_late, table=table))
    _, read, given_up, *_ = scheduled_batches(first.simulation, "orders", day(2))
    for batch in (read, given_up):
        names = ["user_id" if name == "customer_id" else name for name in batch.table.column_names]
        write_batch(first.settings, replace(batch, table=batch.table.rename_columns(names)))
    undecided = admitted_and_built(first)

    settings, engine = first.settings, first.engine
    reading = Reading({"user_id": "customer_id"})
    seen = [undecided]
    approve_shim(settings, "orders", read.batch_id, reading, "ann", "it is the same")
    seen.append(admitted_and_built(first))
    accept_late_rows(settings, LATE, day(2), "ann", "they count")
    seen.append(admitted_and_built(first))
    survey_of_cents = survey(settings, engine, Correction("orders", "amount", "multiply", ("100",)), [day(1)])
    apply(settings, engine, survey_of_cents, "cents", "ann", utc_now())
    seen.append(admitted_and_built(first))
    letters = waiting_letters(settings, Selection(day(2), day(2), source="orders", batch_id=given_up.batch_id))
    assert discard(settings, engine, letters, "beyond repair", "ann", utc_now()) == [day(2)]
    gold = admitted_and_built(first)
    assert all(before != after for before, after in pairwise(seen)), "each of the three changes what is published"

    second = Platform(tmp_path / "second", events_per_day=EVENTS)
    take_over(second.settings)
    assert admitted_and_built(second) == gold
    states = {one["batch_id"]: one["state"] for one in quarantined_files(second.settings)}
    assert states == {read.batch_id: "replayed", given_up.batch_id: "discarded"}, "as in the home that refused them"
    assert decisions_in(second.settings.decisions) == decisions_in(settings.decisions)

    take_over(settings)
    assert withdraw_shim(settings, "orders", read.batch_id, "bob", "it was not the same")
    withdrawn = admitted_and_built(first)
    assert withdrawn != gold
    take_over(second.settings)
    assert admitted_and_built(second) == withdrawn


def test_the_daemon_notices_what_a_producer_puts_into_the_bucket_and_outlives_the_store(
    store: ObjectStore, tmp_path: Path, keys: pytest.MonkeyPatch
) -> None:
    keys.setenv("RELIABILITY_LANDING_URL", f"s3://{BUCKET}/watched")
    with instance_for_test() as instance:
        home = Watched(load_settings(tmp_path / "home"), instance)
        home.land(YESTERDAY)
        home.build(YESTERDAY, YESTERDAY)
        assert home.tick(timedelta()) == []
        plain = Watched(load_settings(tmp_path / "producer").model_copy(update={"landing_url": None}), instance)
        plain.land(YESTERDAY, 1)
        for path in sorted(plain.settings.landing.rglob("*.*")):
            store.system.pipe_file(f"{BUCKET}/watched/{path.relative_to(plain.settings.landing)}", path.read_bytes())
        assert home.tick(timedelta()) == [], "the bucket is looked at every five minutes"
        assert home.tick(LOOK_EVERY * 2) == [YESTERDAY]
        store.kill()
        home.tick(LOOK_EVERY * 4)
        store.start()


def test_a_person_who_decides_while_the_store_is_away_hears_one_line_and_has_decided_nothing(
    store: ObjectStore, tmp_path: Path, keys: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.setenv("RELIABILITY_LANDING_URL", f"s3://{BUCKET}/away")
    home = Platform(tmp_path / "home", events_per_day=EVENTS)
    for source in SOURCES:
        home.deliver(source, *LANDED)
    batch = scheduled_batches(home.simulation, "orders", day(2))[1]
    write_batch(home.settings, replace(batch, table=batch.table.drop_columns(["customer_id"])))
    admitted_and_built(home)
    words = ["quarantine", "discard", "--batch", batch.batch_id, "--source", "orders", "--date", str(day(2))]
    words += ["--why", "beyond repair", "--yes", "--home", str(home.settings.home)]
    S3FileSystem.clear_instance_cache()
    working_copy._opened.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
    said = capsys.readouterr().err.strip()
    assert ended.value.code == ExitCode.ENVIRONMENT, said
    [line] = [
        one for one in said.splitlines() if not one.startswith("run: ")
    ]  # what was judged before becomes an incident
    assert re.match(
        "reliability: The place of (decisions|landing) that RELIABILITY_LANDING_URL names cannot be used", line
    )
    assert Discards(home.engine).of("orders", [day(2)]) == []
    S3FileSystem.clear_instance_cache()
    working_copy._opened.cache_clear()
    main(words)
    assert [one.batch_id for one in Discards(home.engine).of("orders", [day(2)])] == [batch.batch_id]
