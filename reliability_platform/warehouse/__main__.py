"""`python -m reliability_platform.warehouse HOME FIRST LAST`: one build in a process of its own, as a scheduler starts it."""

import sys
from datetime import date
from pathlib import Path

from reliability_platform.errors import PlatformError
from reliability_platform.settings import keep_private, load_settings
from reliability_platform.warehouse.dbt_runner import build


def main(home: str, first: str, last: str) -> int:
    """Build; the exit code."""
    try:
        settings = load_settings(Path(home))
        keep_private(settings)
        nodes = build(settings, date.fromisoformat(first), date.fromisoformat(last))
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return int(any(node.status in ("error", "fail") for node in nodes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
