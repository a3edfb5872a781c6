"""A landing bucket that is encrypted: nothing in it is readable, each content is sent once, and a key that is lost, wrong or new is
one line. What else is so of a bucket, `test_landing_in_bucket.py` shows of both kinds.
"""

import json
from pathlib import Path
from typing import Any

import pyrage
import pytest
from click.testing import CliRunner
from s3fs import S3FileSystem

from reliability_platform.cli.main import cli
from reliability_platform.credentials import CredentialsError
from reliability_platform.elsewhere import Elsewhere
from reliability_platform.encryption import AgeKey, is_encrypted, new_key
from reliability_platform.errors import EnvironmentUnusableError, ExitCode, UsageError
from reliability_platform.landing import bucket_holder
from reliability_platform.landing.admission import admit
from reliability_platform.landing.bucket_holder import holder, take_over
from reliability_platform.landing.working_copy import bring_in, put_back, write
from reliability_platform.landing.writer import landing_folder
from reliability_platform.settings import Settings, load_settings
from tests.object_store import ObjectStore
from tests.unit.test_landing_in_bucket import BATCHES, DAY, SOURCE, inside, land, with_landing_at

DECISION = f"{SOURCE}-{DAY:%Y%m%d}-discarded.json"
FIRST_BATCH = f"{SOURCE}/landing_date={DAY}/{BATCHES[0].batch_id}"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.txt"
    path.write_text(new_key())
    return path


@pytest.fixture
def home(bucket: str, tmp_path: Path, key: Path) -> Settings:
    return with_key(with_landing_at(bucket, tmp_path / "home"), key)


def with_key(settings: Settings, key: Path | None) -> Settings:
    return settings.model_copy(update={"landing_key": key and f"file:{key}"})


def root(settings: Settings) -> str:
    return str(settings.landing_url).removeprefix("s3://")


def looked_anew() -> None:
    """As a process that begins: what is known of keys and holders is forgotten."""
    bucket_holder._looked.clear()
    bucket_holder._key.cache_clear()


