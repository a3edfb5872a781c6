"""The command `reliability`. Each module holds one group of commands; `main` is the entry point."""

import sys

from reliability_platform.cli.stopping import stoppable

with stoppable(sys.argv[1:]):  # the imports of the command line take long enough to be interrupted
    from reliability_platform.cli.main import main

__all__ = ["main"]
