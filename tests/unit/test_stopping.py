"""A signal ends any command with one line, its exit code, and no child left behind."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunnerResult

from reliability_platform.causes import STOPPED
from reliability_platform.cli.main import COMMANDS
from reliability_platform.cli.stopping import BEGINS_ANEW, ENDED, GOES_ON, GRACE_SECONDS, LINES
from reliability_platform.ending import STOPPED_WORDS, forget_stops, note_stop
from reliability_platform.errors import StoppedError
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.run_endings import RunEndings
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_runner import _raise_what_went_wrong
from reliability_platform.warehouse.journal import FAILED, BuildJournal

STUBBORN = """
import multiprocessing, subprocess, sys, time
from reliability_platform.cli.stopping import stoppable
lock = multiprocessing.get_context('spawn').Lock()  # Python keeps account of it in a process of its own
with stoppable():
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
    print(child.pid, flush=True)
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        raise RuntimeError('a library made something else of it')
"""


OF_ANOTHER = """
import subprocess, sys
from reliability_platform.cli.stopping import stoppable
child = [sys.executable, '-c', 'import time; time.sleep(600)']
mine = subprocess.Popen(child)
try:
    with stoppable():
        its = subprocess.Popen(child)
        raise KeyboardInterrupt
except SystemExit:
    print(mine.poll(), its.poll() is None)
    mine.kill()
"""


def test_a_stopped_command_ends_the_processes_that_it_has_started_and_no_others() -> None:
    """A command that was called within a process ended all children of that process: the database server of the tests."""
    ended = subprocess.run([sys.executable, "-c", OF_ANOTHER], capture_output=True, text=True, timeout=120)
    assert (ended.stdout.split(), ended.stderr) == (["None", "False"], ENDED)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_one_line_whatever_a_library_makes_of_it(number: signal.Signals, code: int) -> None:
    """dbt made a failed result of an interrupt, SIGTERM left without a word, and children went on. Python's own child, that keeps account of
    semaphores, was ended as well, came back and printed a traceback.
    """
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (code, ENDED)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists()


SAID = """
import os, signal, sys
from reliability_platform.cli.stopping import stoppable
with stoppable(sys.argv[1:]):
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
"""


@pytest.mark.parametrize(
    ("words", "line"),
    [(["run", "--json"], GOES_ON), (["demo"], BEGINS_ANEW), (["sources", "serve"], ENDED), (["dev"], ENDED)],
)
def test_each_command_that_is_stopped_says_what_is_true_of_it(words: list[str], line: str) -> None:
    """The demo said "run the command again to go on", and began from the start; a server has nothing to go on with."""
    done = subprocess.run([sys.executable, "-c", SAID, *words], stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == line


def test_what_a_stop_says_on_a_terminal_is_a_line_of_its_own() -> None:
    """It stood behind the terminal's echo of the key: `^Creliability: stopped`."""
    reader, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", SAID, "dev"], stderr=terminal, check=False)
    os.close(terminal)
    assert os.read(reader, 4096).decode().replace("\r\n", "\n") == f"\n{ENDED}"
    os.close(reader)


def test_the_lines_of_a_stop_are_of_commands_that_there_are() -> None:
    """One that is renamed would silently say less than is true."""
    assert set(LINES) <= set(COMMANDS)


