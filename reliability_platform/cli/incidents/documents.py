"""The documents of incidents on the command line: runbook, questions, postmortem, messages, page, failure classes."""

from collections.abc import Sequence
from typing import Any

import click

from reliability_platform.actor import whoami
from reliability_platform.cli.options import echo, home_option, home_session, json_option, print_json
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.formats import NOTHING
from reliability_platform.incidents.decisions import finish_postmortem
from reliability_platform.incidents.documents import web
from reliability_platform.incidents.documents.action_items import propose_action_items, record_action_items
from reliability_platform.incidents.documents.blocks import Block, Grid, Heading
from reliability_platform.incidents.documents.class_page import class_document, class_index, class_page
from reliability_platform.incidents.documents.facts import facts_of
from reliability_platform.incidents.documents.messages import KINDS, messages
from reliability_platform.incidents.documents.postmortem import postmortem as postmortem_blocks
from reliability_platform.incidents.documents.questions import questions
from reliability_platform.incidents.documents.render import markdown, text
from reliability_platform.incidents.documents.runbook import runbook as runbook_blocks
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings

FORMATS = {"md": markdown, "text": text, "html": web.page}
MAX_ANSWER_ROWS = 200
"""Rows of one answer that are shown: an assessment is read, not exported."""

format_option = click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="md", show_default=True, help="How it is written."
)


def _found(incident_id: str, settings: Settings) -> tuple[Settings, Incident]:
    return settings, IncidentStore(operations_engine(settings)).get(incident_id)


def _tell(blocks: Sequence[Block], form: str) -> None:
    echo(FORMATS[form](blocks), nl=False)


@click.command()
@click.argument("incident_id")
@format_option
@home_option
def runbook(incident_id: str, form: str, settings: Settings) -> None:
    """What to do about an incident, as things stand now. INCIDENT_ID may be shortened, as in INC-0003."""
    from reliability_platform.remediation.documents import situation_seen

    settings, incident = _found(incident_id, settings)
    situation = situation_seen(settings, operations_engine(settings), incident, utc_now())
    _tell(runbook_blocks(incident, situation), form)


@click.command()
@click.argument("incident_id")
@home_option
@json_option
def assess(incident_id: str, settings: Settings, as_json: bool) -> None:
    """Ask the warehouse the questions of an incident's runbook, read-only, and show the answers."""
    from reliability_platform.warehouse.lease import warehouse_reader

    settings, incident = _found(incident_id, settings)
    answers = []
    with warehouse_reader(settings) as connection:
        for one in questions(incident):
            cursor = connection.execute(one.sql)
            columns = [column[0] for column in cursor.description or []]
            answers.append((one, columns, cursor.fetchmany(MAX_ANSWER_ROWS)))
    if as_json:
        print_json(
            [
                {"answers": one.answers, "sql": one.sql, "rows": [dict(zip(columns, row, strict=True)) for row in rows]}
                for one, columns, rows in answers
            ]
        )
        return
    blocks: list[Block] = [Heading(1, f"Assessment of {incident.id}")]
    for one, columns, rows in answers:
        blocks += [Heading(2, f"{one.answers[:1].upper()}{one.answers[1:]}")]
        blocks.append(Grid(columns, [[NOTHING if cell is None else str(cell) for cell in row] for row in rows]))
    _tell(blocks, "text")


@click.command()
@click.argument("incident_id")
@format_option
@click.option("--record", is_flag=True, help="Note that it is written, keep it as files, take up its action items.")
@home_option
def postmortem(incident_id: str, form: str, record: bool, settings: Settings) -> None:
    """The postmortem of an incident, filled in from its timeline; a draft while it is not over."""
    from reliability_platform.remediation.documents import situation_of, situation_seen, write_document

    settings, incident = _found(incident_id, settings)
    engine, now = operations_engine(settings), utc_now()
    if record:
        with home_session(settings):
            store = IncidentStore(engine)
            finish_postmortem(store, incident.id, now, whoami(), "Written from the timeline.")
            situation = situation_of(settings, engine, incident, now)
            items = propose_action_items(incident, facts_of(incident, situation))
            record_action_items(store, incident.id, items, now, whoami())
            incident = store.get(incident.id)
    else:
        situation = situation_seen(settings, engine, incident, now)
    blocks = postmortem_blocks(incident, situation)
    if record:
        write_document(settings, f"{incident.id}.postmortem", blocks)
    _tell(blocks, form)


@click.command()
@click.argument("incident_id")
@click.option("--to", "kind", type=click.Choice(KINDS), default=None, help="Only this one. [default: all that are due]")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True, help="How it is written."
)
@home_option
@json_option
def message(incident_id: str, kind: str | None, form: str, settings: Settings, as_json: bool) -> None:
    """Messages about an incident, to be sent: internal, to each owner of readers, to the source, the all-clear."""
    from reliability_platform.remediation.documents import situation_seen

    settings, incident = _found(incident_id, settings)
    situation = situation_seen(settings, operations_engine(settings), incident, utc_now())
    made = messages(incident, situation, kind)
    if as_json:
        print_json([{"kind": one.kind, "to": one.to, form: FORMATS[form](one.blocks)} for one in made])
        return
    _tell([block for one in made for block in one.blocks], form)


@click.command()
@click.argument("incident_id")
@home_option
def page(incident_id: str, settings: Settings) -> None:
    """Write the page of an incident, HTML and Markdown, into the home, and say where."""
    from reliability_platform.remediation.documents import documents_folder, write_page

    settings, incident = _found(incident_id, settings)
    write_page(settings, operations_engine(settings), incident, utc_now())
    echo(documents_folder(settings) / f"{incident.id}.html")


def _routes(settings: Settings, failure_class: str) -> list[dict[str, Any]]:
    """The routes that may hold for a class, by the project's routing file."""
    from reliability_platform.alerts.routing.concerned import may_hold
    from reliability_platform.alerts.routing.declared import routing_of

    routing = routing_of(settings)
    routes = [] if routing is None else [one for one in routing.routes if may_hold(one.when, failure_class)]
    return [{"route": one.name, "when": one.when.in_words, "tell": list(one.tell)} for one in routes]


@click.command()
@click.argument("name", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, "json"]),
    default="md",
    show_default=True,
    help="How it is written.",
)
def classes(name: str | None, form: str) -> None:
    """The failure classes, or the page of one: what it means, how it shows, what to do."""
    from reliability_platform.incidents.classes import CLASSES
    from reliability_platform.remediation.documents import remedy_of

    if name is not None and name not in CLASSES:
        raise UsageError(f"There is no failure class {name!r}: see `reliability incidents classes`.")
    settings = load_settings()
    if form == "json":
        wanted = list(CLASSES) if name is None else [name]
        made = [{**class_document(one, remedy_of(one)), "routes": _routes(settings, one)} for one in wanted]
        print_json(made if name is None else made[0])
        return
    if name is None:
        _tell(class_index({one: remedy_of(one) for one in CLASSES}), form)
        return
    blocks = class_page(name, remedy_of(name), read_policy(settings.response_policy))
    if routes := _routes(settings, name):
        rows = [[one["route"], one["when"], ", ".join(one["tell"])] for one in routes]
        blocks += [Heading(2, "Who is told"), Grid(["route", "incidents of the class", "tells"], rows)]
    _tell(blocks, form)
