"""Programs as processes of their own, forked from one that has imported the libraries: Dagster, dbt and Soda cost each
command of the platform 3 s of CPU before it begins. The platform itself is imported by each process anew, with its own
folder, environment and project. Where starting from nothing is the point, start `sys.executable` instead.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LIBRARIES = (
    "dagster_dbt",
    "dbt.cli.main",
    "soda.scan",
    "pandas",
    "openlineage.client",
    "open_data_contract_standard.model",
)
"""Not DuckDB, nor what imports it: its threads do not outlive a fork, and such a process aborts as it ends."""
COMMAND_LINE = "reliability_platform.cli"
_server: list[subprocess.Popen[str]] = []


def run(
    module: str, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """As `python -m module words`."""
    if not _server:
        quiet = {"OTEL_SDK_DISABLED": "true", "DAGSTER_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
        program = [sys.executable, "-m", "tests.forked"]
        pipe = subprocess.PIPE
        _server.append(subprocess.Popen(program, stdin=pipe, stdout=pipe, env=os.environ | quiet, text=True))
        atexit.register(_end, _server[0])
    [server] = _server
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder, name) for name in ("stdout", "stderr")]
        wanted = {
            "module": module,
            "words": words,
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ) if env is None else env,
            "said": [str(path) for path in said],
        }
        server.stdin.write(json.dumps(wanted) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess([module, *words], code, *(path.read_text() for path in said))


def _end(server: subprocess.Popen[str]) -> None:
    server.communicate()


def _become(module: str, words: Sequence[str], cwd: str, env: dict[str, str], said: Sequence[str]) -> None:
    """In the new process: everything that a program finds as it starts."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(said, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    sys.path[0] = cwd
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _serve() -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
    assert not {"reliability_platform", "duckdb"} & sys.modules.keys()
    gc.freeze()  # or the first collection in each process copies all that was imported
    for line in sys.stdin:
        wanted: dict[str, Any] = json.loads(line)
        process = os.fork()
        if process == 0:
            _become(**wanted)
            sys.exit()
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
