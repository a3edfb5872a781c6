"""The real command line within this process: Dagster and dbt are imported once, not for each command (5 s)."""

import io
from contextlib import redirect_stdout
from pathlib import Path

from reliability_platform.cli.main import main


def typed(*words: str, home: Path, expect: int = 0) -> str:
    """What a command prints; it must end with this exit code."""
    with redirect_stdout(io.StringIO()) as printed:
        try:
            code = int(main([*words, "--home", str(home)]) or 0)
        except SystemExit as stop:
            code = int(stop.code or 0)
    assert code == expect, f"exit {code}\n{printed.getvalue()}"
    return printed.getvalue()
