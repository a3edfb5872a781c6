"""A landing bucket is one home's: another one is refused in one line, until a person lets it take the bucket over."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reliability_platform.audit_log import AuditLog
from reliability_platform.cli.main import cli, main
from reliability_platform.elsewhere import Elsewhere
from reliability_platform.errors import EnvironmentUnusableError, ExitCode, UsageError
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.landing import bucket_holder
from reliability_platform.landing.bucket_holder import LOOK_SECONDS, MARKER, ensure_held, holder, take_over
from reliability_platform.landing.working_copy import bring_in
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import home_id, identify
from reliability_platform.settings import Settings, load_settings
from tests.object_store import ObjectStore
from tests.unit.broken_home import BrokenHome

SOURCE, DAY = "orders", BrokenHome.DAY


@pytest.fixture
def first(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home that holds the bucket."""
    monkeypatch.setenv("RELIABILITY_LANDING_URL", bucket)
    monkeypatch.setenv("RELIABILITY_INSTALLATION", "airline")
    return begun(tmp_path / "first")


def begun(home: Path) -> Settings:
    """A home with an identity of its own."""
    settings = load_settings(home)
    identify(settings, operations_engine(settings))
    return settings


def asked(home: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--home", str(home)])


def bucket_says(home: Path) -> tuple[bool, str]:
    """What the doctor says of the bucket."""
    found = {one["what"]: one for one in json.loads(asked(home, "doctor", "--json").stdout)}
    return found["landing bucket"]["ok"], found["landing bucket"]["says"]


def marker(store: ObjectStore, settings: Settings) -> str:
    """The object that says who holds the bucket."""
    return f"{str(settings.landing_url).removeprefix('s3://')}/{MARKER}"


@pytest.mark.parametrize("is_written", [False, True])
def test_who_dies_while_it_takes_a_bucket_over_has_it_or_not_and_takes_it_again(
    first: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    bring_in(first, SOURCE, [DAY])
    second = begun(tmp_path / "second")
    write = Elsewhere.write

    def dying(place: Elsewhere, target: str, content: bytes, *, over: str | None = None) -> None:
        if is_written:
            write(place, target, content, over=over)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Elsewhere, "write", dying)
        take_over(second)
    held = holder(second)
    assert held is not None and held.home == home_id(second if is_written else first)
    assert asked(second.home, "take-over", "--yes", "--why", "the first is lost").exit_code == ExitCode.OK
    held = holder(second)
    assert held is not None and held.home == home_id(second)
    assert AuditLog(operations_engine(second)).all()[-1].command == "take-over"
    bring_in(load_settings(second.home), SOURCE, [DAY])


PLACES = {
    "memory": ("memory://landing", "names memory, which ends with the process"),
    "the home": ("{home}", "a folder of the home itself"),
    "below the home": ("file://{home}/landing/place", "a folder of the home itself"),
    "by a link": ("{link}/place", "a folder of the home itself"),
    "a file": ("{file}", "names is a file"),
    "through a file": ("{file}/place", "names leads through a file"),
}


@pytest.mark.parametrize("what", PLACES)
def test_a_place_that_cannot_keep_anything_is_refused_by_the_name_of_its_setting(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, link, file = tmp_path / "home", tmp_path / "link", tmp_path / "file"
    begun(home)
    link.symlink_to(home)
    file.touch()
    url, words = PLACES[what]
    monkeypatch.setenv("RELIABILITY_LANDING_URL", url.format(home=home, link=link, file=file))
    for ask in (lambda: bring_in(load_settings(home), SOURCE, [DAY]), lambda: holder(load_settings(home))):
        with pytest.raises((UsageError, EnvironmentUnusableError), match=f"RELIABILITY_LANDING_URL .*{words}|{words}"):
            ask()
    assert not bucket_says(home)[0]


def test_a_folder_by_a_link_is_a_place_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mounted disk, say."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    monkeypatch.setenv("RELIABILITY_LANDING_URL", str(tmp_path / "link" / "landing"))
    home = begun(tmp_path / "home")
    bring_in(home, SOURCE, [DAY])
    assert (tmp_path / "disk" / "landing" / MARKER).is_file()
    assert bucket_says(home.home)[0]


def test_the_first_home_holds_the_bucket_and_another_is_refused_until_it_takes_it_over(
    first: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring_in(first, SOURCE, [DAY])
    held = holder(first)
    assert held is not None and held.installation == "airline"
    second = tmp_path / "second"
    Simulation(seed=3, events_per_day=400).save(load_settings(second))
    run = ["backfill", "--from", str(DAY), "--to", str(DAY), "--home", str(second)]
    with pytest.raises(SystemExit) as ended:
        main(run)
    said = capsys.readouterr().err.strip()
    assert ended.value.code == ExitCode.ENVIRONMENT
    assert said.count("\n") == 0, said
    assert f"is held by the home {held.home[:8]} (installation airline, since " in said
    assert "take it over with `reliability take-over" in said

    refused = asked(second, "take-over", "--yes")
    assert refused.exit_code and holder(first) == held, "a reason is asked for"
    assert asked(second, "take-over", "--yes", "--why", "the first is lost", "--json").exit_code == ExitCode.OK
    bring_in(load_settings(second), SOURCE, [DAY])
    with pytest.raises(EnvironmentUnusableError, match="and not by this one"):
        bring_in(first, SOURCE, [DAY])
    entry = AuditLog(operations_engine(load_settings(second))).all()[-1]
    assert entry.command == "take-over" and held.home[:8] in entry.what


def test_a_home_whose_bucket_was_taken_over_notices_it_within_a_minute(
    first: Settings, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request a minute: a daemon that goes on lands nothing after that."""
    ensure_held(first)
    theirs = json.loads(store.system.cat_file(marker(store, first))) | {"home": "another"}
    store.system.pipe_file(marker(store, first), json.dumps(theirs).encode())
    ensure_held(first)
    monkeypatch.setattr(bucket_holder, "LOOK_SECONDS", 0.0)
    with pytest.raises(EnvironmentUnusableError, match="held by the home another"):
        ensure_held(first)
    assert LOOK_SECONDS <= 60


def test_of_two_homes_that_begin_at_once_one_holds_the_bucket(
    first: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that nobody does."""
    second = begun(tmp_path / "second")
    read = bucket_holder._read
    ensure_held(first)
    seen_none = [None]
    monkeypatch.setattr(bucket_holder, "_read", lambda place: seen_none.pop() if seen_none else read(place))
    with pytest.raises(EnvironmentUnusableError, match="and not by this one"):
        ensure_held(second)


def test_the_doctor_says_who_holds_a_bucket_also_before_there_is_a_home(first: Settings, tmp_path: Path) -> None:
    none = tmp_path / "none"
    assert bucket_says(none) == (True, "it answers, and no home holds it yet: the first that lands there does")
    ensure_held(first)
    ok, says = bucket_says(none)
    assert ok and "(installation airline, since" in says and "`reliability restore --everything" in says
    assert not none.exists(), "who looks makes no home"
    assert bucket_says(first.home)[1].startswith("it is held by this home: the home ")
    ok, says = bucket_says(begun(tmp_path / "second").home)
    assert not ok and "reliability take-over" in says


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"home": "x\\n[red]", "installation": "a", "since": "2026-01-01"}',
        b"[" * 3_000,
        b" " * 5_000 + b'{"home": "x", "installation": "a", "since": "2026-01-01T00:00:00+00:00"}',
        b'{"home": "x", "installation": "a", "since": "0001-01-01T00:00:00+14:00"}',
    ],
    ids=["empty", "no object", "markup", "deep", "large", "before the calendar"],
)
def test_a_file_that_does_not_say_who_holds_the_bucket_is_named_and_can_be_written_anew(
    content: bytes, first: Settings, store: ObjectStore
) -> None:
    """Nobody lands where it cannot be told whose that is; nothing of what somebody wrote there is shown."""
    store.system.pipe_file(marker(store, first), content)
    with pytest.raises(EnvironmentUnusableError, match="does not say which home holds it") as said:
        ensure_held(first)
    assert "red" not in str(said.value)
    assert take_over(first) is None
    ensure_held(first)


def test_a_folder_is_held_as_a_bucket_is(tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    one, other = (begun(tmp_path / name).model_copy(update={"landing_url": place}) for name in ("one", "other"))
    ensure_held(one)
    with pytest.raises(EnvironmentUnusableError, match="and not by this one"):
        ensure_held(other)
    assert take_over(other) is not None
    ensure_held(other)
