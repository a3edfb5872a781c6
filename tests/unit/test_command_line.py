"""What an operator reads: one line that is true, an exit code that says of which kind it is, on any terminal."""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from reliability_platform.cli import options
from reliability_platform.cli.demo import approvals
from reliability_platform.cli.given_home import HOMELESS, for_given_home
from reliability_platform.cli.incidents import incidents
from reliability_platform.cli.main import COMMANDS, SECTIONS, cli, main
from reliability_platform.cli.options import held_words
from reliability_platform.cli.pipeline import _tell_incidents
from reliability_platform.cli.quarantine import quarantine
from reliability_platform.cli.stages import StageProgress
from reliability_platform.errors import EnvironmentUnusableError, ExitCode, HomeBusyError, PlatformError, UsageError
from reliability_platform.masking import MASK, error_text, operator_said, shown_path
from reliability_platform.settings import HOMES, PROJECT_ROOT
from reliability_platform.system_errors import foreseen

RELIABILITY = [sys.executable, "-m", "reliability_platform.cli"]


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (UsageError("wrong"), ExitCode.USAGE),
        (EnvironmentUnusableError("unusable"), ExitCode.ENVIRONMENT),
        (HomeBusyError("busy"), ExitCode.BUSY),
        (PlatformError("failed"), ExitCode.INTERNAL),
        (KeyError("who knows"), ExitCode.INTERNAL),
        (OSError(errno.ENOSPC, "No space left on device", "x"), ExitCode.ENVIRONMENT),
        (OSError(errno.EROFS, "Read-only file system", "x"), ExitCode.ENVIRONMENT),
        (PermissionError(errno.EACCES, "Permission denied", "x"), ExitCode.ENVIRONMENT),
        (OSError(errno.EMFILE, "Too many open files"), ExitCode.ENVIRONMENT),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), ExitCode.ENVIRONMENT),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "x"), ExitCode.ENVIRONMENT),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), ExitCode.ENVIRONMENT),
        (PermissionError("The AWS Access Key Id you provided does not exist"), ExitCode.INTERNAL),
        (MemoryError(), ExitCode.ENVIRONMENT),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
    ],
)
def test_an_exit_code_says_of_which_kind_the_failure_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], raised: BaseException, code: ExitCode
) -> None:
    """The truth table of the exit codes. Each failure is one line; none is a traceback."""

    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr("reliability_platform.lab.faults.catalogue.fault_named", fail)
    with pytest.raises(SystemExit) as stop:
        main(["faults", "show", "null_spike"])
    assert stop.value.code == code
    said = capfd.readouterr().err
    assert said.startswith("reliability: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({}, "0 landing partitions are held"),
        ({"orders/2026-01-03": ["a reason"]}, "1 landing partition is held"),
        (dict.fromkeys("ab"), "2 landing partitions are held"),
    ],
)
def test_the_number_of_held_partitions_agrees_with_its_noun(held: Mapping[str, object], said: str) -> None:
    """`run`, `backfill` and `publish` said "1 landing partitions are held", `snapshot create` "1 landing days"."""
    assert held_words(held) == said


def test_the_demo_says_in_one_sentence_what_it_approved() -> None:
    """Ten lines of batch names hid which actions had waited for a person."""
    asked = {"summary": "ask the source for the batches again", "action": "Ask orders again for …", "why": "…"}
    approved = [asked | {"incident": f"INC-000{number}-key_skew-orders-2026-01-03"} for number in (3, 1)]
    approved.append(asked | {"incident": "INC-0002-held_late-orders-2026-01-03", "summary": "let the held rows count"})
    assert approvals(approved) == (
        "ask the source for the batches again (INC-0001, INC-0003); let the held rows count (INC-0002)"
    )


def test_the_hint_of_a_run_names_an_incident_that_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    """`incidents show ID` had to be put together by hand from the line above; the worst comes first."""
    opened = {"INC-0001-null_spike-orders-2026-01-03": "P2", "INC-0002-pii_leak-web_events-2026-01-03": "P0"}
    _tell_incidents([{"id": one, "severity": how, "state": "open", "source": "orders"} for one, how in opened.items()])
    assert "reliability incidents show INC-0002-pii_leak-web_events-2026-01-03." in capsys.readouterr().out


