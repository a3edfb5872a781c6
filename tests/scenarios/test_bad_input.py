"""Whatever a person gets wrong is one line that says what to do, an exit code by kind, and nothing changed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from reliability_platform.cli.main import main
from reliability_platform.errors import ExitCode
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings

RELIABILITY = str(Path(sys.executable).parent / "reliability")


def refused(*words: str, home: Path) -> tuple[int, str]:
    """Exit code and what stderr says."""
    done = subprocess.run(
        [RELIABILITY, *words, "--home", str(home)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "", done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr.strip()


@pytest.fixture
def refused_here(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """The same without a process of its own: the command line is the same function, and takes no seconds to start."""

    def run(*words: str, home: Path) -> tuple[int, str]:
        monkeypatch.setenv("RELIABILITY_HOME", "")  # put back afterwards
        monkeypatch.setenv("DAGSTER_HOME", "")
        with pytest.raises(SystemExit) as stop:
            main([*words, "--home", str(home)])
        said = capfd.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err, said.err
        assert isinstance(stop.value.code, int)
        return stop.value.code, said.err.strip()

    return run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("inject", "null_spik", "--source", "orders", "--date", "2026-01-03"), "There is no fault 'null_spik'"),
        (("inject", "null_spike", "--source", "ordres", "--date", "2026-01-03"), "There is no source 'ordres'"),
        (("inject", "corrupt_payloads", "--source", "orders", "--date", "2026-01-03"), "use web_events"),
        (("inject", "null_spike", "--source", "orders", "--date", "2099-01-03"), "is not over yet"),
        (("inject", "null_spike", "--source", "orders", "--date", "3rd of May"), "write it as YYYY-MM-DD"),
        (("inject", "null_spike", "--source", "orders", "--date", "1999-01-03"), "before the platform's first day"),
        (("inject", "null_spike", "--source", "orders", "--date", "2026-01-03", "--magnitude", "huge"), "magnitude"),
        (("run", "--from", "2026-01-09", "--to", "2026-01-02"), "give the earlier day first"),
        (("demo", "--plan", "no-such-plan"), "There is no plan"),
        (("demo", "--days", "9"), "outside the window"),
        (("demo", "--days", "3000"), "reaches into the future"),
        (("verify",), "Nothing is published yet"),
        (("publish", "--rollback"), "Nothing is published yet"),
        (("incidents", "show", "INC-0001"), "There is no incident"),
    ],
)
def test_a_wrong_request_is_one_line(
    tmp_path: Path, refused_here: Callable[..., tuple[int, str]], words: tuple[str, ...], says: str
) -> None:
    """Exit code 2, one line, nothing written."""
    (tmp_path / "home" / "published").mkdir(parents=True)
    code, text = refused_here(*words, home=tmp_path / "home")
    assert says in text
    assert code == ExitCode.USAGE
    assert not (tmp_path / "home" / "landing").exists()
    assert not (tmp_path / "home" / "faults").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "name: x\ninjections:\n  - {fault: null_spike, source: orders, day: 2, sice: big}\n",
            "line 3: injections.0.sice",
        ),
        ("name: x\ninjections: [{fault: null_spike", "line 2 is not YAML"),
        ("name: x\ninjections:\n  - {fault: null_spike, source: orders}\n", "give either day"),
        ("- just a list\n", "line 1"),
        (
            "name: x\ninjections:\n  - {fault: null_spike, source: orders, day: 2}\n"
            "  - {fault: volume_drop, source: orders, day: 2}\n",
            "each need all of what orders delivers on 2026-01-02",
        ),
    ],
)
def test_a_broken_plan_names_its_line(
    tmp_path: Path, refused_here: Callable[..., tuple[int, str]], text: str, says: str
) -> None:
    """Unknown keys, broken YAML, contradictions: refused before anything is written."""
    plan = tmp_path / "plan.yml"
    plan.write_text(text)
    code, said = refused_here("demo", "--plan", str(plan), home=tmp_path / "home")
    assert says in said
    assert code == ExitCode.USAGE
    assert not (tmp_path / "home" / "landing").exists()


def test_a_second_demo_in_the_same_home_is_refused_at_once(tmp_path: Path) -> None:
    """Two at once would destroy each other's proof."""
    home = tmp_path / "home"
    home.mkdir()
    with FileLock(home / ".session.lock"):
        code, text = refused("demo", home=home)
    assert "Another command is at work" in text
    assert code == ExitCode.BUSY


def test_the_demo_never_overwrites_data_that_it_did_not_make(tmp_path: Path) -> None:
    """Somebody's folder is not a playground."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")
    code, text = refused("demo", home=home)
    assert "holds data that the demo did not make" in text
    assert code == ExitCode.USAGE
    assert (home / "thesis.txt").read_text() == "years of work"


def test_an_unusable_home_is_said_in_words(tmp_path: Path) -> None:
    """A file where the home should be (a read-only folder would not stop root)."""
    (tmp_path / "file").write_text("")
    code, text = refused("demo", home=tmp_path / "file" / "home")
    assert "choose another with --home" in text
    assert code == ExitCode.ENVIRONMENT


def test_a_missing_and_a_corrupt_warehouse_are_said_in_words(tmp_path: Path) -> None:
    """Neither a stack trace nor silence."""
    home = tmp_path / "home"
    (home / "published").mkdir(parents=True)
    code, text = refused("quarantine", "show", "orders-20260101-01", home=home)
    assert (code, "does not exist" in text) == (ExitCode.ENVIRONMENT, True)
    (home / "warehouse.duckdb").write_bytes(b"this is no database" * 1000)
    code, text = refused("quarantine", "show", "orders-20260101-01", home=home)
    assert (code, "rebuild it" in text) == (ExitCode.ENVIRONMENT, True)


def test_the_same_injection_once_more_changes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after all was done, it is simply run again; a size of its own beside it is a contradiction."""
    for name in ("RELIABILITY_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")  # put back afterwards
    home = tmp_path / "home"
    operations_engine(load_settings(home))
    words = ["inject", "late_events", "--source", "web_events", "--date", "2026-01-02", "--home", str(home)]
    assert main(words) == ExitCode.OK
    said = capfd.readouterr().out
    assert "Nothing of web_events had landed on 2026-01-02" in said, "a day beside those of the home was taken silently"
    assert f"reliability run --from 2026-01-02 --to 2026-01-04 --home {home}" in said, "the hint was for another home"
    landed = {path: path.read_bytes() for path in (home / "landing").rglob("*") if path.is_file()}
    plan = next((home / "faults").glob("*plan*")).read_bytes()
    assert main(words) == ExitCode.OK
    assert "already" in capfd.readouterr().out
    assert {path: path.read_bytes() for path in (home / "landing").rglob("*") if path.is_file()} == landed
    assert next((home / "faults").glob("*plan*")).read_bytes() == plan
    with pytest.raises(SystemExit) as stop:
        main([*words, "--magnitude", "large"])
    assert stop.value.code == ExitCode.USAGE
