"""The root command: the home folder, errors as one line, exit codes by kind.

Settings, contracts and what masks errors are imported where they are needed: together they take 0.7 s, and whoever asks
for help or has mistyped a word needs none of them.
"""

import os
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from reliability_platform.cli.given_home import for_given_home, home_among
from reliability_platform.cli.lazy import LazyGroup
from reliability_platform.cli.stopping import end_at_once, leave_the_end_alone, stoppable
from reliability_platform.errors import ExitCode, PlatformError, UsageError
from reliability_platform.formats import printable

SECTIONS: dict[str, dict[str, str]] = {
    "Begin": {
        "init": "init:init",
        "demo": "demo:demo",
        "sources": "sources:sources",
        "contract": "contract:contract",
        "generate": "generate:generate",
        "doctor": "doctor:doctor",
        "mutate": "mutate:mutate",
    },
    "Operate": {
        "run": "pipeline:run",
        "backfill": "backfill:backfill",
        "publish": "pipeline:publish",
        "tables": "published_tables:tables",
        "dev": "dev:dev",
        "serve": "serve:serve",
        "tokens": "tokens:tokens",
    },
    "On call": {
        "incidents": "incidents:incidents",
        "checks": "inspect:checks",
        "heal": "pipeline:heal",
        "hold": "holds:hold",
        "release": "holds:release",
        "quarantine": "quarantine:quarantine",
        "corrections": "corrections:corrections",
        "alerts": "alerts:alerts",
    },
    "Look": {
        "slo": "slo:slo",
        "metrics": "metrics:metrics",
        "lineage": "lineage:lineage",
        "openlineage": "openlineage:openlineage",
        "audit-log": "audit_log:audit_log",
    },
    "Recover": {
        "snapshot": "snapshot:snapshot",
        "restore": "restore:restore",
        "take-over": "take_over:take_over",
        "withdraw": "withdraw:withdraw",
        "drill": "drill:drill",
        "rehearse": "rehearse:rehearse",
    },
    "Prove": {
        "verify": "proof:verify",
        "inject": "pipeline:inject",
        "plan": "plan:plan",
        "faults": "faults:faults",
        "campaign": "campaign:campaign",
        "scorecard": "scorecard:scorecard",
        "lab": "lab:lab",
    },
    "Terminal": {"completion": "completion:completion"},
}
"""What a person is about to do → the commands for it, each with its place."""
COMMANDS = {word: place for commands in SECTIONS.values() for word, place in commands.items()}

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it looks through all that is installed: 0.1 s each time
EXIT_CODES = "\b\nExit codes:\n" + "\n".join(
    textwrap.fill(code.meaning, 76, initial_indent=f"  {code.value:>3}  ", subsequent_indent=" " * 7)
    for code in ExitCode
)
MAX_LINE = 2000
BUILDING = frozenset({"run", "backfill", "dev", "demo"})
"""Commands that are refused before anything lands where an own dbt project lacks what a build needs."""
WITHOUT_SOURCES = frozenset({"init", "generate", "sources", "contract", "completion"})
"""Commands that a project can be given before it has any."""
WITHOUT_PLATFORM = frozenset({"mutate"})
"""Commands on something else than a project of the platform: they read no settings and no contracts."""
COMPLETES = "_RELIABILITY_COMPLETE"
"""Set by the lines of `reliability completion` when a shell asks how a word goes on."""
HELP = frozenset({"-h", "--help", "--version"})


@click.group(
    cls=LazyGroup,
    places=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
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


def main(arguments: list[str] | None = None) -> Any:
    """Run the command; turn every error into one line on stderr and an exit code of its kind."""
    words = sys.argv[1:] if arguments is None else arguments
    if arguments is None and COMPLETES in os.environ:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "reliability", COMPLETES, os.environ[COMPLETES]))
    try:
        with stoppable(words) as stop:
            _prepare_streams()
            try:
                done = _run(words)
                sys.stdout.flush()
                return done
            except Exception as error:
                if stop.came:
                    raise  # whatever a library made of the signal
                sys.exit(_told(error, home_among(words)))
    except SystemExit as end:
        if arguments is None and end.code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            end_at_once(int(end.code))
        raise
    finally:
        if arguments is None:
            leave_the_end_alone()


