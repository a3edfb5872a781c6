"""`reliability incidents breach`: the clock of the law, who looked, how many keys; and what was decided."""

import click

from reliability_platform.actor import whoami
from reliability_platform.cli.options import echo, home_option, json_option, print_json
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.incidents.breach import breach_of, breach_section, settle_report
from reliability_platform.incidents.documents.render import text
from reliability_platform.incidents.response import breach_report_due, overdue, read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


@click.command()
@click.argument("incident_id")
@click.option("--reported", metavar="TEXT", help="It was reported to the authority: to whom and when.")
@click.option("--not-reportable", metavar="TEXT", help="It need not be reported: why.")
@home_option
@json_option
def breach(
    incident_id: str, reported: str | None, not_reportable: str | None, settings: Settings, as_json: bool
) -> None:
    """What is due of a breach of personal data and by when; who looked at rows unmasked; how many keys are affected.

    Keys are counted, never shown. With an option it is recorded what was decided, and the clock stands.
    """
    engine, now = operations_engine(settings), utc_now()
    store = IncidentStore(engine)
    if reported is not None and not_reportable is not None:
        raise UsageError("It was reported, or it need not be: give one of --reported and --not-reportable.")
    incident, said = store.get(incident_id), reported if reported is not None else not_reportable
    if said is not None:
        incident = settle_report(store, incident.id, now, whoami(), said, reported=reported is not None)
    found, terms = breach_of(settings, engine, incident), read_policy(settings.response_policy)
    if found is None:
        raise UsageError(f"{incident.id} is no breach of personal data.")
    if as_json:
        print_json(
            {
                "incident": incident.id,
                "report_due": breach_report_due(incident, terms),
                "decided_at": incident.breach_reported_at,
                "overdue": "breach report" in overdue(incident, terms, now),
                "affected": None if found.affected is None else vars(found.affected),
                "unmasked_looks": list(map(vars, found.looks)),
            }
        )
        return
    echo(text(breach_section(incident, terms, found)), nl=False)
