"""How the programs of `reliability dev` wait for the one that has the code: all import at once, the rest waits for its socket."""

import os
import time
from pathlib import Path

CODE_SOCKET = "DAGSTER_CODE_SOCKET"
"""In the environment of each: the path of the socket."""
LOOK_SECONDS = 0.1
WATCH_SECONDS = 30
"""Dagster asks each second whether another server has taken the place of this one; here everything ends with it."""


def wait_for_the_code() -> None:
    """Come back once the code is served, and ask seldom whether it still is. `reliability dev` ends who waits for one that has ended."""
    import dagster._grpc.server_watcher  # not above: the command that names the socket does without Dagster

    socket = Path(os.environ[CODE_SOCKET])
    while not socket.exists():
        time.sleep(LOOK_SECONDS)
    dagster._grpc.server_watcher.WATCH_INTERVAL = WATCH_SECONDS
