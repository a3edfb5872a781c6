"""A real webserver and daemon on a home, spoken to by GraphQL as the UI does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reliability_platform.cli.stopping import ENDED
from reliability_platform.errors import ExitCode


class Served:
    """One platform that is up."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        """Ask; an answer with errors is a failed test."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.loads(response.read())
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def status(self, **headers: str) -> int:
        """The status of a query that is sent with these headers."""
        body = json.dumps({"query": "{ version }"}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return int(response.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    def wait(self, what: str, condition: Any, seconds: float) -> Any:
        """Poll until `condition()` is truthy."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found = condition()
            except (OSError, AssertionError, KeyError, TypeError):
                found = None
            if found:
                return found
            time.sleep(1)
        raise AssertionError(f"{what} did not happen within {seconds} s")


LOADED = """{ workspaceOrError { ... on Workspace { locationEntries {
  locationOrLoadError { __typename ... on PythonError { message } } } } } }"""


@contextmanager
def served(home: Path, log: Path) -> Iterator[Served]:
    """`reliability dev` on a free port; stopped at the end as a person would stop it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "reliability"), "dev", "--port", str(port), "--home", str(home)]
    # The machine that runs the tests may be short of either; that would be an incident of its own.
    limits = {"RELIABILITY_MIN_FREE_MEMORY_MEGABYTES": "0", "RELIABILITY_MIN_FREE_ROOM_MEGABYTES": "0"}
    environment = {**os.environ, **limits}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            platform = Served(port)

            def loaded() -> bool:
                entries = platform.query(LOADED)["workspaceOrError"]["locationEntries"]
                return [entry["locationOrLoadError"]["__typename"] for entry in entries] == ["RepositoryLocation"]

            platform.wait("the code location's loading", loaded, 400)
            yield platform
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.returncode == ExitCode.INTERRUPTED
        assert log.read_text().endswith(ENDED), "what the servers say when they are stopped is nobody's business"
