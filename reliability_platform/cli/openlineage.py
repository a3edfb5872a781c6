"""`reliability openlineage`: the lineage events of the home, and what waits to be sent."""

from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from reliability_platform.cli.options import hint, home_option, json_option, people, print_json
from reliability_platform.cli.parameters import FilePath
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode
from reliability_platform.openlineage_events.emitter import event_file
from reliability_platform.openlineage_events.spool import EventSpool
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings

MAX_PROBLEMS = 20


@click.group()
def openlineage() -> None:
    """Lineage events (OpenLineage): how many there are, send what waits, validate them."""


def _status(settings: Settings) -> dict[str, Any]:
    file, spool = event_file(settings), EventSpool(operations_engine(settings))
    whole = torn = 0
    for _, event in file.lines():
        whole, torn = whole + (event is not None), torn + (event is None)
    server = None if settings.openlineage_url is None else urlsplit(settings.openlineage_url).netloc
    return {
        "endpoint": server,
        "in_file": whole,
        "torn_lines": torn,
        "files": [str(path.relative_to(settings.home)) for path in file.files()],
        "waiting": spool.waiting(),
        "set_aside": spool.dead_letters(),
    }


@openlineage.command()
@home_option
@json_option
def status(settings: Settings, as_json: bool) -> None:
    """How many events are in the file, wait to be sent, or were refused by the endpoint."""
    found = _status(settings)
    if as_json:
        print_json(found)
        return
    people.print(f"In {', '.join(found['files']) or 'no file'}: {counted(found['in_file'], 'event')}.")
    if found["torn_lines"]:
        people.print(f"{counted(found['torn_lines'], 'half line')}: a writer was killed. Readers pass over them.")
    if found["endpoint"] is None:
        people.print("No endpoint is set (RELIABILITY_OPENLINEAGE_URL): new events go into the file.")
    else:
        people.print(f"New events go to {found['endpoint']}.", markup=False)
    if found["waiting"]:
        people.print(f"{found['waiting']:,} wait to be sent: {hint('openlineage send')}.", markup=False)
    for reason, count in found["set_aside"].items():
        people.print(f"{count:,} refused by the endpoint ({reason}): {hint('openlineage send --again')}.", markup=False)


@openlineage.command()
@click.option("--again", is_flag=True, help="Also those that the endpoint refused before.")
@home_option
@json_option
def send(again: bool, settings: Settings, as_json: bool) -> int:
    """Send what waits, oldest first. Exit code 1 if something is left or was refused."""
    from reliability_platform.openlineage_events.delivery import deliver
    from reliability_platform.openlineage_events.endpoint import Endpoint

    spool = EventSpool(operations_engine(settings))
    Endpoint(settings).close()  # says what is wrong with the setting before anything is touched
    if again:
        spool.put_back()
    done = deliver(settings, spool)
    waiting = spool.waiting()
    if as_json:
        print_json({**vars(done), "waiting": waiting})
    else:
        people.print(f"{done.delivered:,} sent, {done.set_aside:,} refused, {waiting:,} still wait.")
        if done.problem:
            people.print(f"The endpoint could not be used: {done.problem}.", markup=False)
    return ExitCode.NOT_HEALED if waiting or done.set_aside else ExitCode.OK


@openlineage.command()
@click.option(
    "--specification",
    type=FilePath(exists=True, file_okay=False, path_type=Path),
    default=None,
    help="The `spec` folder of OpenLineage with its JSON schemas. [default: those behind the installed client]",
)
@home_option
@json_option
def validate(specification: Path | None, settings: Settings, as_json: bool) -> int:
    """Check every event, in the file and in the spool, against the schemas of the specification."""
    from reliability_platform.openlineage_events.specification import Specification

    rules = Specification.of_the_client() if specification is None else Specification.from_folder(specification)
    count, invalid, problems = 0, 0, []
    for place, event in chain(event_file(settings).lines(), EventSpool(operations_engine(settings)).events()):
        if event is None:
            continue  # the half line of a killed writer was never an event; `status` counts them
        found = rules.problems(event)
        count, invalid = count + 1, invalid + bool(found)
        problems += [f"{place} {problem}" for problem in found]
    if as_json:
        print_json({"events": count, "invalid": invalid, "problems": problems[:MAX_PROBLEMS]})
    else:
        for problem in problems[:MAX_PROBLEMS]:
            people.print(problem, markup=False)
        people.print(f"{counted(count, 'event')}, {invalid:,} invalid.")
    return ExitCode.NOT_HEALED if invalid else ExitCode.OK