MISTAKEN = """
import os, signal, sys
import reliability_platform.lab.faults.catalogue as catalogue
from reliability_platform.cli.main import main

def stopped(name):
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
        signal.pause()
    except KeyboardInterrupt:
        raise ValueError('a run failed') from None

catalogue.fault_named = stopped
main(['faults', 'show', 'null_spike'])
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_a_library_makes_of_a_signal_is_not_told_as_an_error(number: signal.Signals, code: int) -> None:
    """`reliability run` said first that the run of the pipeline had failed, and looked for incidents meanwhile."""
    done = subprocess.run(
        [sys.executable, "-c", MISTAKEN, str(int(number))], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (code, ENDED)


ABORTING = """
import ctypes
libc = ctypes.CDLL(None)
libc.on_exit(libc.abort, None)  # as the destructor of a thread that was interrupted does
"""


@pytest.mark.skipif(sys.platform != "linux", reason="on_exit is of the GNU C library")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_libraries_do_at_the_very_end_changes_neither_line_nor_exit_code(
    number: signal.Signals, code: int
) -> None:
    """`heal` that was stopped while DuckDB wrote said `terminate called without an active exception`, and ended with 134."""
    script = ABORTING + MISTAKEN.replace("main([", "sys.argv[1:] = ([").replace("int(sys.argv[1])", str(int(number)))
    done = subprocess.run(
        [sys.executable, "-c", script + "\nmain()"], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (code, ENDED)


def test_an_interrupt_of_dbt_is_one_of_the_command() -> None:
    """dbt hands it back as a result: the build was journaled as one that "could not run", and the command went on."""
    with pytest.raises(StoppedError):
        _raise_what_went_wrong(dbtRunnerResult(success=False, exception=StoppedError(signal.SIGINT)))


def test_a_command_is_stoppable_from_its_first_import_on(tmp_path: Path) -> None:
    """The second of loading is when people see that they have typed the wrong thing."""
    words = [sys.executable, "-X", "importtime", "-m", "reliability_platform.cli", "run", "--from", "2026-01-01"]
    with subprocess.Popen(
        [*words, "--to", "2026-01-02", "--home", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "reliability_platform.settings" in line:
                break
        process.send_signal(signal.SIGTERM)
        said = "".join(one for one in process.stderr if not one.startswith("import time"))
        assert process.wait(timeout=120) == 143
    assert said == GOES_ON


STUCK = """
import sys, time
from datetime import date
from pathlib import Path
from reliability_platform.cli.stopping import stoppable
from reliability_platform.clock import utc_now
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.run_endings import RunEndings
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.journal import BuildJournal

settings = load_settings(Path(sys.argv[1]))
settings.dagster_home.mkdir(parents=True)
journal = BuildJournal(operations_engine(settings), settings.builds)
with stoppable():
    number = journal.begin(date(2026, 1, 1), date(2026, 1, 2), utc_now())
    endings = RunEndings(settings.dagster_home)
    endings.reserve("a run")
    for _ in range(2):
        try:
            print(flush=True)
            time.sleep(600)
        except KeyboardInterrupt:  # as a statement of DuckDB that runs until its end
            pass
    time.sleep(600)
"""


def test_what_is_ended_in_the_middle_by_a_second_ctrl_c_was_stopped_and_not_killed(tmp_path: Path) -> None:
    """A P1 said that a process had been killed; a person had pressed Ctrl-C and had not waited for a long build."""
    settings = load_settings(tmp_path)
    with subprocess.Popen([sys.executable, "-c", STUCK, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    [build] = BuildJournal(operations_engine(settings), settings.builds).troubled()
    assert (build.outcome, build.error) == (FAILED, STOPPED_WORDS)
    word = RunEndings(settings.dagster_home).told("a run")
    assert (word and word.outcome) == STOPPED.name


DROPPED = """
import time
from reliability_platform.cli.stopping import stoppable
class Made:
    def __del__(self):
        print('here', flush=True)
        time.sleep(600)
with stoppable():
    made = Made()
    del made
    time.sleep(600)
"""


def test_an_interrupt_that_python_drops_is_said_again() -> None:
    """In a destructor it was a traceback, and the run went on to its end with exit code 0; a thread that slept was not woken
    by the second one, and ended by force after 20 s.
    """
    with subprocess.Popen(
        [sys.executable, "-c", DROPPED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        time.sleep(0.5)  # into the sleep of the destructor
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, said = process.communicate(timeout=120)
        assert time.monotonic() - began < GRACE_SECONDS
    assert (process.returncode, said) == (128 + signal.SIGINT, ENDED)


def test_what_goes_wrong_after_a_stop_is_the_stop(request: pytest.FixtureRequest) -> None:
    """A check that DuckDB broke off for it held a day, and an error of dbt was an incident."""
    begun = []

    @redact_errors
    def step() -> None:
        begun.append(True)
        note_stop(signal.SIGINT)
        raise RuntimeError("a library made something else of it")

    request.addfinalizer(forget_stops)
    for _ in range(2):
        with pytest.raises(StoppedError):
            step()
    assert begun == [True], "no step begins after it"
