"""Options and helpers of output that several commands share."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from reliability_platform.atomic import write_atomically
from reliability_platform.cli.given_home import for_given_home, given_home
from reliability_platform.cli.parameters import FilePath
from reliability_platform.clock import parse_day, utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.locks import take
from reliability_platform.operations import unusable_folder
from reliability_platform.settings import RESTORING, Settings, is_home, load_settings

PLAIN_WIDTH = 10_000


class _Console(Console):
    def render_str(self, text: str, *, markup: bool | None = None, **how: Any) -> Text:
        """Commands that a text names are for the home that was given, wherever the text was made."""
        marked = markup or (markup is None and self._markup)
        option = given_home()
        return super().render_str(for_given_home(text, escape(option) if marked else option), markup=markup, **how)

    def on_broken_pipe(self) -> None:
        """Rich ends the process with the code of a failure; `main` knows that it is none."""
        raise BrokenPipeError


people, progress = (
    _Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PLAIN_WIDTH)
    for stderr, stream in ((False, sys.stdout), (True, sys.stderr))
)
"""What a person reads on stdout, and the progress of long work on stderr, so that `--json` on stdout stays one document. In a
file or a pipe no line is broken, so that names and paths can be searched for."""

MAKES_A_HOME: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "demo": lambda _: True,
    "run": lambda asked: not asked["dry_run"],
    "campaign": lambda _: True,
    "dev": lambda _: True,
}
"""The commands that begin a home, by what is asked of them. To any other one that is not there was mistyped."""
EXAMINES_WITHOUT_ONE = frozenset({"doctor"})
READS_SNAPSHOTS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "snapshot list": lambda _: True,
    "snapshot verify": lambda _: True,
    "restore": lambda asked: asked["everything"] or asked["aside"] is not None,
}
"""Asked when the home is lost, of snapshots that lie outside of it."""


def no_home(settings: Settings) -> EnvironmentUnusableError:
    """What to say where there is none: a command that reads would make an empty one, and find all well in it."""
    return EnvironmentUnusableError(
        f"There is no home in {settings.home}: name yours with --home or RELIABILITY_HOME, or make one with "
        "`reliability demo` or `reliability run`."
    )


def _may_be_missing(command: str, asked: Mapping[str, Any], settings: Settings) -> bool:
    if command in MAKES_A_HOME:
        return MAKES_A_HOME[command](asked)
    if command in READS_SNAPSHOTS:
        return settings.snapshot_url is not None and READS_SNAPSHOTS[command](asked)
    return command in EXAMINES_WITHOUT_ONE


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--home`: the command gets the `settings` of that home. One that is not there is refused unless the command makes it."""

    @wraps(command)
    def within(*args: Any, home: Path | None, **options: Any) -> Any:
        context = click.get_current_context()
        settings = load_settings(home)
        name = context.command_path.partition(" ")[2]
        if not (context.invoked_subcommand or is_home(settings) or _may_be_missing(name, options, settings)):
            raise no_home(settings)
        return command(*args, settings=settings, **options)

    return click.option(
        "--home",
        type=FilePath(file_okay=False, path_type=Path),
        default=None,
        help="Where the data live. [default: $RELIABILITY_HOME or data/ in the project]",
    )(within)


def hint(command: str) -> str:
    """A command of ours to type next, for the home that this one was given."""
    return f"reliability {command}{given_home()}"


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for a program to read.")


def held_words(held: Sized) -> str:
    """How many landing partitions a publication holds, as people say it."""
    return f"{counted(len(held), 'landing partition')} {'is' if len(held) == 1 else 'are'} held"


yes_option = click.option("--yes", is_flag=True, help="Do it without being asked first; needs --why.")
why_option = click.option(
    "--why", default=None, help="The reason: it is recorded with your name. Asked for on a terminal."
)


