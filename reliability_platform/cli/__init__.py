"""The command `reliability`. Each module holds one group of commands; `main` is the entry point."""

import sys

from reliability_platform.cli.stopping import stoppable
from reliability_platform.errors import PlatformError

try:
    with stoppable(sys.argv[1:]):  # the imports of the command line take long enough to be interrupted
        from reliability_platform.cli.main import main
except PlatformError as error:  # the project's contracts are read with them
    print(f"reliability: {error}", file=sys.stderr)  # noqa: T201 (what says it otherwise could not be imported)
    sys.exit(error.exit_code)

__all__ = ["main"]
