"""`python -m reliability_platform.cli`: the command `reliability` where its script is not on the path."""

import sys

from reliability_platform.cli import main

if __name__ == "__main__":
    sys.exit(main())
