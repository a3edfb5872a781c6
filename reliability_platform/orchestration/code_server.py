"""The program that has the code, for the web server and the daemon of `reliability dev` alike, and starts their runs.

Each run is a process. Started from nothing it takes 6 s of CPU to import Dagster, dbt and the platform; here it is forked
from a process that has imported them and does nothing else (`multiprocessing`'s fork server).
"""

import multiprocessing
from typing import Any

import dagster._grpc.server
from dagster._cli.api import grpc_command
from dagster._grpc.server import DagsterApiServer

PRELOADED = "reliability_platform.orchestration.preloaded"


class ForkingCodeServer(DagsterApiServer):
    """Dagster's own, whose runs are forked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        forking = multiprocessing.get_context("forkserver")
        forking.set_forkserver_preload([PRELOADED])
        self._mp_ctx = forking  # type: ignore[assignment]


if __name__ == "__main__":
    dagster._grpc.server.DagsterApiServer = ForkingCodeServer  # type: ignore[misc]
    grpc_command()
