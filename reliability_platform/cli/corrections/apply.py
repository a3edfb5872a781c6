"""`reliability corrections apply`: correct rows of a source that cannot send them again."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from reliability_platform.actor import whoami
from reliability_platform.cli.options import (
    DAY,
    ask_first,
    check_range,
    home_option,
    json_option,
    people,
    print_json,
    why_option,
    yes_option,
)
from reliability_platform.cli.parameters import check_source
from reliability_platform.cli.tables import Table
from reliability_platform.clock import days as days_between
from reliability_platform.clock import utc_now
from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.formats import number
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.correction import Correction, CorrectionRequest, parsed
from reliability_platform.landing.corrections import Corrections, Decided
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.remediation.corrections import CorrectionSurvey


@click.command()
@click.option("--source", required=True, help="The source.")
@click.option("--column", required=True, help="The column that is corrected; not one of the key.")
@click.option("--multiply", default=None, metavar="NUMBER", help="Multiply by this.")
@click.option("--divide", default=None, metavar="NUMBER", help="Divide by this.")
@click.option("--set", "value", default=None, metavar="VALUE", help="Set to this value of the column's type.")
@click.option("--set-null", is_flag=True, help="Leave the column empty.")
@click.option("--replace", multiple=True, metavar="OLD=NEW", help="Put one value in the place of another. Repeatable.")
@click.option("--shift", default=None, metavar="SPAN", help="Shift a time or a date: -2h, 90m, 1d.")
@click.option("--round", "rounded", is_flag=True, help="Round what the type of the column does not hold exactly.")
@click.option(
    "--where", multiple=True, metavar="COLUMN=VALUE", help="Only rows with this value; repeat a column for more."
)
@click.option(
    "--between", multiple=True, metavar="COLUMN=LOW..HIGH", help="Only rows in this range, both ends included."
)
@click.option("--missing", multiple=True, metavar="COLUMN", help="Only rows without a value of this column.")
@click.option("--date", "day", type=DAY, default=None, help="One landing day; instead of --from and --to.")
@click.option("--from", "first", type=DAY, default=None, help="First landing day.")
@click.option("--to", "last", type=DAY, default=None, help="Last landing day, included.")
@click.option("--slot", "slots", type=int, multiple=True, help="Only this slot of a landing day. Repeatable.")
@click.option("--batch", default=None, help="Only this batch.")
@click.option("--incident", default=None, help="The incident that it is for: it stands on its timeline.")
@click.option("--dry-run", is_flag=True, help="Show rows, values and sums before and after, and change nothing.")
@why_option
@yes_option
@home_option
@json_option
def apply(
    source: str,
    column: str,
    multiply: str | None,
    divide: str | None,
    value: str | None,
    set_null: bool,
    replace: tuple[str, ...],
    shift: str | None,
    rounded: bool,
    where: tuple[str, ...],
    between: tuple[str, ...],
    missing: tuple[str, ...],
    day: date | None,
    first: date | None,
    last: date | None,
    slots: tuple[int, ...],
    batch: str | None,
    incident: str | None,
    dry_run: bool,
    why: str | None,
    yes: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Correct values of rows that have landed, build their landing days again, audit and publish.

    Landing and bronze stay as they were delivered. It is about the deliveries that are there now: what the source sends
    later is not corrected. `corrections revert` takes it back. A value that does not fit its type exactly is refused.
    """
    if first is not None and last is not None:
        check_range(first, last)
    check_source(source)
    landing_days = _days(day, first, last)
    from reliability_platform.remediation.corrections import apply as put_into_force
    from reliability_platform.remediation.corrections import refuse_if_wrong, survey, unbuilt

    given = {"multiply": multiply, "divide": divide, "set": value, "shift": shift}
    operations = {name: [text] for name, text in given.items() if text is not None}
    operations |= {"set_null": []} if set_null else {}
    operations |= {"replace": list(replace)} if replace else {}
    correction = parsed(
        CONTRACTS[source], CorrectionRequest(source, column, operations, where, between, missing, slots, rounded)
    )
    engine = operations_engine(settings)
    incident_id = IncidentStore(engine).get(incident).id if incident is not None else None
    found = survey(settings, engine, correction, landing_days, batch)
    refuse_if_wrong(found)
    known = Corrections(engine)
    pending = [one for one in map(known.named, found.already) if unbuilt(settings, engine, one)]
    if dry_run or not (found.rows or pending):
        _tell(found, pending, as_json, None, [])
        return
    if not as_json:
        _tell(found, pending, as_json, None, [])
    what = f"{counted(found.rows, 'row')} of {source} to be corrected: {correction.words}."
    reason = ask_first(what, why, yes) if found.rows else ""
    from reliability_platform.cli.corrections.rebuild import concerned_by, rebuild
    from reliability_platform.cli.session import driving

    left: list[str] = []
    with driving(settings, healing=False) as (settings, daemon):
        # What came while a person was asked is not meant; what somebody else has corrected meanwhile is not any more.
        if survey(settings, engine, correction, landing_days, batch) != found:
            raise UsageError(
                "The rows have changed while you were asked: look again with --dry-run. Nothing was changed."
            )
        daemon.tick()  # what has been judged and not been read yet becomes an incident first
        now_in_force = list(pending)
        if found.rows:
            now_in_force.append(put_into_force(settings, engine, found, reason, whoami(), utc_now(), incident_id))
        for one in now_in_force:
            concerns = concerned_by(engine, source, one.days)
            words = f"Corrected {counted(one.rows, 'row')} of {source} as {one.id}: {correction.words}. {one.why}"
            left += rebuild(settings, engine, daemon, one, words, concerns)
    _tell(found, [], as_json, ", ".join(one.id for one in now_in_force), list(dict.fromkeys(left)))