def test_progress_in_a_file_stays_on_one_line() -> None:
    """The stages of the demo, written to a log, broke after 80 columns: "59.7" on one line and "s" on the next."""
    script = "from reliability_platform.cli.options import progress; progress.print('word ' * 20 + 'end')"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stderr.count("\n") == 1


def test_the_exit_codes_are_documented_where_people_look() -> None:
    """Code 5 was used and written down nowhere."""
    told = " ".join(CliRunner().invoke(cli, ["--help"]).output.split())
    readme = " ".join((PROJECT_ROOT / "docs" / "reference" / "command-line.md").read_text().split())
    for code in ExitCode:
        assert f" {code.value} {code.meaning}" in told
        assert f"| {code.value} | {code.meaning} |" in readme


def test_each_commands_line_in_the_root_help_is_its_own_first_sentence() -> None:
    """Two texts for one command had drifted apart for half of them."""

    def told(*words: str) -> str:
        return "".join(CliRunner().invoke(cli, [*words, "--help"]).output.split())  # a line may end after a hyphen

    for words, group in (((), cli), (("incidents",), incidents), (("quarantine",), quarantine)):
        whole = told(*words)
        for name in group.places:
            line = "".join(group.first_sentence(click.Context(group), name).split())
            assert line in whole
            assert line.rstrip(".") in told(*words, name)


@pytest.mark.parametrize("words", [("verfy",), ("incidents", "shwo")])
def test_a_slip_in_a_command_is_asked_back(capfd: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """`reliability verfy` was told that there is no such command, and not which one there is."""
    said = refusal(capfd, ExitCode.USAGE, *words)
    assert "Did you mean '" + {"verfy": "verify", "shwo": "show"}[words[-1]] in said


@pytest.mark.parametrize("words", [("faults", "list"), ("slo",), ("incidents", "classes"), ("alerts", "status")])
def test_a_terminal_that_is_not_utf8_gets_replacement_characters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """A dash in a table was a traceback under LANG=C."""
    (tmp_path / "landing").mkdir()
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    assert main(list(words)) == ExitCode.OK
    assert len(terminal.buffer.getvalue()) > 20  # type: ignore[attr-defined]


def test_a_reader_that_has_read_enough_hears_nothing_of_it() -> None:
    """`reliability faults list | head -1` is no failure to report."""
    command = f"{' '.join(RELIABILITY)} faults list; echo $? >&2"
    with subprocess.Popen(
        ["bash", "-c", f"({command}) | true"], cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True
    ) as shell:
        _, said = shell.communicate(timeout=120)
    assert said == f"{ExitCode.NO_READER.value}\n"


def test_a_closed_stream_is_no_fault() -> None:
    """A daemon without streams of its own runs the same commands."""
    command = f"{' '.join(RELIABILITY)} faults list >&-"
    done = subprocess.run(["bash", "-c", command], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def refusal(capfd: pytest.CaptureFixture[str], code: ExitCode, *words: str) -> str:
    """The one line with which a command refuses to run."""
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    said = capfd.readouterr().err
    assert (stop.value.code, said.count("\n")) == (code, 1), said
    return said


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("gs://secret/x", ExitCode.ENVIRONMENT, "gcsfs"),
        ("nowhere://secret/x", ExitCode.USAGE, "cannot be reached (ValueError)"),
        # A bucket without its protocol was a folder of the folder in which the command was called.
        ("secret/x", ExitCode.USAGE, "RELIABILITY_SNAPSHOT_URL is a path that begins nowhere"),
    ],
)
def test_a_place_of_snapshots_that_cannot_be_opened_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    url: str,
    code: ExitCode,
    says: str,
) -> None:
    """`(ImportError)` was all that was said of a package that is not installed."""
    monkeypatch.setenv("RELIABILITY_SNAPSHOT_URL", url)
    said = refusal(capfd, code, "snapshot", "list", "--home", str(tmp_path))
    assert says in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        (
            "postgrsql://me:secret@localhost/db",
            ExitCode.USAGE,
            "a database 'postgrsql', and the store is one of SQLite or",
        ),
        ("Postgresql://me:secret@localhost/db", ExitCode.USAGE, "PostgreSQL: write postgresql://"),
        ("duckdb:///secret", ExitCode.USAGE, "a database 'duckdb', and the store is one of SQLite or PostgreSQL."),
        (
            "postgresql+nodriver://me:secret@localhost/db",
            ExitCode.USAGE,
            "'nodriver' that SQLAlchemy does not know for",
        ),
        ("sqlite://", ExitCode.USAGE, "a SQLite database in memory"),
        ("sqlite:///:memory:", ExitCode.USAGE, "a SQLite database in memory"),
        ("sqlite:///file:x?mode=memory&uri=true", ExitCode.USAGE, "a SQLite database in memory"),
        ("mysql://me:secret@localhost/db", ExitCode.USAGE, "a database 'mysql', and the store is one of SQLite or"),
        (
            "postgresql+pg8000://me:secret@localhost/db",
            ExitCode.ENVIRONMENT,
            "the driver pg8000, which is not installed",
        ),
        ("nonsense-secret", ExitCode.USAGE, "no URL of a database"),
        ("postgresql://me:secret@localhost:port/db", ExitCode.USAGE, "RELIABILITY_OPERATIONS_URL"),
        ("sqlite:////nowhere/at/all/secret.db", ExitCode.ENVIRONMENT, "cannot be used (No such file or directory)"),
    ],
)
def test_a_url_of_the_operations_store_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    url: str,
    code: ExitCode,
    says: str,
) -> None:
    """Forty lines of traceback said less, and the password must never be among what is said."""
    monkeypatch.setenv("RELIABILITY_OPERATIONS_URL", url)
    (tmp_path / "landing").mkdir()
    said = refusal(capfd, code, "incidents", "list", "--home", str(tmp_path))
    if "sqlite" not in url:
        assert "secret" not in said
    assert says in said or "postgresql://" in url