def watched(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objects that are fetched from now on."""
    fetched = list[str]()
    cat = S3FileSystem._cat_file

    async def cat_file(self: Any, path: str, *words: Any, **more: Any) -> bytes:
        fetched.append(path.removeprefix(f"{root(settings)}/"))
        return bytes(await cat(self, path, *words, **more))

    monkeypatch.setattr(S3FileSystem, "_cat_file", cat_file)
    return fetched


def test_nothing_in_the_bucket_is_readable_and_all_of_it_comes_back(
    home: Settings, store: ObjectStore, tmp_path: Path, key: Path
) -> None:
    """Deliveries, what was refused of them, and what people decided; `age` reads it without the platform."""
    land(home)
    (landing_folder(home, SOURCE, DAY) / "theirs.parquet").write_bytes(b"no parquet")
    bring_in(home, SOURCE, [DAY])
    admit(home, SOURCE, DAY)
    bring_in(home, SOURCE, [DAY])
    stored = inside(store, home)
    assert {name.split("/")[0] for name in stored} == {SOURCE, "_quarantine"}
    assert all(map(is_encrypted, stored.values()))
    identity = pyrage.x25519.Identity.from_str(key.read_text().splitlines()[-1])
    there = landing_folder(home, SOURCE, DAY) / f"{BATCHES[0].batch_id}.parquet"
    assert pyrage.decrypt(stored[f"{FIRST_BATCH}.parquet"], [identity]) == there.read_bytes()
    anew = with_key(with_landing_at(home.landing_url, tmp_path / "anew"), key)
    bring_in(anew, SOURCE, [DAY])
    for folder in ("landing", "quarantine"):
        day = home.home / folder / SOURCE / f"landing_date={DAY}"
        files = [path for path in day.iterdir() if not path.name.startswith(".")]
        assert files
        for path in files:
            assert (anew.home / path.relative_to(home.home)).read_bytes() == path.read_bytes()


def test_a_process_fetches_nothing_that_it_has_put_there_and_another_fetches_it_once(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home)
    fetched = watched(home, monkeypatch)
    bring_in(home, SOURCE, [DAY])
    assert fetched == []
    (home.copies / "landing" / SOURCE / f"landing_date={DAY}.json").unlink()
    monkeypatch.setattr("reliability_platform.landing.working_copy._put_here", {})
    bring_in(home, SOURCE, [DAY])
    assert len(fetched) == 2 * len(BATCHES)
    bring_in(home, SOURCE, [DAY])
    assert len(fetched) == 2 * len(BATCHES)


def test_what_is_readable_is_encrypted_when_it_is_next_brought_in(
    home: Settings, store: ObjectStore, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket of before there was a key, and what producers leave there. Killed half-way, the next look goes on."""
    plain = with_key(home, None)
    land(plain)
    write(plain, plain.decisions / SOURCE / DECISION, b"[]\n")
    bring_in(plain, SOURCE, [DAY])
    before = inside(store, home)
    assert not any(map(is_encrypted, before.values()))
    write_there, written = Elsewhere.write, list[str]()

    def killed_at_the_fourth(place: Elsewhere, target: str, content: bytes, *, over: str | None = None) -> None:
        written.append(target)
        if len(written) == 4:  # the first is the proof of the key
            raise KeyboardInterrupt
        write_there(place, target, content, over=over)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Elsewhere, "write", killed_at_the_fourth)
        bring_in(home, SOURCE, [DAY])
    assert sum(map(is_encrypted, inside(store, home).values())) == 2
    bring_in(home, SOURCE, [DAY])
    after = inside(store, home)
    assert after.keys() == before.keys() and all(map(is_encrypted, after.values()))
    opened = AgeKey(f"file:{key}", "RELIABILITY_LANDING_KEY")
    assert {name: opened.decrypted_bytes(stored) for name, stored in after.items()} == before
    bring_in(home, SOURCE, [DAY])
    assert inside(store, home) == after

    store.system.pipe_file(f"{root(home)}/{SOURCE}/landing_date={DAY}/theirs.parquet", b"no parquet")
    bring_in(home, SOURCE, [DAY])
    assert (landing_folder(home, SOURCE, DAY) / "theirs.parquet").read_bytes() == b"no parquet"
    assert all(map(is_encrypted, inside(store, home).values()))


def test_a_key_that_is_lost_wrong_or_missing_is_one_line_and_changes_nothing(
    home: Settings, store: ObjectStore, key: Path, tmp_path: Path
) -> None:
    land(home)
    before = inside(store, home)
    other = tmp_path / "other"
    other.write_text(new_key())
    refusals = [
        (
            with_key(home, None),
            EnvironmentUnusableError,
            "is encrypted: say with RELIABILITY_LANDING_KEY where its key is",
        ),
        (with_key(home, other), EnvironmentUnusableError, "with another key than the one that RELIABILITY_LANDING_KEY"),
        (with_key(home, tmp_path / "gone"), CredentialsError, r"The file .*gone, .* cannot be read"),
    ]
    for settings, kind, words in refusals:
        looked_anew()
        for ask in (lambda s=settings: bring_in(s, SOURCE, [DAY]), lambda s=settings: take_over(anothers(s, tmp_path))):
            with pytest.raises(kind, match=words):
                ask()
    key.write_text("AGE-SECRET-KEY-1HALF\n")
    looked_anew()
    with pytest.raises(EnvironmentUnusableError, match="What RELIABILITY_LANDING_KEY leads to is no key"):
        bring_in(home, SOURCE, [DAY])
    assert inside(store, home) == before


def anothers(settings: Settings, tmp_path: Path) -> Settings:
    """A home made anew, with the same settings."""
    anew = load_settings(tmp_path / "anew")
    return anew.model_copy(update={"landing_url": settings.landing_url, "landing_key": settings.landing_key})


