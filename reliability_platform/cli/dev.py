"""`reliability dev`: webserver and daemon of Dagster on loopback, stopped together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import click
from rich.markup import escape

from reliability_platform.cli.options import home_option, home_served, progress
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.orchestration.home import prepare_dagster_home
from reliability_platform.settings import PROJECT_ROOT, Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

SHUTDOWN_SECONDS = 15
"""How long the servers may take to end: less than the whole command may (`stopping.GRACE_SECONDS`)."""


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Port on 127.0.0.1.")
@home_option
def dev(port: int, home: Path | None) -> None:
    """Dagster UI on loopback, with the daemon that runs schedules and sensors. Stop both with Ctrl-C."""
    settings = load_settings(home)
    with home_served(settings):
        _serve(settings, port)


def _serve(settings: Settings, port: int) -> NoReturn:
    """Run both servers until one ends or somebody stops us."""
    prepare_dagster_home(settings)
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
    environment = {**os.environ, "RELIABILITY_SERVED": "true"}
    processes = [subprocess.Popen(command, cwd=settings.dagster_home, env=environment) for command in commands]
    progress.print(f"Dagster UI: http://127.0.0.1:{port} (home: {escape(str(settings.home))}); stop with Ctrl-C.")
    try:
        while all(process.poll() is None for process in processes):
            time.sleep(0.3)
        raise EnvironmentUnusableError(
            f"Dagster stopped by itself; the lines above say why. If port {port} is taken, choose another with --port."
        )
    finally:
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        for process in processes:
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
