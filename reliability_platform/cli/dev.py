"""`reliability dev`: webserver and daemon of Dagster on loopback, stopped together."""

import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import click
import yaml
from rich.markup import escape

from reliability_platform.cli.options import home_option, home_served, progress
from reliability_platform.cli.parameters import Whole
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.log_lines import JSON, json_line
from reliability_platform.service.hosts import in_url
from reliability_platform.settings import PROJECT_ROOT, Settings
from reliability_platform.strict_yaml import read_yaml

SHUTDOWN_SECONDS = 15
"""How long the servers may take to end: less than the whole command may (`stopping.GRACE_SECONDS`)."""

WEB_SERVER, SOCKET = "web server", "code"
LONGEST_SOCKET_PATH = 103
"""Bytes; macOS takes no more, Linux 107."""
OWN_NAME = len("/123e4567-e89b-12d3-a456-426614174000")
"""What Dagster puts behind the temporary folder for a socket of its own; ours is shorter."""
LAST_WORDS_SECONDS = 2.0
"""A child of a server that has ended may keep its stream open."""
PR_SET_PDEATHSIG = 1


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address of the UI, which asks nobody who he is: any but loopback only in a container, or behind a proxy with a login.",
)
@click.option("--port", type=Whole(1, 65535), default=3000, show_default=True, help="Its port.")
@home_option
def dev(host: str, port: int, settings: Settings) -> None:
    """Dagster UI on loopback, with the daemon that runs schedules and sensors. Stop both with Ctrl-C."""
    address = _address(host)
    with home_served(settings):
        _serve(settings, address, port)


def _address(host: str) -> str:
    """The address that a name stands for. Raises `UsageError` for one that is none of this machine."""
    try:
        family, _, _, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.bind(place)
    except (OSError, UnicodeError):
        raise UsageError(f"{host[:100]!r} is no address of this machine: choose another --host.") from None
    return str(place[0])


def _serve(settings: Settings, host: str, port: int) -> NoReturn:
    """Run the servers until one ends or somebody stops us."""
    from reliability_platform.orchestration.home import prepare_dagster_home
    from reliability_platform.warehouse.dbt_manifest import ensure_manifest

    prepare_dagster_home(settings)
    ensure_manifest()
    is_json = settings.log_format == JSON
    # One process has the code, for the web server and the daemon alike. With the module itself in their workspace each
    # starts one of its own, and the daemon a new one every minute, 11 s of CPU each time.
    with _folder(settings.home) as folder, _Servers(settings.dagster_home, folder, as_json=is_json) as servers:
        code, workspace = _code_location(folder)
        form = ("--log-format", "json" if is_json else "colored")
        # All three import at once, 5 s of CPU each; the last two then wait for the first, which makes Dagster's storages:
        # two that make them at once leave one that neither can open.
        servers.start("code server", *_program("code_server"), *code, *form)
        servers.start(WEB_SERVER, *_program("webserver"), "-h", host, "-p", str(port), "-w", workspace, *form)
        servers.start("daemon", *_program("daemon"), "-w", workspace, *form)
        if servers.wait_for((folder / SOCKET).exists):
            place = f"http://{in_url(host)}:{port}"
            progress.print(f"Dagster UI: {place} (home: {escape(str(settings.home))}); stop with Ctrl-C.")
            servers.wait_for(lambda: False)
        raise EnvironmentUnusableError(servers.ending(port))


def _program(module: str) -> tuple[str, ...]:
    return sys.executable, "-m", f"reliability_platform.orchestration.{module}"


@contextmanager
def _folder(home: Path) -> Iterator[Path]:
    """A folder of this user alone for the socket of the code; what a killed process left for this home is removed first.

    Call it with the home held. It is made where the paths of sockets are short enough.
    """
    usual = tempfile.gettempdir()
    base = usual if len(os.fsencode(usual)) + OWN_NAME <= LONGEST_SOCKET_PATH else "/tmp"  # noqa: S108
    prefix = f"reliability-{hashlib.sha256(os.fsencode(home.absolute())).hexdigest()[:8]}-"
    for left in Path(base).glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=base) as folder:
        yield Path(folder)


def _code_location(folder: Path) -> tuple[list[str], str]:
    """The options of the server of the code that `workspace.yaml` names, and a workspace for whoever asks that server.

    Its socket is in the folder, which is this user's alone.
    """
    [location] = read_yaml((PROJECT_ROOT / "workspace.yaml").read_text())["load_from"]
    module, name = location["python_module"]["module_name"], location["python_module"]["location_name"]
    socket, workspace = str(folder / SOCKET), folder / "workspace.yaml"
    served = {"grpc_server": {"host": "localhost", "socket": socket, "location_name": name}}
    workspace.write_text(yaml.safe_dump({"load_from": [served]}))
    return ["--socket", socket, "--module-name", module, "--location-name", name, "--log-level", "warning"], str(
        workspace
    )


class _Servers:
    """Dagster's programs: started one after the other, stopped together."""

    def __init__(self, folder: Path, sockets: Path, *, as_json: bool = False) -> None:
        self._folder, self._sockets, self._as_json = folder, sockets, as_json
        self._started: list[_Server] = []

    def __enter__(self) -> "_Servers":
        return self

    def __exit__(self, *_: object) -> None:
        for server in reversed(self._started):  # the code last: the others are still asking for it
            server.ask_to_end()
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        for server in reversed(self._started):
            server.end(deadline)

    def start(self, name: str, *command: str | Path) -> None:
        """Start one more."""
        self._started.append(_Server(name, [str(word) for word in command], self._folder, self._sockets, self._as_json))

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Whether the condition came to hold before one of them ended; the rest of what they said is passed on then."""
        while all(server.runs for server in self._started):
            if condition():
                return True
            time.sleep(0.3)
        for server in self._started:
            server.tell_the_rest()
        return False

    def ending(self, port: int) -> str:
        """Which of them ended by itself, how, and what to do about it."""
        server = next(one for one in self._started if not one.runs)
        advice = f" If port {port} is taken, choose another with --port." if server.name == WEB_SERVER else ""
        if server.code < 0:
            killed = f"was killed from outside ({signal.Signals(-server.code).name})"
            return f"Dagster's {server.name} {killed}: start `reliability dev` again."
        return f"Dagster's {server.name} ended with code {server.code}; the lines above say why.{advice}"


class _Server:
    """One of Dagster's programs. What it says is passed on until it is asked to end: then it prints tracebacks.

    It has a session of its own, for Ctrl-C on a terminal reaches every process of ours at once, and each would answer.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, sockets: Path, as_json: bool) -> None:
        from reliability_platform.orchestration.code_socket import CODE_SOCKET  # not above: its package imports Dagster

        self.name, self._as_json = name, as_json
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={
                **os.environ,
                "RELIABILITY_SERVED": "true",
                CODE_SOCKET: str(sockets / SOCKET),
                "TMPDIR": str(sockets.parent),
            },
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

    @property
    def code(self) -> int:
        """The exit code of one that has ended; of one that a signal ended, minus its number."""
        return int(self._process.returncode)

    def _tell(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not self._asked_to_end:
                with suppress(OSError):
                    os.write(2, self._as_told(line))

    def _as_told(self, line: bytes) -> bytes:
        """A line as it is passed on: where lines are JSON, one that is none becomes one. Dagster's runs print such."""
        if not self._as_json or line.startswith(b"{"):
            return line
        return f"{json_line('dagster', line.decode(errors='replace').rstrip())}\n".encode()

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
