"""What is published, in a bucket: readers see one version, whole, whatever dies; a place that refuses costs the copy alone."""

import hashlib
import io
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from s3fs import S3FileSystem

from reliability_platform.clock import utc_now
from reliability_platform.damage import sha256_of
from reliability_platform.elsewhere import Elsewhere, OvertakenError
from reliability_platform.pipeline.steps import RunContext, publish
from reliability_platform.recovery.upkeep import findings
from reliability_platform.settings import Settings
from reliability_platform.warehouse import published_copy
from reliability_platform.warehouse.publication import rollback
from reliability_platform.warehouse.published import CURRENT, RECORD
from reliability_platform.warehouse.published_copy import POINTER, copy_published
from tests.ground import Platform
from tests.object_store import ObjectStore
from tests.unit.lived_in import copied_home
from tests.unit.test_upkeep import CALENDAR


@pytest.fixture(scope="module")
def origin(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return lived(tmp_path_factory.mktemp("origin") / "home")


@pytest.fixture
def home(origin: Platform, bucket: str, tmp_path: Path) -> Settings:
    return copied_home(origin.settings.home, tmp_path / "home").model_copy(update={"published_url": bucket})


def shown(store: ObjectStore, url: str) -> dict[str, Any]:
    """What a consumer reads who knows the pointer alone, compared with the record of the version. Raises if it is not whole."""
    folder = url.removeprefix("s3://")
    system = store.system
    pointer: dict[str, Any] = json.loads(system.cat_file(f"{folder}/{POINTER}"))
    record = system.cat_file(f"{folder}/{pointer['record']['path']}")
    assert hashlib.sha256(record).hexdigest() == pointer["record"]["sha256"]
    files = {one["name"]: one["files"] for one in json.loads(record)["tables"]}
    for name, paths in pointer["tables"].items():
        contents = [system.cat_file(f"{folder}/{path}") for path in paths]
        expected = sorted(one["sha256"] for one in files[name].values())
        assert sorted(hashlib.sha256(content).hexdigest() for content in contents) == expected
        assert all(pq.read_table(io.BytesIO(content)).num_rows >= 0 for content in contents)
    return pointer


def another_version(settings: Settings, number: int) -> str:
    """Publish other content: a hold more or less."""
    from reliability_platform.checks.holds import Holds
    from reliability_platform.operations import operations_engine

    holds = Holds(operations_engine(settings))
    [(source, day), *_] = sorted(published_partitions(settings))
    if number % 2:
        holds.hold(source, day, "test", f"number {number}", utc_now())
    else:
        holds.release(source, day, "test", f"number {number}", utc_now())
    return publish(RunContext.of(settings, f"test-{number}")).version


def published_partitions(settings: Settings) -> list[tuple[str, Any]]:
    from reliability_platform.landing.admission import landed_partitions

    return list(landed_partitions(settings))


def test_a_copy_is_whole_at_every_moment(home: Settings, store: ObjectStore, bucket: str) -> None:
    """A reader that never stops sees versions that go up, each with its own checksums."""
    assert copy_published(home) is None
    seen, wrong, ended = [shown(store, bucket)["version"]], [], threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                seen.append(shown(store, bucket)["version"])
                time.sleep(0.01)
            except Exception as error:
                wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        made = [another_version(home, number) for number in (1, 2, 3)]
    finally:
        ended.set()
        reader.join()
    assert wrong == []
    assert shown(store, bucket)["version"] == made[-1] == (home.published / CURRENT).readlink().name
    assert seen == sorted(seen)
    assert len(set(made)) == 3


def test_going_back_a_version_goes_back_in_the_copy_too(home: Settings, store: ObjectStore, bucket: str) -> None:
    made = another_version(home, 1)
    assert shown(store, bucket)["version"] == made
    back = rollback(home)
    assert shown(store, bucket)["version"] == back.version != made


class Dying:
    """The file system of a place until a call was made so often."""

    def __init__(self, fs: Any, at: str, after: int) -> None:
        self._fs, self._at, self._left = fs, at, after

    def __getattr__(self, name: str) -> Any:
        if name == self._at:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
        return getattr(self._fs, name)


def dying(patch: pytest.MonkeyPatch, at: str, after: int) -> None:
    """Let this process die in the next copy."""
    reached = Elsewhere.open

    def opened(*words: str) -> Elsewhere:
        place = reached(*words)
        return replace(place, fs=Dying(place.fs, at, after))

    patch.setattr(Elsewhere, "open", opened)


@pytest.mark.parametrize("dies_at", ["put_file", "pipe_file"])
def test_killed_in_the_middle_the_old_version_stands_and_the_next_look_ends_it(
    home: Settings, store: ObjectStore, bucket: str, dies_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the record of a version, and between it and the pointer."""
    copy_published(home)
    before = shown(store, bucket)["version"]
    with monkeypatch.context() as patch:
        dying(patch, dies_at, 0)
        with pytest.raises(KeyboardInterrupt):
            another_version(home, 1)
    assert shown(store, bucket)["version"] == before
    assert copy_published(home) is None
    assert shown(store, bucket)["version"] == (home.published / CURRENT).readlink().name != before


def test_killed_between_the_files_of_a_version_nothing_points_to_it(
    home: Settings, store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        dying(patch, "put_file", 2)
        with pytest.raises(KeyboardInterrupt):
            copy_published(home)
    folder = bucket.removeprefix("s3://")
    assert len(store.system.ls(f"{folder}/files", refresh=True)) == 2
    assert not store.system.exists(f"{folder}/{POINTER}")
    assert copy_published(home) is None
    assert shown(store, bucket)["version"] == (home.published / CURRENT).readlink().name


def test_a_place_that_refuses_costs_the_copy_alone_and_is_an_incident_until_it_is_there(
    home: Settings, store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reliability_platform.day_clock import Service
    from reliability_platform.operations import operations_engine

    engine = operations_engine(home)
    Service(engine).note(True, utc_now())
    copy_published(home)
    with monkeypatch.context() as wrong:
        wrong.setenv("AWS_SECRET_ACCESS_KEY", "another")
        S3FileSystem.clear_instance_cache()  # of another process there is none
        made = another_version(home, 1)
        assert (home.published / CURRENT).readlink().name == made
        said = findings(home, engine, utc_now(), CALENDAR)["home__published_copied"]
        assert said is not None
        assert "The place of the published tables that RELIABILITY_PUBLISHED_URL names refuses access" in said
        assert "another" not in said
    S3FileSystem.clear_instance_cache()
    dead = home.model_copy(update={"published_url": "s3://nobody/x"})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "EndpointConnectionError" in str(copy_published(dead))
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    S3FileSystem.clear_instance_cache()
    assert findings(home, engine, utc_now(), CALENDAR)["home__published_copied"] is None
    assert shown(store, bucket)["version"] == made


def test_two_homes_do_not_share_a_place(home: Settings, bucket: str, tmp_path: Path) -> None:
    """Each would show its own tables to the consumers of the other."""
    copy_published(home)
    other = copied_home(home.home, tmp_path / "other").model_copy(update={"published_url": bucket})
    identity = json.loads(other.identity.read_text())
    other.identity.write_text(json.dumps(identity | {"id": "another"}))
    assert "holds the published tables of another home" in str(copy_published(other))


def test_of_two_that_write_at_once_one_is_refused(home: Settings, store: ObjectStore, bucket: str) -> None:
    """The pointer is written over the one that was read, and over no other."""
    copy_published(home)
    place = Elsewhere.open(bucket, "RELIABILITY_PUBLISHED_URL", "the published tables")
    before = published_copy._read(place)
    assert before is not None
    published_copy._swap(place, before.said | {"version": "v9"}, before)
    for stale in (before, replace(before, mark='"0"'), None):
        with pytest.raises(OvertakenError, match="was written to by another process just now"):
            published_copy._swap(place, {}, stale)
    assert shown_version(store, bucket) == "v9"


def shown_version(store: ObjectStore, url: str) -> str:
    return str(json.loads(store.system.cat_file(f"{url.removeprefix('s3://')}/{POINTER}"))["version"])


def test_a_folder_is_a_place_too_and_loses_what_the_home_has_lost(home: Settings, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    folder = home.model_copy(update={"published_url": str(copy)})
    copy_published(folder)
    first = (home.published / CURRENT).readlink().name
    files = {path.name for path in (copy / "files").iterdir()}
    assert {sha256_of(path) + ".parquet" for path in home.published.glob(f"{first}/*/*.parquet")} == files
    second = another_version(folder, 1)
    assert {path.name for path in (copy / "files").iterdir()} == files, "a hold changes no rows of this home"
    theirs = copy / "v000000"
    theirs.mkdir()  # of somebody else who keeps versions there
    assert sorted(path.name for path in copy.glob("v*")) == ["v000000", first, second]
    # As if the first one had rows that the second has not.
    record = json.loads((copy / first / RECORD).read_text())
    own, alone = record["tables"][0]["files"], "0" * 64
    own["one/2026-01.parquet"] = {"sha256": alone, "bytes": 4}
    (copy / first / RECORD).write_text(json.dumps(record))
    (copy / "files" / f"{alone}.parquet").write_bytes(b"PAR1")
    (home.published / first / RECORD).unlink()
    assert copy_published(folder) is None
    assert json.loads((copy / POINTER).read_text())["version"] == second
    assert json.loads((copy / POINTER).read_text())["versions"] == [second]
    assert sorted(path.name for path in copy.glob("v*")) == ["v000000", second]
    assert {path.name for path in (copy / "files").iterdir()} == files, "what another version has stays"
