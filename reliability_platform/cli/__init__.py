"""The command `reliability`. Each module holds one group of commands; `main` is the entry point."""

from reliability_platform.cli.main import main

__all__ = ["main"]
