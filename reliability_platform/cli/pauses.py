"""Pausing on purpose: `reliability sources pause`, `reliability tables pause` and `withdraw`, and the way back."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import click

from reliability_platform.actor import whoami
from reliability_platform.cli.options import (
    ask_first,
    echo,
    hint,
    home_option,
    home_session,
    json_option,
    print_json,
    why_option,
    yes_option,
)
from reliability_platform.clock import utc_now
from reliability_platform.contracts import check_source
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.pauses import Pausable, Pauses, PauseState
from reliability_platform.service.queries.pauses import missed_days, standing_pauses
from reliability_platform.settings import Settings

until_option = click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    help="It ends by itself when this day begins (UTC). [default: when somebody ends it]",
)
reason_option = click.option("--why", required=True, help="The reason; it stands wherever the pause is shown.")
CONSUMERS = {
    PauseState.PAUSED: "stays as it was published last",
    PauseState.WITHDRAWN: "is in no version that is published",
    PauseState.ACTIVE: "is published again",
}
"""What the next publication does with a table."""


def _tables() -> tuple[str, ...]:
    """The published tables. dbt parses the project for them where it is not parsed, and `sources add` needs none of that."""
    from reliability_platform.checks.catalogue import MART_SOURCES

    return tuple(MART_SOURCES)


def _known(kind: Pausable, name: str) -> None:
    if kind is Pausable.SOURCE:
        check_source(name)
    elif name not in (known := _tables()):
        raise UsageError(f"There is no published table {name!r}: choose one of {', '.join(known)}.")


def _say(
    settings: Settings, kind: Pausable, name: str, state: PauseState, why: str, until: datetime | None, as_json: bool
) -> None:
    _known(kind, name)
    engine, now = operations_engine(settings), utc_now()
    end = None if until is None else until.replace(tzinfo=UTC)
    changed = Pauses(engine).say(kind, name, state, whoami(), why, now, end)
    standing = standing_pauses(engine, now)
    if as_json:
        print_json({"changed": changed, "paused": [one.model_dump() for one in standing]})
        return
    before = "" if changed else ", as it was before"
    if kind is Pausable.TABLE:
        echo(f"{name} {CONSUMERS[state]}{before}. It counts from the next `{hint('publish')}` on.")
    elif state is PauseState.PAUSED:
        echo(f"{name} is not asked for deliveries{before}; days without any are neither judged nor told.")
    else:
        missed = missed_days(settings, engine, now).get(name, [])
        echo(" ".join([f"{name} is asked again{before}.", *([missed_words(missed)] if missed else [])]))


def missed_words(missed: Sequence[date]) -> str:
    """What to do about landing days that a source missed while it was paused."""
    again = hint(f"run --from {missed[0]} --to {missed[-1]}")
    return f"{counted(len(missed), 'landing day')} built without it while it was paused: once it is asked again, `{again}`."


def _command(name: str, kind: Pausable, state: PauseState, text: str) -> click.Command:
    def run(name: str, why: str, settings: Settings, as_json: bool, until: datetime | None = None) -> None:
        # No session is held: a person must get through while a run is at work.
        _say(settings, kind, name, state, why, until, as_json)

    run.__doc__ = text
    command: Callable[..., Any] = json_option(home_option(run))
    if state is PauseState.PAUSED:
        command = until_option(command)
    return click.command(name)(click.argument("name")(reason_option(command)))


pause_source = _command(
    "pause",
    Pausable.SOURCE,
    PauseState.PAUSED,
    """Ask a source for no deliveries until somebody resumes it.

    What has landed stays. Days of which nothing lands are not judged, and no deadline of the source is told; other sources go on
    without the checks that compare them with it. Event dates to which it contributes wait in the tables that it feeds.
    """,
)
resume_source = _command(
    "resume",
    Pausable.SOURCE,
    PauseState.ACTIVE,
    "Ask a source again that somebody has paused; run the days that it missed.",
)
pause_table = _command(
    "pause",
    Pausable.TABLE,
    PauseState.PAUSED,
    """Publish a table no more until somebody resumes it: consumers keep what they read last, and the other tables go on.""",
)
resume_table = _command(
    "resume", Pausable.TABLE, PauseState.ACTIVE, "Publish a table again that somebody has paused or withdrawn."
)


@click.command("withdraw")
@click.argument("name")
@why_option
@yes_option
@home_option
@json_option
def withdraw_table(name: str, why: str | None, yes: bool, settings: Settings, as_json: bool) -> None:
    """Take a published table from consumers: the next version, which is published now, has no such file.

    Earlier versions keep it, and `reliability tables resume` brings it back from the warehouse. Asks first; where nobody can be
    asked it needs --yes and --why.
    """
    from reliability_platform.pipeline import steps

    _known(Pausable.TABLE, name)
    reason = ask_first(f"Consumers will find no {name}.", why, yes)
    with home_session(settings):
        engine = operations_engine(settings)
        Pauses(engine).say(Pausable.TABLE, name, PauseState.WITHDRAWN, whoami(), reason, utc_now())
        publication = steps.publish(steps.RunContext.of(settings, "command line"))
    if as_json:
        print_json({"version": publication.version, "paused": publication.paused})
        return
    echo(f"{publication.version} has no {name}. `{hint(f'tables resume {name} --why TEXT')}` brings it back.")


@click.command("list")
@home_option
@json_option
def list_tables(settings: Settings, as_json: bool) -> None:
    """The published tables, and which of them are paused or withdrawn: by whom, since when, until when and why."""
    standing = Pauses(operations_engine(settings)).tables(utc_now())
    if as_json:
        print_json(
            [
                {"table": name, **(vars(standing[name]) if name in standing else {"state": "active"})}
                for name in _tables()
            ]
        )
        return
    for name in _tables():
        echo(f"{name} {standing[name].words if name in standing else 'is published'}")
