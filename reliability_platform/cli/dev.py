"""`reliability dev`: webserver and daemon of Dagster on loopback, stopped together."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click
from rich.markup import escape

from reliability_platform.cli.options import home_option, home_served, progress
from reliability_platform.cli.parameters import Whole
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import PROJECT_ROOT, Settings, load_settings

SHUTDOWN_SECONDS = 15
"""How long the servers may take to end: less than the whole command may (`stopping.GRACE_SECONDS`)."""

LAST_WORDS_SECONDS = 2.0
"""A child of a server that has ended may keep its stream open."""
PR_SET_PDEATHSIG = 1


@click.command()
@click.option("--port", type=Whole(1, 65535), default=3000, show_default=True, help="Port on 127.0.0.1.")
@home_option
def dev(port: int, home: Path | None) -> None:
    """Dagster UI on loopback, with the daemon that runs schedules and sensors. Stop both with Ctrl-C."""
    settings = load_settings(home)
    with home_served(settings):
        _serve(settings, port)


def _serve(settings: Settings, port: int) -> NoReturn:
    """Run both servers until one ends or somebody stops us."""
    from reliability_platform.orchestration.home import platform_instance
    from reliability_platform.warehouse.dbt_manifest import ensure_manifest

    with platform_instance(settings):
        pass  # makes Dagster's storages: two servers that make them at once leave one that neither can open
    ensure_manifest()
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    programs = Path(sys.executable).parent
    commands = [
        [
            sys.executable,
            "-m",
            "reliability_platform.orchestration.webserver",
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-w",
            workspace,
        ],
        [str(programs / "dagster-daemon"), "run", "-w", workspace],
    ]
    servers = [_Server(command, settings.dagster_home) for command in commands]
    progress.print(f"Dagster UI: http://127.0.0.1:{port} (home: {escape(str(settings.home))}); stop with Ctrl-C.")
    try:
        while all(server.runs for server in servers):
            time.sleep(0.3)
        for server in servers:
            server.tell_the_rest()
        raise EnvironmentUnusableError(
            f"Dagster stopped by itself; the lines above say why. If port {port} is taken, choose another with --port."
        )
    finally:
        for server in servers:
            server.ask_to_end()
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        for server in servers:
            server.end(deadline)


class _Server:
    """One of Dagster's programs. What it says is passed on until it is asked to end: then it prints tracebacks.

    It has a session of its own, for Ctrl-C on a terminal reaches every process of ours at once, and each would answer.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "RELIABILITY_SERVED": "true"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        self._asked_to_end = False
        self._teller = threading.Thread(target=self._tell, daemon=True)
        self._teller.start()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def _tell(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not self._asked_to_end:
                with suppress(OSError):
                    os.write(2, line)

    def tell_the_rest(self) -> None:
        """Pass on what one that has ended said at last."""
        if not self.runs:
            self._teller.join(LAST_WORDS_SECONDS)

    def ask_to_end(self) -> None:
        """Say nothing more of it."""
        self._asked_to_end = True
        if self.runs:
            self._process.send_signal(signal.SIGINT)

    def end(self, deadline: float) -> None:
        """Wait for its end, and bring it about where it takes too long."""
        try:
            self._process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()


def _end_with_parent() -> None:
    """A server ends when `reliability dev` is killed, or its terminal is closed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