def test_an_operators_own_words_come_back_and_delivered_ones_do_not(tmp_path: Path) -> None:
    """`Permission denied: •••` helps nobody; the name in a delivered file's name is nobody's business."""
    HOMES.add(str(tmp_path))
    day = tmp_path / "landing" / "orders" / "landing_date=2026-01-02"
    ours, somebodys = day / "orders-20260102-01.parquet", day / "Erika Mustermann.parquet"
    denied = PermissionError(errno.EACCES, "Permission denied", str(ours))
    assert error_text(denied) == f"PermissionError: Permission denied: {ours}"
    assert shown_path(somebodys) == f"{day}/Xxxxx Xxxxxxxxxx.xxxxxxx"
    assert str(ours) in error_text(f"OSError: [Errno 13] Permission denied: '{ours}'")
    assert "Mustermann" not in error_text(f"OSError: [Errno 13] Permission denied: '{somebodys}'")
    assert shown_path("/mnt/Erika Mustermann") == MASK
    operator_said(["--table", "int_nothing", "--specification=/opt/spec", "Erika is here"])
    assert error_text(KeyError("int_nothing")) == "KeyError: 'int_nothing'"
    assert error_text(FileNotFoundError(errno.ENOENT, "x", "/opt/spec/a.json")).endswith("/opt/spec/a.json")
    assert MASK in error_text(ValueError("Erika"))
    assert error_text(KeyError("customer_id")) == "KeyError: 'customer_id'"
    with pytest.raises(ImportError) as missing:
        __import__("no_such_driver")
    assert error_text(missing.value) == "ModuleNotFoundError: there is no module no_such_driver"


def test_what_a_library_raised_is_found_below_what_wraps_it(tmp_path: Path) -> None:
    """SQLAlchemy and Dagster put errors of the system into their own."""
    wrapped = RuntimeError("something failed")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    found = foreseen(wrapped, tmp_path)
    assert isinstance(found, EnvironmentUnusableError)
    assert str(found).startswith("No space left on device: make room")
    assert foreseen(RuntimeError("something failed"), tmp_path) is None


