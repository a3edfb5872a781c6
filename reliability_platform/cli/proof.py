"""`reliability verify`: the proof."""

from dataclasses import asdict

import click

from reliability_platform.cli.options import home_option, home_session, json_option, people, print_json, progress
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode
from reliability_platform.formats import landing_days
from reliability_platform.settings import Settings


@click.command()
@home_option
@json_option
def verify(settings: Settings, as_json: bool) -> int:
    """Prove that what is published is what was audited, and equals a run without any failure, row for row.

    Compares every file of the home with its checksum, and asks whether the operations store is the one of this home and
    whole, and whether each landed day has been judged. Then builds the same days again from the clean source and compares
    every published table as a multiset of rows. It shows what differs. Of a source that is neither simulated nor recorded
    nobody knows what it should have sent: its days are built again from what has landed. A table of an own dbt project
    that is made of a snapshot holds what it does because of when it was built: it is not compared, which is said. So is what
    people have corrected: where the truth is known, a correction that is right gives equal tables, and one that is wrong others.
    """
    from reliability_platform.cli.corrections.listing import told
    from reliability_platform.contracts import SOURCES
    from reliability_platform.lab.clean import clean_sources
    from reliability_platform.lab.oracle import verify as compare
    from reliability_platform.landing.admission import landed_partitions
    from reliability_platform.landing.corrections import Corrections
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.unnoticed import unnoticed
    from reliability_platform.remediation.corrections import unbuilt
    from reliability_platform.service.queries.pauses import standing_pauses
    from reliability_platform.warehouse.dbt_manifest import ensure_manifest
    from reliability_platform.warehouse.own_lacks import not_compared

    with home_session(settings):
        wrong = unnoticed(settings)
        tables = compare(settings, landed_partitions(settings), lambda step: progress.print(f"[dim]{step} …[/dim]"))
    left_out = not_compared(ensure_manifest())
    engine = operations_engine(settings)
    in_force = Corrections(engine).in_force()
    clean = clean_sources(settings)
    rebuilt = [source for source in SOURCES if source not in clean]
    equal = all(table.equal for table in tables) and not wrong
    pauses = standing_pauses(engine, utc_now())
    if as_json:
        print_json(
            {
                "equal": equal,
                "rebuilt_from_landing": rebuilt,
                "not_compared": left_out,
                "corrected_by_persons": [told(one, unbuilt(settings, engine, one)) for one in in_force],
                "paused": [one.model_dump() for one in pauses],
                **wrong.document(),
                "tables": {table.name: asdict(table) for table in tables},
            }
        )
        return ExitCode.OK if equal else ExitCode.NOT_HEALED
    view = Table("table", "rows", "rows without failures", "equal")
    for table in tables:
        status = "[green]yes[/green]" if table.equal else "[bold red]NO[/bold red]"
        view.add_row(table.name, f"{table.rows:,}", f"{table.expected_rows:,}", status)
    people.print(view)
    if rebuilt:
        people.print(
            f"There is no truth to compare with for {', '.join(rebuilt)}: built again from what has landed.",
            markup=False,
        )
    for one in in_force:
        rows = f"{counted(one.rows, 'row')} of {one.correction.source}, {landing_days(one.days)}"
        people.print(f"{one.who} has corrected {rows} ({one.id}): {one.correction.words}. {one.why}", markup=False)
    for pause in pauses:
        consequence = (
            "days on which nothing of it landed are in no comparison"
            if pause.kind == "source"
            else "what consumers read of it is older than what was audited, or nothing"
        )
        people.print(f"{pause.name} is {pause.state} by {pause.actor} ({pause.why}): {consequence}.", markup=False)
    for name, why in left_out.items():
        people.print(f"{name} is not compared: {why}.", markup=False)
    for line in wrong.lines:
        people.print(line, markup=False)
    for table in tables:
        for difference in table.first_differences:
            people.print(f"{table.name}: {difference}", markup=False)
    return ExitCode.OK if equal else ExitCode.NOT_HEALED
