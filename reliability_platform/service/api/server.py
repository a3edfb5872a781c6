"""The server of the app: uvicorn, with its own words off."""

import socket

import uvicorn
from fastapi import FastAPI

KEEP_ALIVE_SECONDS = 5
END_SECONDS = 5
"""How long requests that are answered may take when it is stopped; long work is in processes of its own, and goes on."""


def run(app: FastAPI, listener: socket.socket) -> None:
    """Answer until somebody stops the process."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,  # whoever asks must not say which address he has
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
        h11_max_incomplete_event_size=32 * 1024,
    )
    uvicorn.Server(config).run(sockets=[listener])