@pytest.mark.parametrize("words", [("snapshot", "create"), ("incidents", "show", "INC-7")])
def test_a_command_that_an_error_names_is_for_the_home_that_was_given(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Forty texts from outside of the command line named commands that would have gone to another home."""
    home = tmp_path / "at [home]"
    (home / "landing").mkdir(parents=True)
    said = refusal(capfd, ExitCode.USAGE, *words, "--home", str(home))
    assert f" --home '{home}'`" in said
    assert refusal(capfd, ExitCode.USAGE, *words, f"--home={home}") == said


def test_a_command_that_a_printed_text_names_is_for_the_home_that_was_given(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With or without markup, once, and not where there is no such option."""

    @click.command()
    @click.option("--home")
    def tell(home: str) -> None:
        del home
        text = "Try `reliability heal`, `reliability run --home b` or `reliability generate`; [b]`reliability slo`[/b]."
        options.people.print(text)
        options.people.print(text, markup=False)

    for home in ([], ["--home", "[b]"]):
        option = " --home '[b]'" if home else ""
        tell.main(home, standalone_mode=False)
        marked, plain = capfd.readouterr().out.splitlines()
        assert marked == (
            f"Try `reliability heal{option}`, `reliability run --home b` or `reliability generate`; `reliability slo{option}`."
        )
        assert plain == marked.replace("`reliability slo", "[b]`reliability slo").replace("`.", "`[/b].")


def test_the_commands_that_have_no_home_are_those() -> None:
    """A hint with an option that the command does not take is refused when it is typed."""

    def without(command: click.Command, words: str) -> Iterator[str]:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from without(below, f"{words} {name}".strip())
        if not any("--home" in one.opts for one in command.params) and not isinstance(command, click.Group):
            yield words

    found = list(without(cli, ""))
    assert [one for one in found if for_given_home(f"`reliability {one}`", " --home x") != f"`reliability {one}`"] == []
    assert {next(one for one in HOMELESS if name.startswith(one)) for name in found} == set(HOMELESS)


def test_help_fits_a_terminal_of_80_columns_and_has_each_command_in_one_section() -> None:
    """Whoever is on call looks under a heading, not through forty lines."""
    assert [word for words in SECTIONS.values() for word in words] == list(COMMANDS)
    told = CliRunner().invoke(cli, ["--help"], terminal_width=80).output
    assert all(f"\n{heading}:\n" in told for heading in SECTIONS)
    assert [line for line in told.splitlines() if len(line) > 80] == []


def test_a_run_tells_each_of_its_stages_once_and_in_order() -> None:
    """A run of a minute said "run: pipeline" and nothing more."""
    told: list[str] = []
    progress = StageProgress(told.append, iter([0.0, 10.0, 12.4, 20.0, 60.0, 61.0]).__next__)
    progress.on_run("pipeline")
    for step in (
        "landing__orders",
        "bronze__orders",
        "landing__payments",
        "bronze__payments",
        "dbt",
        "odd",
        "published",
    ):
        progress.on_step(step)
    assert told == [
        "run: pipeline",
        "  1/5 land (2 s)",
        "  2/5 admit (10 s)",
        "  3/5 build (50 s)",
        "  5/5 publish (51 s)",
    ]


def test_a_shell_completes_commands_options_and_values() -> None:
    """By the lines that `reliability completion` prints, and without loading what takes a second."""
    assert "_RELIABILITY_COMPLETE=bash_complete" in CliRunner().invoke(cli, ["completion", "bash"]).output
    line = {"COMP_WORDS": "reliability incidents re", "COMP_CWORD": "2", "_RELIABILITY_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "reliability_platform.cli"],
        env={**os.environ, **line},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [f"plain,{word}" for word in ("rejected", "report", "resolve", "reopen", "recurring")]
    assert "sqlalchemy" not in done.stderr