def _days(day: date | None, first: date | None, last: date | None) -> list[date]:
    if (day is None) == (first is None and last is None):
        raise UsageError("Say which landing days: --date, or --from and --to.")
    if day is not None:
        return [day]
    if first is None or last is None:
        raise UsageError("Give both --from and --to.")
    return list(days_between(first, last))


def document(correction: Correction) -> dict[str, Any]:
    """A correction for a program."""
    return {**correction.document(), "words": correction.words}


def _tell(
    found: "CorrectionSurvey", pending: Sequence[Decided], as_json: bool, applied_as: str | None, left: list[str]
) -> None:
    correction = found.correction
    if as_json:
        print_json(
            {
                "correction": document(correction),
                "applied_as": applied_as,
                "already_in_force": list(found.already),
                "not_built_yet": [one.id for one in pending],
                "rows": found.rows,
                "rows_outside_contract": found.outside,
                "days": [vars(one) for one in found.days],
                "sample": [vars(one) for one in found.sample],
                "open_incidents": left,
            }
        )
        return
    if applied_as is not None:
        from reliability_platform.cli.corrections.rebuild import tell_open

        people.print(f"Corrected as {applied_as}: {correction.source}, {correction.words}.", markup=False)
        tell_open(left)
        return
    for name in found.already:
        waits = "; its days are not built yet: they are built now" if name in {one.id for one in pending} else ""
        people.print(f"{name} is in force already on these days, and does the same{waits}.", markup=False)
    if not found.rows:
        return
    people.print(f"{correction.source}: {correction.words}: {counted(found.rows, 'row')} corrected.", markup=False)
    summed = found.days[0].before is not None
    sums = ("sum before", "sum after") if summed else ()
    view = Table("landing day", "rows", "corrected", *sums)
    for one in found.days:
        told = (number(one.before), number(one.after)) if summed else ()
        view.add_row(str(one.landing_date), f"{one.rows:,}", f"{one.corrected:,}", *told)
    people.print(view)
    view = Table("batch", "row", "before", "after")
    for it in found.sample:
        view.add_row(*map(escape, (it.batch_id, str(it.row_number), number(it.before), number(it.after))))
    people.print(view)
    if found.outside:
        people.print(
            f"{counted(found.outside, 'corrected row')} would have a value that the contract does not allow, and be rejected.",
            markup=False,
        )
