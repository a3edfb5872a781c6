"""Processes that the lab forks: begun like programs, killed for real, and never outliving who began them."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reliability_platform.lab.faults.run import _obey_permissions

WORK = """
import multiprocessing, os, sys, time
from pathlib import Path

def main(place, seconds):
    kept = multiprocessing.get_context("spawn").Lock()  # as dbt has some
    print("nobody hears this")
    Path(place).write_text(f"{os.getpid()} {os.environ.get('SAID')} {os.environ.get('PATH')} {os.umask(0o22):o}")
    time.sleep(seconds)
    sys.exit(7)

def before():
    os.umask(0o77)
"""
PROGRAM = """
import multiprocessing, sys, time
from pathlib import Path
from reliability_platform.lab import processes
from work import before

if __name__ == "__main__":
    processes.PRELOADED = "json"
    kept = multiprocessing.get_context("spawn").Lock()  # the account of semaphores has begun
    done = processes.begin("work", "done", 0, environment={"SAID": "this"}, before=before)
    print(processes.end_of(done, 30))
    killed = processes.begin("work", "killed", 60)
    while not Path("killed").exists() or not Path("killed").read_text():
        time.sleep(0.01)
    killed.kill()
    print(processes.end_of(killed, 30))
    left = processes.begin("work", "left", 60)
    try:
        processes.end_of(left, 0.01)
    except TimeoutError as error:
        print(error)
    while not Path("left").exists() or not Path("left").read_text():
        time.sleep(0.01)
    if "dies" in sys.argv:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
"""


def _runs(pid: int) -> bool:
    """Whether a process is there, and is no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("end", ["ends", "dies"])
def test_a_forked_process_is_a_program_that_ends_with_the_one_that_began_it(tmp_path: Path, end: str) -> None:
    """A kill leaves neither a warning of Python on the terminal nor a process; a demo that is killed leaves no build behind."""
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "program.py").write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, "program.py", end],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert ran.returncode == (0 if end == "ends" else -signal.SIGKILL)
    if end == "ends":
        assert ran.stderr == ""
        said = ran.stdout.splitlines()
        assert said[:2] == ["7", str(-signal.SIGKILL)]
        assert "has not ended within 0.01 s" in said[2]
    assert (tmp_path / "done").read_text().split(maxsplit=1)[1] == "this None 77"
    assert (tmp_path / "killed").read_text().split()[1] == "None"
    left = int((tmp_path / "left").read_text().split()[0])
    deadline = time.monotonic() + 10
    while _runs(left) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(left)


def test_a_process_that_gives_its_rights_up_cannot_write_what_is_read_only(tmp_path: Path) -> None:
    """As root a file without the right to write it could be written all the same, and the fault would be none."""
    file = tmp_path / "file"
    file.write_text("kept")
    file.chmod(stat.S_IRUSR)
    process = os.fork()
    if process == 0:
        code = 1
        try:
            _obey_permissions()
            file.write_text("written")
        except PermissionError:
            code = 7
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert file.read_text() == "kept"
