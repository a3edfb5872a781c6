"""The root command: the home folder, errors as one line, exit codes by kind."""

import errno
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from reliability_platform.errors import ExitCode, PlatformError
from reliability_platform.masking import traceback_words
from reliability_platform.settings import load_settings

# Command → module that holds it. Modules are imported only when their command runs: Dagster alone takes 2 s to
# import, and `reliability --help` needs none of it.
COMMANDS = {
    "demo": ("demo", "Break a month of data on purpose, heal it, and prove it."),
    "run": ("pipeline", "Run the pipeline over landing days, then open incidents for what failed."),
    "backfill": ("backfill", "Run landing days again from what has landed, unless the backfill guard objects."),
    "inject": ("pipeline", "Break one source on one day with a declared fault."),
    "plan": ("plan", "Choose a plan of faults for a window of landing days."),
    "heal": ("pipeline", "Heal open incidents: act, re-run, verify."),
    "verify": ("proof", "Prove that what is published equals a run without any failure, row for row."),
    "checks": ("inspect", "Show check results by landing day."),
    "incidents": ("incidents", "List, show, acknowledge and resolve incidents."),
    "slo": ("slo", "Show service level objectives, their error budgets and how fast they burn."),
    "alerts": ("alerts", "List alerts, see how the channels do, test them, send what is due."),
    "lineage": ("lineage", "Show what feeds what, dataset by dataset or column by column."),
    "sources": (
        "sources",
        "Breakers, last fetches and deadlines of the sources; a source on loopback that misbehaves.",
    ),
    "quarantine": ("quarantine", "List, understand, replay and discard what was refused or rejected."),
    "publish": ("pipeline", "Publish what the gate releases, or go back one version."),
    "hold": ("holds", "Keep a landing day out of publication."),
    "release": ("holds", "Let a landing day go that somebody holds."),
    "snapshot": ("snapshot", "Take, list, verify and forget snapshots of the home."),
    "restore": ("restore", "Put the warehouse, one table or a lost home back from a snapshot."),
    "drill": ("drill", "Rehearse a disaster on a twin of the home: lose, recover, measure, prove."),
    "scorecard": ("scorecard", "Grade the home against the truth, and write the evidence files."),
    "campaign": ("campaign", "Measure which faults the checks catch at which size, and what cries wolf."),
    "faults": ("faults", "The catalogue of declared faults."),
    "openlineage": ("openlineage", "Lineage events: how many there are, send what waits, validate them."),
    "doctor": ("doctor", "Say what is wrong with this installation and how to mend it."),
    "dev": ("dev", "Dagster UI on loopback, with the daemon that runs schedules and sensors."),
}


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"reliability_platform.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reliability-platform")
def cli() -> None:
    """A data platform that breaks itself on purpose and proves that it heals."""
    # Nothing phones home, whatever library is underneath.
    for name, value in {
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "OTEL_SDK_DISABLED": "true",
    }.items():
        os.environ.setdefault(name, value)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def main(arguments: list[str] | None = None) -> Any:
    """Run the command; turn every foreseen error into one line on stderr and an exit code of its kind."""
    try:
        return cli.main(args=arguments, prog_name="reliability", standalone_mode=False) or ExitCode.OK
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("reliability: stopped; what was finished is kept, run the command again to go on.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except PlatformError as error:
        click.echo(f"reliability: {_one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except PermissionError as error:
        home: Path = load_settings().home
        click.echo(
            f"reliability: {error.filename or home} cannot be written: choose another folder with --home.", err=True
        )
        sys.exit(ExitCode.ENVIRONMENT)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            words = "the disk is full: make room, then run the command again; nothing is lost."
            click.echo(f"reliability: {words}", err=True)
            sys.exit(ExitCode.ENVIRONMENT)
        # A bug of ours: where it happened tells the most, and the values in its words are nobody's business.
        click.echo(traceback_words("".join(traceback.format_exception(error))), err=True)
        sys.exit(ExitCode.INTERNAL)
