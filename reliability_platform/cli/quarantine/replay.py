"""`reliability quarantine replay`: read again what was refused, ask again for what was rejected."""

from datetime import date
from pathlib import Path

import click

from reliability_platform.cli.options import DAY, home_option, people, progress
from reliability_platform.cli.quarantine.selection import check_source
from reliability_platform.errors import ExitCode, UsageError


@click.command()
@click.option("--source", required=True, help="The source to ask again.")
@click.option("--date", "day", type=DAY, required=True, help="The landing day.")
@home_option
def replay(source: str, day: date, home: Path | None) -> int:
    """Heal the incidents of one source and day: replay refused files, ask again for rejected rows, re-run, verify."""
    check_source(source)
    from reliability_platform.cli.session import driving
    from reliability_platform.clock import utc_now
    from reliability_platform.incidents.model import ENDED
    from reliability_platform.incidents.store import IncidentStore
    from reliability_platform.operations import operations_engine
    from reliability_platform.remediation.due import may_act
    from reliability_platform.remediation.heal import act

    with driving(home, healing=True) as (settings, daemon):
        daemon.tick()
        engine = operations_engine(settings)
        store = IncidentStore(engine)
        wanted = [one for one in store.all() if one.source == source and day in one.partitions]
        if not wanted:
            raise UsageError(f"No incident concerns {source} on {day}: there is nothing to replay.")
        for incident in wanted:
            if may_act(settings, engine, incident, utc_now(), approved=True):
                done = act(settings, engine, incident.id, utc_now(), "command line")
                progress.print(done.summary, highlight=False, markup=False)
        daemon.settle()
        left = [
            one.id for one in store.all() if one.source == source and day in one.partitions and one.state not in ENDED
        ]
    for incident_id in left:
        people.print(f"{incident_id} is still open: see `reliability incidents show {incident_id}`.", highlight=False)
    if not left:
        people.print(f"Nothing of {source} on {day} waits any more.")
    return ExitCode.NOT_HEALED if left else ExitCode.OK