def test_a_home_made_anew_takes_an_encrypted_bucket_over_with_its_key(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: Path
) -> None:
    land(home)
    anew = anothers(home, tmp_path)
    take_over(anew)
    held = holder(anew)
    assert held is not None and held.proof
    bring_in(anew, SOURCE, [DAY])
    monkeypatch.setenv("RELIABILITY_LANDING_URL", str(home.landing_url))
    monkeypatch.setenv("RELIABILITY_LANDING_KEY", f"file:{key}")
    said = CliRunner().invoke(cli, ["doctor", "--json", "--home", str(anew.home)]).stdout
    [bucket] = [one for one in json.loads(said) if one["what"] == "landing bucket"]
    assert bucket["ok"] and bucket["says"].endswith(", encrypted")
    looked_anew()
    key.write_text(new_key())
    said = CliRunner().invoke(cli, ["doctor", "--json", "--home", str(anew.home)]).stdout
    [bucket] = [one for one in json.loads(said) if one["what"] == "landing bucket"]
    assert not bucket["ok"] and "with another key" in bucket["says"]


def test_a_delivery_that_the_key_does_not_open_is_refused_alone(
    home: Settings, store: ObjectStore, tmp_path: Path
) -> None:
    """Damaged, or encrypted for somebody else: the day goes on without it."""
    land(home)
    other = pyrage.x25519.Identity.generate()
    name = f"{root(home)}/{SOURCE}/landing_date={DAY}/theirs.parquet"
    store.system.pipe_file(name, pyrage.encrypt(b"for somebody else", [other.to_public()]))
    damaged = bytearray(store.system.cat_file(f"{root(home)}/{FIRST_BATCH}.parquet"))
    damaged[-3] ^= 1
    store.system.pipe_file(f"{root(home)}/{FIRST_BATCH}.parquet", bytes(damaged))
    bring_in(home, SOURCE, [DAY])
    found = {one.batch_id: one.status for one in admit(home, SOURCE, DAY)}
    assert sorted(found.values()).count("refused") == 2
    assert found[BATCHES[1].batch_id] == "admitted"


def test_a_decision_that_the_key_does_not_open_stops_and_names_it(home: Settings, store: ObjectStore) -> None:
    """Passed over, it would be as if nobody had decided."""
    path = home.decisions / SOURCE / DECISION
    write(home, path, b"{}\n")
    name = f"{root(home)}/_decisions/{SOURCE}/{DECISION}"
    assert is_encrypted(store.system.cat_file(name))
    other = pyrage.x25519.Identity.generate()
    store.system.pipe_file(name, pyrage.encrypt(b"{}", [other.to_public()]))
    with pytest.raises(
        EnvironmentUnusableError, match=rf"{SOURCE}/{DECISION} of decisions, in the place .* is damaged, or was enc"
    ):
        bring_in(home, SOURCE, [DAY])
    assert path.read_text() == "{}\n"
    store.system.rm_file(name)
    put_back(home, [path])
    bring_in(home, SOURCE, [DAY])
    assert is_encrypted(store.system.cat_file(name))


def test_a_key_without_a_place_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who sets it believes that landing is encrypted."""
    monkeypatch.setenv("RELIABILITY_LANDING_KEY", "env:KEY")
    with pytest.raises(UsageError, match=r"RELIABILITY_LANDING_KEY.*there is nothing to encrypt"):
        load_settings(tmp_path)
    monkeypatch.setenv("RELIABILITY_LANDING_URL", "s3://bucket")
    monkeypatch.setenv("RELIABILITY_LANDING_KEY", "AGE-SECRET-KEY-1XYZ")
    done = CliRunner().invoke(cli, ["incidents", "list", "--home", str(tmp_path)])
    assert done.exit_code != ExitCode.OK
    assert "XYZ" not in done.output