def _told(error: Exception, given_home: str) -> int:
    """Tell of an error in one line; the exit code of its kind."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return ExitCode.USAGE
    if isinstance(error, click.ClickException):
        _say(error.format_message())
        return ExitCode.USAGE
    if isinstance(error, click.Abort):
        _say("nothing was done.")
        return ExitCode.USAGE
    if isinstance(error, BrokenPipeError):
        # Whoever read the output stopped reading; what Python still holds of it must not fail at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.NO_READER
    # Ours first: that of a contract would come again from what knows the errors of libraries.
    ours = error if isinstance(error, PlatformError) else _foreseen(error)
    if ours is None:
        _say(_unforeseen(error))
        return ExitCode.INTERNAL
    _say(for_given_home(str(ours), given_home) or type(ours).__name__)
    return ours.exit_code


def _run(words: list[str]) -> Any:
    """Not by click's own `main`: it answers an interrupt with an empty line."""
    _refuse_undecodable(words)
    if words and words[0] in COMMANDS.keys() - WITHOUT_PLATFORM and not HELP & set(words):
        from reliability_platform.log_lines import configure
        from reliability_platform.masking import operator_said
        from reliability_platform.settings import DEFAULT_HOME, keep_private, load_settings

        operator_said(words)
        _refuse_unprepared(words[0])
        keep_private(load_settings(DEFAULT_HOME))
        configure(load_settings(DEFAULT_HOME))
    with cli.make_context("reliability", list(words)) as context:
        return cli.invoke(context) or ExitCode.OK


def _refuse_unprepared(command: str) -> None:
    """Raise for a command that the project is not ready for: it has no source, or lacks what a build needs."""
    from reliability_platform.contracts import SOURCES
    from reliability_platform.settings import OWN_DBT_PROJECT, PROJECT

    if not SOURCES and command not in WITHOUT_SOURCES:
        raise UsageError(
            f"The project {PROJECT} declares no source: `reliability sources add NAME --from FILES`, or write contracts/NAME.yml; "
            "then `reliability generate`."
        )
    if OWN_DBT_PROJECT is not None and command in BUILDING:
        from reliability_platform.warehouse.dbt_manifest import ensure_manifest
        from reliability_platform.warehouse.own_lacks import refuse_if_lacking

        refuse_if_lacking(ensure_manifest())


def _refuse_undecodable(words: list[str]) -> None:
    """Raise `UsageError` for bytes that are no text here: Python passes them on, but no store, file or JSON takes them."""
    for word in words:
        if not word.isascii() and any("\ud800" <= sign <= "\udfff" for sign in word):
            raise UsageError(f"The argument {word!r} is not text in {sys.getfilesystemencoding()}: write it anew.")


def _prepare_streams() -> None:
    """Let no sign be too much for a terminal, and no stream be closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # started with it closed
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (for the life of the process)
        reconfigure: Callable[..., None] | None = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _say(text: str) -> None:
    # An operator's own words come back; a control sign in them must not act on his terminal, nor fill it.
    click.echo(f"reliability: {printable(' '.join(text.split()), MAX_LINE)}", err=True)


def _foreseen(error: Exception) -> PlatformError | None:
    """What a library raised, as an error of ours. Dagster keeps its databases there; the operations store names itself."""
    from reliability_platform.settings import DEFAULT_HOME
    from reliability_platform.system_errors import foreseen

    return foreseen(error, Path(os.environ.get("DAGSTER_HOME") or DEFAULT_HOME / "dagster"))


def _unforeseen(error: Exception) -> str:
    """A bug of ours, in one line: what and where. The values that it quotes are nobody's business."""
    from reliability_platform.masking import error_text, traceback_text
    from reliability_platform.settings import DEFAULT_HOME, PROJECT_ROOT, load_settings

    if load_settings(DEFAULT_HOME).tracebacks:
        click.echo(traceback_text("".join(traceback.format_exception(error))), err=True)
    places = [one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(str(PROJECT_ROOT))]
    place = f" at {Path(places[-1].filename).relative_to(PROJECT_ROOT)}:{places[-1].lineno}" if places else ""
    return (
        f"a fault of the platform{place}: {error_text(error)}. RELIABILITY_TRACEBACKS=true shows all places; "
        "nothing that was finished is lost."
    )
