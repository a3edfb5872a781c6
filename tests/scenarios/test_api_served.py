"""The API as a real process on a home that has lived: long work ends, Dagster's instance knows its runs, and a server that
is stopped or killed loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.audit_log import AuditLog
from reliability_platform.errors import ExitCode
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.local import REQUEST_TAG
from reliability_platform.service.launching.requests import AT_WORK, RequestState
from reliability_platform.warehouse.published import current_version
from tests.ground import Platform, day

RELIABILITY = (sys.executable, "-m", "reliability_platform.cli")
START_SECONDS, RUN_SECONDS = 60, 300


class Server:
    """A process that serves, and a client of it."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url
        self.headers: dict[str, str] = {}

    def ask(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, Any]:
        """Status and answer."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **self.headers, **headers}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, sent), timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    def ended(self, request_id: str) -> Any:
        """A requested run once nobody is at work on it."""
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            status, found = self.ask(f"/v1/requested-runs/{request_id}")
            assert status == 200, found
            if found["state"] not in AT_WORK:
                return found
            time.sleep(1)
        raise AssertionError(f"{request_id} did not end within {RUN_SECONDS} s: {found}")


@contextmanager
def serving(home: Path, *words: str) -> Iterator[Server]:
    """`reliability serve` on a free port."""
    process = subprocess.Popen(
        [*RELIABILITY, "serve", "--port", "0", "--home", str(home), *words],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("API: http://127.0.0.1:"), line + process.stderr.read()
        server = Server(process, line.split()[1].removesuffix("/v1"))
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                assert server.ask("/v1/health") == (200, {"status": "ok"})
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


@pytest.mark.exhaustive
def test_a_failure_is_simulated_noticed_approved_and_healed_over_the_api(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """What the documents promise, by requests alone; each act stands on record with the name of its token."""
    made = lived(tmp_path / "home")
    made_token = subprocess.run(
        [*RELIABILITY, "tokens", "make", "robot", "--role", "admin", "--home", str(made.settings.home)],
        capture_output=True,
        text=True,
        check=True,
    )
    with serving(made.settings.home) as server:
        assert server.ask("/v1/incidents")[0] == 401
        server.headers = {"Authorization": f"Bearer {made_token.stdout.strip()}"}
        body = {"failure_type": "null_spike", "source": "orders", "date": day(2).isoformat()}
        status, request = server.ask("/simulate-failure", body, **{"Idempotency-Key": "once"})
        assert status == 202
        assert server.ask("/simulate-failure", body, **{"Idempotency-Key": "once"})[1]["id"] == request["id"]
        done = server.ended(request["id"])
        assert (done["state"], done["exit_code"], done["asked_by"]) == ("done", ExitCode.NOT_HEALED, "robot")
        assert f"orders/{day(2)}" in done["result"]["held"]
        [incident] = server.ask("/v1/incidents?open=true")[1]["items"]
        assert incident["failure_class"] == "null_spike"

        status, refused = server.ask("/v1/run-backfill", {"from": day(2).isoformat(), "to": day(2).isoformat()})
        assert (status, list(refused["objections"])) == (409, ["open incidents"])

        assert server.ask(f"/v1/incidents/{incident['id']}/acknowledge", {})[1]["assignee"] == "robot"
        healed = server.ended(server.ask(f"/v1/incidents/{incident['id']}/heal", {})[1]["id"])
        assert (healed["state"], healed["exit_code"]) == ("done", ExitCode.OK), healed
        assert server.ask("/v1/incidents?open=true")[1]["total"] == 0

        leaving = server.ask("/v1/publications/current")[1]["version"]
        back = server.ended(server.ask("/v1/publications/roll-back", {"leaving": leaving, "why": "a test"})[1]["id"])
        assert back["state"] == "done", back
        assert current_version(made.settings) != leaving
        wrong = server.ended(server.ask("/v1/quarantine/discard", {"batch": "nothing-01", "why": "x"})[1]["id"])
        assert (wrong["state"], wrong["exit_code"]) == ("refused", ExitCode.USAGE)
        assert "nothing-01" in wrong["message"]
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == ExitCode.INTERRUPTED
    with platform_instance(made.settings) as instance:
        tags = [run.tags.get(REQUEST_TAG) for run in instance.get_runs()]
    assert {request["id"], healed["id"]} <= set(tags), "Dagster's UI shows the runs"
    actors = {entry.actor for entry in IncidentStore(made.engine).get(incident["id"]).timeline}
    assert {"robot", "robot, who approved it"} <= actors
    assert {(one.command, one.who) for one in AuditLog(made.engine).all()} >= {("publish --rollback", "robot")}


@pytest.mark.exhaustive
def test_long_work_outlives_the_server_and_what_is_killed_is_lost_and_says_so(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    made = lived(tmp_path / "home")
    days = {"from": day(1).isoformat(), "to": day(1).isoformat()}
    with serving(made.settings.home) as server:
        _, first = server.ask("/v1/run-pipeline", days)
        server.process.kill()
        server.process.communicate()
    with serving(made.settings.home) as server:
        assert server.ended(first["id"])["state"] == RequestState.DONE
        _, second = server.ask("/v1/run-pipeline", days)
        time.sleep(2)
        for process in processes_of(second["id"]):
            os.kill(process, signal.SIGKILL)
        assert server.ended(second["id"])["state"] == RequestState.LOST
        assert server.ended(server.ask("/v1/run-pipeline", days)[1]["id"])["state"] == RequestState.DONE


def processes_of(request_id: str) -> list[int]:
    """The worker of a request and its command: by the id in their arguments, and in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if request_id.encode() in said and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
