"""Ctrl-C on a real terminal, which sends SIGINT to every process of the command at once."""

import os
import pty
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reliability_platform.cli.stopping import BEGINS_ANEW, ENDED, GOES_ON
from reliability_platform.errors import ExitCode

CTRL_C = b"\x03"
PATIENCE_SECONDS = 300.0


def interrupted(words: list[str], under_way: Callable[[int, str], bool]) -> tuple[int, str]:
    """Run `reliability` on a terminal of its own, press Ctrl-C once it is under way; its exit code, and what was said after."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "reliability_platform.cli", *words])  # noqa: S606 (the terminal is this process)
    said, pressed_at = "", -1
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if pressed_at < 0 and under_way(process, said):
            os.write(terminal, CTRL_C)
            pressed_at = len(said)
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the last process of the terminal is gone
                break
            if not piece:
                break
            said += piece.decode(errors="replace")
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert pressed_at >= 0, f"it was never under way: {said}"
    return os.waitstatus_to_exitcode(status), said[pressed_at:].replace("\r\n", "\n").removeprefix("^C\n")


def children(process: int) -> list[int]:
    """The processes that it has started and that have not ended."""
    return [
        int(one) for task in Path(f"/proc/{process}/task").iterdir() for one in (task / "children").read_text().split()
    ]


def builds(home: Path) -> Callable[[int, str], bool]:
    """A build of the home is running: Dagster is in the middle of a step."""
    return lambda _process, _said: any(home.glob("builds/*.lock"))


@pytest.mark.exhaustive  # 8 s; test_stopping holds it for every signal
def test_ctrl_c_during_a_run_is_one_line(tmp_path: Path) -> None:
    """Two helpers of Dagster, started for each step, answered with a traceback each."""
    words = ["run", "--from", "2026-01-01", "--to", "2026-01-01", "--home", str(tmp_path)]
    assert interrupted(words, builds(tmp_path)) == (ExitCode.INTERRUPTED, GOES_ON)


@pytest.mark.parametrize("moment", ["loading", pytest.param("building", marks=pytest.mark.exhaustive)])
def test_ctrl_c_during_a_campaign_is_one_line(tmp_path: Path, moment: str) -> None:
    """Each of its processes answered for itself, and Python for the semaphores that they had left."""

    def under_way(process: int, _said: str) -> bool:
        return len(children(process)) > 1 if moment == "loading" else any(tmp_path.glob("campaign/*/builds/*.lock"))

    code, said = interrupted(["campaign", "--grid", "quick", "--home", str(tmp_path)], under_way)
    assert (code, said.endswith(BEGINS_ANEW), "Traceback" in said) == (ExitCode.INTERRUPTED, True, False), said


@pytest.mark.exhaustive
def test_ctrl_c_during_the_demo_is_one_line(tmp_path: Path) -> None:
    """It is the first thing that anybody runs here, and takes five minutes."""
    words = ["demo", "--events", "3000", "--home", str(tmp_path)]
    code, said = interrupted(words, builds(tmp_path))
    assert code == ExitCode.INTERRUPTED
    assert said.endswith(BEGINS_ANEW)
    assert "Traceback" not in said


@pytest.mark.exhaustive
def test_ctrl_c_ends_the_servers_with_one_line(tmp_path: Path) -> None:
    """The line of `dev` itself says that Ctrl-C is how to stop it."""
    words = ["dev", "--port", "38471", "--home", str(tmp_path)]
    code, said = interrupted(words, lambda _process, said: "Serving dagster-webserver" in said)
    assert (code, said.endswith(ENDED)) == (ExitCode.INTERRUPTED, True)
    assert "Traceback" not in said
