"""Encrypted snapshots: nothing of the home is readable at their place, all of it comes back with the key, and a key that is
lost, wrong or half is one line.
"""

import io
import stat
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
from click.testing import CliRunner

from reliability_platform.cli.main import cli
from reliability_platform.clock import utc_now
from reliability_platform.credentials import CredentialsError
from reliability_platform.encryption import SUFFIX, AgeKey, Digested, new_key
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.recovery.retention import forget_snapshots
from reliability_platform.settings import Settings, load_settings
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
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.txt"
    path.write_text(new_key())
    return path


@pytest.fixture
def home(origin: Platform, key: Path, tmp_path: Path) -> Settings:
    """A copy whose snapshots are encrypted, beside it."""
    said = copied_home(origin.settings.home, tmp_path / "home")
    return said.model_copy(update={"snapshot_url": str(tmp_path / "place"), "snapshot_key": f"file:{key}"})


def stored(settings: Settings) -> list[Path]:
    return sorted(path for path in Path(settings.snapshots).rglob("*") if path.is_file())


def with_key(settings: Settings, reference: str | None) -> Settings:
    return settings.model_copy(update={"snapshot_key": reference})


def test_nothing_is_readable_at_the_place_and_the_whole_home_comes_back(home: Settings, tmp_path: Path) -> None:
    """Contents, manifests, and what a second snapshot adds; every content is stored once."""
    take_snapshot(home, utc_now)
    before = len(stored(home))
    (home.landing / "note.txt").write_text("a new content")
    taken = take_snapshot(home, utc_now)
    assert len(stored(home)) < before + 6
    for path in stored(home):
        assert path.name.endswith(SUFFIX)
        assert path.read_bytes().startswith(b"age-encryption.org/v1\n")
    location = SnapshotLocation.of(home)
    [_, read], damaged = read_snapshots(location)
    assert (read, damaged) == (taken, [])
    assert damages(location, [read]) == {read.id: {}}
    restore_home(home, read, tmp_path / "aside")
    assert state(tmp_path / "aside", MADE_ANEW) == state(home.home, MADE_ANEW)


def test_the_program_of_the_format_reads_it_without_the_platform(home: Settings, key: Path) -> None:
    """Whoever has the key and the library of others has the bytes."""
    take_snapshot(home, utc_now)
    identity = pyrage.x25519.Identity.from_str(key.read_text().splitlines()[-1])
    manifest = next(path for path in stored(home) if path.parent.name == "manifests")
    assert pyrage.decrypt(manifest.read_bytes(), [identity]).startswith(b'{"sha256"')


def test_what_the_rule_does_not_keep_is_forgotten_encrypted_or_not(home: Settings) -> None:
    settings = home.model_copy(update={"snapshot_keep_last": 1, "snapshot_keep_weekly": 0})
    note = home.landing / "note.txt"
    note.write_text("a content of the first alone")
    first = take_snapshot(settings, utc_now)
    note.unlink()
    second = take_snapshot(settings, utc_now)
    pruned = forget_snapshots(settings, "test", utc_now)
    assert pruned.snapshots == [first.id]
    assert pruned.contents >= 1
    assert SnapshotLocation.of(settings).manifests() == [second.id]


def test_a_lost_key_is_one_line(home: Settings, key: Path) -> None:
    take_snapshot(home, utc_now)
    key.rename(key.with_name("elsewhere"))
    with pytest.raises(CredentialsError, match=r"The file .*key\.txt, .* cannot be read"):
        read_snapshots(SnapshotLocation.of(home))
    key.write_text("AGE-SECRET-KEY-1HALF\n")
    with pytest.raises(EnvironmentUnusableError, match="is no key"):
        read_snapshots(SnapshotLocation.of(home))
    with pytest.raises(EnvironmentUnusableError, match="say with RELIABILITY_SNAPSHOT_KEY where their key is"):
        read_snapshots(SnapshotLocation.of(with_key(home, None)))


def test_another_key_is_told_and_writes_nothing(home: Settings, tmp_path: Path) -> None:
    """It would make a place of which one half is for nobody."""
    take_snapshot(home, utc_now)
    before = stored(home)
    (tmp_path / "other").write_text(new_key())
    other = with_key(home, f"file:{tmp_path / 'other'}")
    for asked in (lambda: take_snapshot(other, utc_now), lambda: read_snapshots(SnapshotLocation.of(other))):
        with pytest.raises(EnvironmentUnusableError, match="encrypted with another key"):
            asked()
    assert stored(home) == before


def test_one_place_is_encrypted_or_not(home: Settings) -> None:
    """What lay there readable would stay readable, and nobody would know."""
    take_snapshot(with_key(home, None), utc_now)
    with pytest.raises(EnvironmentUnusableError, match="are not encrypted: name another place"):
        take_snapshot(home, utc_now)


def test_a_damaged_content_is_damaged_and_not_the_wrong_key(home: Settings, tmp_path: Path) -> None:
    taken = take_snapshot(home, utc_now)
    location = SnapshotLocation.of(home)
    sha256 = next(iter(sorted(location.objects())))
    path = Path(home.snapshots) / "objects" / sha256[:2] / (sha256 + SUFFIX)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    assert location.damage(sha256) == "damaged"
    with pytest.raises(SnapshotDamagedError, match="is damaged"):
        location.fetch(sha256, tmp_path / "content")
    assert not (tmp_path / "content").exists()
    manifest = Path(home.snapshots) / "manifests" / f"{taken.id}.json{SUFFIX}"
    manifest.write_bytes(manifest.read_bytes()[:-7])
    assert read_snapshots(location)[0] == []


def test_what_a_file_refuses_to_give_is_told_as_it_is() -> None:
    """The library tells the text of an error alone: a disk that fails looked like a matter of encryption."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:  # noqa: ARG002
            raise OSError(5, "Input/output error")

    made = AgeKey("env:UNSET", "RELIABILITY_SNAPSHOT_KEY")
    made.__dict__["_identity"] = pyrage.x25519.Identity.generate()
    with pytest.raises(OSError, match="Input/output"), made.encrypted(Digested(Failing())):
        pass


@pytest.mark.exhaustive  # 20 s; what is encrypted and what an object store holds have tests of their own
def test_encrypted_snapshots_in_an_object_store(home: Settings, tmp_path: Path, bucket: str) -> None:
    there = home.model_copy(update={"snapshot_url": bucket})
    taken = take_snapshot(there, utc_now)
    restore_home(there, taken, tmp_path / "aside")
    assert state(tmp_path / "aside", MADE_ANEW) == state(home.home, MADE_ANEW)


def test_a_new_key_is_for_its_owner_alone_and_never_overwrites_one(tmp_path: Path) -> None:
    file = tmp_path / "my key"
    done = CliRunner().invoke(cli, ["snapshot", "new-key", str(file)], catch_exceptions=False)
    assert f"RELIABILITY_SNAPSHOT_KEY=file:{file}" in done.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    done = CliRunner().invoke(cli, ["snapshot", "new-key", str(file)])
    assert isinstance(done.exception, UsageError) or done.exit_code
    assert file.read_text() == before


def test_a_key_in_the_settings_is_refused_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would stand in logs, in the environment of every child, and in what `doctor` shows."""
    secret = new_key().splitlines()[-1]
    monkeypatch.setenv("RELIABILITY_SNAPSHOT_KEY", secret)
    with pytest.raises(UsageError, match="says where the key is") as refused:
        load_settings(tmp_path)
    assert secret not in str(refused.value)