def ask_first(what: str, why: str | None, yes: bool) -> str:
    """Ask before something is destroyed, and why it should be. Returns the reason.

    Raises `UsageError` where nobody can be asked or the reason is empty, `click.Abort` for a no.
    """
    asked = sys.stdin.isatty()
    if not asked and (why is None or not yes):
        lacking = " and ".join(option for option, lacks in (("--yes", not yes), ("--why", why is None)) if lacks)
        can_look = any(one.name == "dry_run" for one in click.get_current_context().command.params)
        look = "look with --dry-run, then " if can_look else ""
        raise UsageError(f"{what} Nobody can be asked here: {look}add {lacking}. Nothing was changed.")
    if not yes:
        click.confirm(f"{what} Go on?", abort=True, err=True)
    why = (click.prompt("Why", err=True) if why is None else why).strip()
    if not why:
        raise UsageError("--why is empty: say in a few words why. Nothing was changed.")
    return why


class Day(click.ParamType[date]):
    """A landing day, YYYY-MM-DD, not in the future and not before the platform's first day."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Parse and check the day. Raises `UsageError`."""
        del param, ctx
        from reliability_platform.clock import FIRST_DAY

        day = value if isinstance(value, date) else parse_day(str(value))
        if day >= utc_now().date():
            raise UsageError(f"{day} is not over yet: only days before today (UTC) have landed.")
        if day < FIRST_DAY:
            raise UsageError(f"{day} lies before the platform's first day, {FIRST_DAY}.")
        return day


DAY = Day()


def day_range(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--from` and `--to`, both included."""
    command = click.option("--to", "last", type=DAY, required=True, help="Last landing day, included.")(command)
    return click.option("--from", "first", type=DAY, required=True, help="First landing day.")(command)


def check_range(first: date, last: date) -> None:
    """Refuse a window that ends before it begins."""
    if last < first:
        raise UsageError(f"--to {last} lies before --from {first}: give the earlier day first.")


def as_json_text(document: Any) -> str:
    """One JSON document; dates as ISO text, exact numbers as text."""

    def plain(value: Any) -> Any:
        if isinstance(value, date | datetime):
            return value.isoformat()
        return str(value)

    return json.dumps(document, indent=2, default=plain) + "\n"


def echo(text: object, nl: bool = True) -> None:
    """Plain text on stdout, in the terminal's own encoding: click's would write UTF-8 to one that is ASCII."""
    sys.stdout.write(f"{text}\n" if nl else f"{text}")
    sys.stdout.flush()


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    echo(as_json_text(document), nl=False)


def file_to_write(output: Path) -> Path:
    """The file behind what somebody gave. Raises `UsageError` where its folder is missing, or where it is a device or a pipe:
    what is written in one step takes the place of what was there, and root would have had a file for /dev/null.
    """
    if not output.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {output.absolute().parent} to write {output.name} into: make it first.")
    if output.exists() and not output.is_file():
        raise UsageError(f"{output} is no file: leave --output out, or name a file.")
    return output.resolve()


def write_or_print(text: str, output: Path | None) -> None:
    """Into a file, in one step, or to stdout. Raises `UsageError` if it cannot be a file."""
    if output is None:
        echo(text, nl=False)
    else:
        write_atomically(file_to_write(output), text.encode())
        progress.print(f"Written: {output}", markup=False)


@contextmanager
def _held(settings: Settings, name: str, who: str) -> Iterator[None]:
    """Hold one lock of the home, or say at once who has it."""
    busy = f"{who} is at work in {settings.home}: end it or wait, or choose another --home."
    try:
        lock = take(settings.home / name, busy, wait_seconds=0)
    except OSError as error:
        raise unusable_folder(settings.home, error) from None
    try:
        yield
    finally:
        lock.release()


def _refuse_half_restored(settings: Settings) -> None:
    """A home whose restore was cut off is not whole: nobody may work on it before that is finished."""
    if (settings.home / RESTORING).exists():
        raise EnvironmentUnusableError(
            f"A restore of {settings.home} was cut off: finish it with `{hint('restore --everything')}`."
        )


def home_session(settings: Settings, *, restoring: bool = False) -> AbstractContextManager[None]:
    """Hold the home for one command that changes it. Raises `HomeBusyError` if another does so already."""
    if not restoring:
        _refuse_half_restored(settings)
    return _held(settings, ".session.lock", "Another command")


def home_served(settings: Settings) -> AbstractContextManager[None]:
    """Hold the home as the one that `reliability dev` serves. The demo must not empty a home that is being served."""
    _refuse_half_restored(settings)
    return _held(settings, ".served.lock", "reliability dev")
