"""The command `reliability`. Each module holds one group of commands; `main` is the entry point."""

import gc
import sys

from reliability_platform.cli.stopping import stoppable

# What is imported and declared stays: some 500,000 objects. By default each 700 new ones make Python look for rings of garbage
# among them, 15 % of the CPU of a command that lists something.
gc.set_threshold(100_000, 50, 50)

with stoppable(sys.argv[1:]):  # the imports of the command line take long enough to be interrupted
    from reliability_platform.cli.main import main

__all__ = ["main"]
