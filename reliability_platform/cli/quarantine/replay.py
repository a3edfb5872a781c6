"""`reliability quarantine replay`: read again what was refused, ask again for what was rejected."""

from datetime import date
from typing import TYPE_CHECKING

import click

from reliability_platform.actor import whoami
from reliability_platform.audit_log import Changes, note_act
from reliability_platform.cli.options import hint, home_option, json_option, people, print_json, progress
from reliability_platform.cli.parameters import Whole
from reliability_platform.cli.quarantine.selection import refuse_unknown_batch, selected, selection_options
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.dead_letters.conclude import concerned, conclude, note
from reliability_platform.remediation.dead_letters.letters import Selection, waiting_letters
from reliability_platform.remediation.dead_letters.replay import Offer, note_tried, offers, perform
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.orchestration.local import LocalDaemon

SHOWN = 5
"""So many of the steps are named on the timeline; the ledger has all."""


@click.command()
@selection_options
@click.option("--limit", type=Whole(min=1), default=None, help="Files and groups of rows at most, oldest first.")
@click.option("--dry-run", is_flag=True, help="Say exactly what would be done, and change nothing.")
@home_option
@json_option
def replay(
    source: str | None,
    day: date | None,
    first: date | None,
    last: date | None,
    batch: str | None,
    reason: str | None,
    limit: int | None,
    dry_run: bool,
    settings: Settings,
    as_json: bool,
) -> int:
    """Replay dead letters: read them again where that can help, ask the source again where not, re-run, verify.

    With --source and --date alone, the incidents of that day are healed first, as `reliability heal` does. What failed
    again with the same content under the same contract is not offered again.
    """
    wanted = selected(source, day, first, last, batch, reason, limit)
    if batch is None and source is None and reason is None and (day or first) is None:
        raise UsageError("Say what to replay: --source, --date or --from, --batch or --reason.")
    whole_day = source is not None and day is not None and (batch, reason, limit) == (None, None, None)
    refuse_unknown_batch(settings, batch)
    letters = waiting_letters(settings, wanted)
    if not letters and not whole_day:
        _tell([], [], [], as_json, dry_run=dry_run, healed=False)
        return ExitCode.OK
    if dry_run:
        found = offers(settings, operations_engine(settings), letters, named=_is_named(wanted))
        plans = _plans(settings, source, day) if whole_day and source is not None and day is not None else []
        _tell(plans, found, [], as_json, dry_run=True, healed=False)
        return ExitCode.OK
    from reliability_platform.cli.session import driving

    words: list[str] = []
    left: list[str] = []
    with driving(settings, healing=whole_day) as (settings, daemon):
        daemon.tick()
        if whole_day and source is not None and day is not None:
            words, left = _heal(settings, daemon, source, day)
        found, more, still_open = _replay(settings, daemon, wanted)
    left = list(dict.fromkeys([*left, *still_open]))
    _tell([*words, *more], found, left, as_json, dry_run=False, healed=whole_day)
    return ExitCode.NOT_HEALED if left or daemon.troubles or any(one.refusal for one in found) else ExitCode.OK


def _is_named(wanted: Selection) -> bool:
    """Whether a person means these dead letters themselves, and not all of a day."""
    return wanted.batch_id is not None or wanted.reason is not None


def _plans(settings: Settings, source: str, day: date) -> list[str]:
    """What healing the open incidents of a day would do."""
    from reliability_platform.remediation.heal import describe

    return [f"{one.id}: {describe(settings, one)}" for one in concerned(operations_engine(settings), [(source, day)])]


def _heal(settings: Settings, daemon: "LocalDaemon", source: str, day: date) -> tuple[list[str], list[str]]:
    """Heal the incidents of one source and day; words, and the ids of those that are still open."""
    from reliability_platform.incidents.store import IncidentStore
    from reliability_platform.remediation.due import may_act
    from reliability_platform.remediation.heal import act

    engine = operations_engine(settings)
    store = IncidentStore(engine)
    incidents = [one for one in store.all() if one.source == source and day in one.partitions]
    words = []
    for incident in incidents:
        if may_act(settings, engine, incident, utc_now(), approved=True):
            words.append(act(settings, engine, incident.id, utc_now(), "command line").summary)
    daemon.settle()
    return words, [one.id for one in incidents if store.get(one.id).is_open]


def _replay(settings: Settings, daemon: "LocalDaemon", wanted: Selection) -> tuple[list[Offer], list[str], list[str]]:
    """Replay what waits; the offers, words, and the ids of incidents that are still open."""
    engine = operations_engine(settings)
    found = offers(settings, engine, waiting_letters(settings, wanted), named=_is_named(wanted))
    chosen = [one for one in found if not one.refusal]
    if not chosen:
        return found, [], []
    incidents = concerned(engine, {(one.letter.source, one.letter.landing_date) for one in chosen})
    what = f"{counted(len(chosen), 'dead letter')} of {', '.join(sorted({one.letter.source for one in chosen}))}"
    note_act(engine, Changes.REPLAY, what, whoami(), "", utc_now())
    words, days = perform(settings, chosen, whoami())
    note(engine, incidents, f"Replayed by hand: {' '.join(words[:SHOWN])}", whoami(), utc_now(), chosen[0].fingerprint)
    if days:
        daemon.run("reprocess", first=days[0], last=days[-1])
        daemon.settle()
    note_tried(engine, chosen, utc_now())
    return found, words, conclude(settings, engine, incidents, utc_now, whoami())


def _tell(words: list[str], found: list[Offer], left: list[str], as_json: bool, *, dry_run: bool, healed: bool) -> None:
    if as_json:
        told = [{"how": one.how, "offered": not one.refusal, "words": one.words, **vars(one.letter)} for one in found]
        print_json({"dry_run": dry_run, "done": words, "dead_letters": told, "open_incidents": left})
        return
    for line in words:
        (people if dry_run else progress).print(line, markup=False)
    for offer in found:
        if dry_run or offer.refusal:
            people.print(offer.words, markup=False)
    if not (words or found or healed):
        people.print(f"Nothing that waits in quarantine is meant: see `{hint('quarantine list')}`.", markup=False)
    elif dry_run:
        people.print("Then the landing days are run again. Nothing was changed.")
    for incident_id in left:
        look = hint(f"incidents show {incident_id}")
        people.print(f"{incident_id} is still open: see `{look}`.", markup=False)
    if (words or found or healed) and not dry_run and not left and not any(one.refusal for one in found):
        people.print("Nothing of it waits any more.")
