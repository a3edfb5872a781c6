"""The second place of the snapshots: whole, never emptied by the first, and missed when it is behind."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.encryption import new_key
from reliability_platform.errors import EnvironmentUnusableError, ExitCode, UsageError
from reliability_platform.recovery.replication import PATIENCE, at_second_place, replica_behind, replicate
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.location import SnapshotDamagedError, SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import read_snapshots
from reliability_platform.warehouse.snapshots.restore import damages, restore_home
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import Platform
from tests.unit.lived_in import copied_home, state
from tests.unit.test_snapshots import MADE_ANEW


@pytest.fixture(scope="module")
def origin(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return lived(tmp_path_factory.mktemp("origin") / "home")


@pytest.fixture
def home(origin: Platform, tmp_path: Path) -> Settings:
    """A copy with two places beside it."""
    places = {"snapshot_url": str(tmp_path / "first"), "snapshot_replica_url": str(tmp_path / "second")}
    return copied_home(origin.settings.home, tmp_path / "home").model_copy(update=places)


def second(settings: Settings) -> SnapshotLocation:
    found = at_second_place(settings)
    assert found is not None
    return SnapshotLocation.of(found)


def test_what_is_copied_gives_back_the_whole_home(home: Settings, tmp_path: Path) -> None:
    """Each content once; the second time only what is new, and the third time nothing."""
    taken = take_snapshot(home, utc_now)
    copied = replicate(home, "test", utc_now)
    assert copied is not None
    assert copied.snapshots == [taken.id]
    assert copied.contents == len({one.sha256 for one in taken.files})
    (home.landing / "note.txt").write_text("a new content")
    take_snapshot(home, utc_now)
    more = replicate(home, "test", utc_now)
    assert more is not None
    assert 0 < more.contents < copied.contents
    assert replicate(home, "test", utc_now).snapshots == []  # type: ignore[union-attr]
    [_, newest], damaged = read_snapshots(second(home))
    assert damaged == []
    assert damages(second(home), [newest]) == {newest.id: {}}
    restore_home(home.model_copy(update={"snapshot_url": str(tmp_path / "second")}), newest, tmp_path / "aside")
    assert state(tmp_path / "aside", MADE_ANEW) == state(home.home, MADE_ANEW)


def test_encrypted_snapshots_are_encrypted_there_too(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(new_key())
    settings = home.model_copy(update={"snapshot_key": f"file:{tmp_path / 'key'}"})
    take_snapshot(settings, utc_now)
    replicate(settings, "test", utc_now)
    files = [path for path in (tmp_path / "second").rglob("*") if path.is_file()]
    assert files
    assert all(path.read_bytes().startswith(b"age-encryption.org/v1\n") for path in files)
    assert read_snapshots(second(settings))[1] == []


def test_what_the_first_place_has_lost_the_second_keeps(home: Settings, tmp_path: Path) -> None:
    """A copy that follows every loss is none."""
    taken = take_snapshot(home, utc_now)
    replicate(home, "test", utc_now)
    (tmp_path / "first").rename(tmp_path / "lost")
    again = take_snapshot(home, utc_now)
    replicate(home, "test", utc_now)
    assert second(home).manifests() == [taken.id, again.id]
    assert damages(second(home), read_snapshots(second(home))[0]) == {taken.id: {}, again.id: {}}


def test_the_second_place_forgets_by_the_rule(home: Settings) -> None:
    brief = home.model_copy(update={"snapshot_keep_last": 1, "snapshot_keep_weekly": 0})
    for number in range(2):
        (home.landing / "note.txt").write_text(f"content {number}")
        last = take_snapshot(brief, utc_now)
        replicate(brief, "test", utc_now)
    assert second(brief).manifests() == [last.id]


def test_killed_in_the_middle_no_snapshot_counts_and_the_next_time_ends_it(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = take_snapshot(home, utc_now)
    real, calls = SnapshotLocation.adopt, []

    def die(self: SnapshotLocation, source: Path, sha256: str) -> None:
        calls.append(sha256)
        if len(calls) == 5:
            raise KeyboardInterrupt
        real(self, source, sha256)

    with monkeypatch.context() as dying:
        dying.setattr(SnapshotLocation, "adopt", die)
        with pytest.raises(KeyboardInterrupt):
            replicate(home, "test", utc_now)
    assert second(home).manifests() == []
    assert len(second(home).objects()) == 4
    copied = replicate(home, "test", utc_now)
    assert copied is not None
    assert copied.contents == len({one.sha256 for one in taken.files}) - 4
    assert damages(second(home), [taken]) == {taken.id: {}}


def test_a_damaged_content_is_not_copied(home: Settings, tmp_path: Path) -> None:
    """Two damaged copies would look like two witnesses."""
    taken = take_snapshot(home, utc_now)
    sha256 = taken.files[0].sha256
    path = tmp_path / "first" / "objects" / sha256[:2] / sha256
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SnapshotDamagedError, match="is damaged"):
        replicate(home, "test", utc_now)
    assert second(home).manifests() == []


def test_a_second_place_that_is_behind_is_told_after_an_hour(home: Settings) -> None:
    assert replica_behind(home, utc_now()) is None
    taken = take_snapshot(home, utc_now)
    assert replica_behind(home, taken.taken_at + PATIENCE) is None
    assert "lacks the snapshot of" in str(replica_behind(home, taken.taken_at + PATIENCE + timedelta(minutes=1)))
    replicate(home, "test", utc_now)
    assert replica_behind(home, taken.taken_at + timedelta(days=2)) is None
    away = home.model_copy(update={"snapshot_replica_url": "nowhere://x"})
    assert "cannot be compared" in str(replica_behind(away, utc_now()))


def test_a_place_that_would_be_lost_together_is_refused(home: Settings, tmp_path: Path) -> None:
    for place in (home.snapshot_url, str(home.home / "second")):
        with pytest.raises(UsageError, match="both would be lost together"):
            at_second_place(home.model_copy(update={"snapshot_replica_url": place}))


def test_the_place_of_another_home_is_refused(home: Settings, tmp_path: Path) -> None:
    take_snapshot(home, utc_now)
    replicate(home, "test", utc_now)
    other = copied_home(home.home, tmp_path / "other")
    identity = json.loads(other.identity.read_text())
    other.identity.write_text(json.dumps(identity | {"id": "another"}))
    places = {"snapshot_url": str(tmp_path / "third"), "snapshot_replica_url": str(tmp_path / "second")}
    theirs = other.model_copy(update=places)
    with pytest.raises((UsageError, EnvironmentUnusableError)):
        take_snapshot(theirs, utc_now)
        replicate(theirs, "test", utc_now)
    assert len(second(home).manifests()) == 1


def test_a_snapshot_from_the_shell_goes_to_both(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELIABILITY_SNAPSHOT_URL", str(tmp_path / "first"))
    monkeypatch.setenv("RELIABILITY_SNAPSHOT_REPLICA_URL", str(tmp_path / "second"))
    assert main(["snapshot", "create", "--json", "--home", str(home.home)]) == ExitCode.OK
    said = json.loads(capsys.readouterr().out)
    assert said["replicated"]["snapshots"] == [said["id"]]
    assert second(home).manifests() == [said["id"]]
