"""The process that carries one request out, as the command line would: `python -m reliability_platform.service.launching.worker`.

It holds the request's lock, which it was given locked, until it ends; then its command ends, too.
"""

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.operations import operations_engine
from reliability_platform.service.launching.kinds import KINDS
from reliability_platform.service.launching.requests import RequestState, RunRequest, RunRequests
from reliability_platform.settings import PREFIX, Settings, load_settings

PATIENCE_SECONDS = 1_800.0
"""So long a request waits for the command that is at work on the home."""
AGAIN_SECONDS = 5.0
LOOK_SECONDS = 0.5
"""So often it is looked whether somebody wants it to stop."""
WORKER = "reliability_platform.service.launching.worker"
ENDED: dict[int, RequestState] = {
    ExitCode.OK: RequestState.DONE,
    ExitCode.NOT_HEALED: RequestState.DONE,
    ExitCode.USAGE: RequestState.REFUSED,
}
"""By the exit code of the last command; any other is a failure."""


def launch(
    settings: Settings, engine: Engine, kind: str, asked: dict[str, Any], who: str, key: str | None, now: datetime
) -> RunRequest:
    """Keep a request and begin to carry it out, once for each key of a caller. Raises `KeyTakenError`."""
    with RunRequests(settings, engine).asked(kind, asked, who, key, now) as (request, is_new, lock):
        if is_new:
            start(settings, lock, request)
    return request


def start(settings: Settings, lock: int, request: RunRequest) -> None:
    """Begin to carry a request out, in a process that outlives this one and has the lock of the request."""
    subprocess.Popen(
        [sys.executable, "-m", WORKER, str(settings.home), request.id, str(lock)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[lock],
        start_new_session=True,
    )


def carry_out(settings: Settings, request_id: str) -> None:
    """Run the commands of a request, and write down what they said."""
    requests = RunRequests(settings, operations_engine(settings))
    request = requests.get(request_id)
    environment = {**os.environ, f"{PREFIX}ON_BEHALF_OF": request.asked_by, f"{PREFIX}REQUESTED_RUN": request.id}
    if request.asked_from:
        environment[f"{PREFIX}ACTING_FROM"] = request.asked_from
    result: dict[str, Any] = {}
    code, message = int(ExitCode.OK), ""
    for command in KINDS[request.kind].commands:
        if code not in (ExitCode.OK, ExitCode.NOT_HEALED):
            break  # what the next command needs of this one, it has not said
        asked = command(request.asked, result)
        if asked is None:
            continue
        code, printed, message = _run(asked.words(settings.home), environment, requests, request_id)
        result = {**result, **printed}
    state, stopped_by = ENDED.get(code, RequestState.FAILED), requests.stopped_by(request_id)
    if stopped_by is not None and state is RequestState.FAILED:
        state, message = RequestState.STOPPED, f"Stopped by {stopped_by}"
    requests.end(request_id, state, utc_now(), code, json.dumps(result) if result else None, message)


def _run(
    words: list[str], environment: dict[str, str], requests: RunRequests, request_id: str
) -> tuple[int, dict[str, Any], str]:
    """The exit code of a command, what it printed for a program, and its last line for a person."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        requests.begin(request_id, utc_now())
        code, out, said_to_people = _until_it_ends(words, environment, requests, request_id)
        if code != ExitCode.BUSY or time.monotonic() > deadline:
            break
        requests.wait(request_id)
        again = time.monotonic() + AGAIN_SECONDS
        while time.monotonic() < again and requests.stopped_by(request_id) is None:
            time.sleep(LOOK_SECONDS)
        if requests.stopped_by(request_id) is not None:
            break
    lines = [line for line in said_to_people.splitlines() if line.startswith("reliability: ")]
    try:
        printed = json.loads(out) if out.strip() else {}
    except ValueError:
        printed = {}
    said = printed if isinstance(printed, dict) else {"plans": printed}
    return code, said, lines[-1].removeprefix("reliability: ") if lines else ""


def _until_it_ends(
    words: list[str], environment: dict[str, str], requests: RunRequests, request_id: str
) -> tuple[int, str, str]:
    """The exit code of a command, its output and its messages. It is asked to end as soon as somebody wants it to stop."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reliability_platform.cli", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    was_asked = False
    while True:
        try:
            out, said = process.communicate(timeout=LOOK_SECONDS)
            return process.returncode, out, said
        except subprocess.TimeoutExpired:
            if not was_asked and requests.stopped_by(request_id) is not None:
                process.terminate()
                was_asked = True


def main() -> None:
    """Carry out one request: the home, its id, and the descriptor of its lock."""
    home, request_id, lock = sys.argv[1:]
    settings = load_settings(Path(home))
    requests = RunRequests(settings, operations_engine(settings))
    try:
        carry_out(settings, request_id)
    except BaseException as error:
        requests.end(request_id, RequestState.FAILED, utc_now(), int(ExitCode.INTERNAL), None, type(error).__name__)
        raise
    finally:
        requests.leave(request_id, int(lock))


if __name__ == "__main__":
    main()
