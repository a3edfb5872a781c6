"""`reliability backfill`: landing days again from what has landed, past the backfill guard; and its dry run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from reliability_platform.cli.options import (
    check_range,
    day_range,
    held_words,
    hint,
    home_option,
    home_session,
    json_option,
    people,
    print_json,
)
from reliability_platform.clock import days, utc_now
from reliability_platform.errors import ExitCode, PlatformError, UsageError
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.backfills.guard import Purpose
    from reliability_platform.orchestration.local import LocalDaemon
    from reliability_platform.warehouse.difference import TableDifference
    from reliability_platform.warehouse.publication import Publication
    from reliability_platform.warehouse.published import KeptTable

DATES_SHOWN = 10


def guard_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--dry-run`, `--approve` and `--why`."""
    for option in (
        click.option("--why", default=None, help="The reason of your approval; it goes on the timeline."),
        click.option("--approve", is_flag=True, help="Let the days through whatever can be approved; needs --why."),
        click.option(
            "--dry-run",
            is_flag=True,
            help="Show what would change for consumers, from what has landed; change nothing.",
        ),
    ):
        command = option(command)
    return command


def reason_given(approve: bool, why: str | None) -> str | None:
    """The reason of an approval; None if nothing is approved. Raises `UsageError` for half of one."""
    from reliability_platform.backfills.approvals import reason

    if approve != (why is not None):
        raise UsageError("--approve and --why go together: say why the days must be run again.")
    return None if why is None else reason(why)


@dataclass(frozen=True)
class Released:
    """What consumers read after a run, and whether the run has published it."""

    read: "Publication | None"
    is_new: bool
    kept: "Sequence[KeptTable]" = ()
    """Tables that show nothing of what was built last."""

    @classmethod
    def since(cls, before: str | None, settings: Settings) -> "Released":
        """`before` is the version that they read before the run."""
        from reliability_platform.warehouse.publication import current_version, read_publication
        from reliability_platform.warehouse.published import kept_tables

        version = current_version(settings)
        if version is None:
            return cls(None, version != before)
        read = read_publication(settings, version)
        return cls(read, version != before, kept_tables(settings, read))

    @property
    def holds(self) -> bool:
        """Whether anything is kept from consumers."""
        return self.read is not None and bool(self.read.held)

    @property
    def document(self) -> dict[str, Any]:
        """For a program."""
        version = self.read.version if self.read else None
        held = self.read.held if self.read else {}
        kept = [{"table": one.name, "version": one.version, "since": one.since} for one in self.kept]
        return {"published": version if self.is_new else None, "consumers_read": version, "held": held, "kept": kept}

    def __str__(self) -> str:
        if self.read is None:
            return "Nothing is published yet."
        said = "Published" if self.is_new else "Nothing new was published: consumers read"
        return "\n".join(
            [f"{said} {self.read.version}; {held_words(self.read.held)}.", *(f"{one}." for one in self.kept)]
        )


def clearance(
    settings: Settings,
    daemon: "LocalDaemon",
    first: date,
    last: date,
    purpose: "Purpose",
    why: str | None,
    *,
    asks_source: bool,
) -> Mapping[str, str]:
    """The tags of a run that the guard lets through. Its refusal becomes an incident, then the command's error."""
    from reliability_platform.actor import whoami
    from reliability_platform.backfills.decisions import Consent, admit_run
    from reliability_platform.backfills.guard import Request
    from reliability_platform.operations import operations_engine
    from reliability_platform.orchestration.backfill_guard import DECISION_TAG
    from reliability_platform.recovery.rehearsal import changes

    name = f"command line {uuid4()}"
    request = Request(first, last, purpose, asks_source, utc_now())
    consent = None if why is None else Consent(whoami(), why)
    try:
        admit_run(
            settings,
            operations_engine(settings),
            request,
            name,
            lambda: changes(settings, first, last),
            consent,
        )
    except PlatformError:
        daemon.settle()
        raise
    return {DECISION_TAG: name}


def _not_landed(settings: Settings, first: date, last: date) -> list[date]:
    """The days of which no source has landed."""
    from reliability_platform.contracts import SOURCES
    from reliability_platform.landing.working_copy import learn_days
    from reliability_platform.landing.writer import landing_folder

    learn_days(settings)
    return [day for day in days(first, last) if not any(landing_folder(settings, one, day).exists() for one in SOURCES)]


def show_rehearsal(
    settings: Settings, first: date, last: date, purpose: "Purpose", as_json: bool, *, asks_source: bool
) -> None:
    """The dry run: what would change, and what the guard says to it."""
    missing = _not_landed(settings, first, last)
    if missing:
        raise UsageError(f"{missing[0]} has not landed yet, so there is nothing to rehearse: run it first.")
    from reliability_platform.backfills.guard import Request, objections
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.rehearsal import rehearse

    with home_session(settings):
        rehearsal = rehearse(settings, first, last)
        request = Request(first, last, purpose, asks_source, utc_now())
        found = objections(settings, operations_engine(settings), request, lambda: rehearsal.tables)
    if as_json:
        tables = [
            asdict(table) | {"measures": [asdict(one) | {"change": one.change} for one in table.measures]}
            for table in rehearsal.tables
        ]
        print_json({"from": first, "to": last, "tables": tables, "held": rehearsal.held, "objections": found})
        return
    _tell_tables(rehearsal.tables)
    from reliability_platform.warehouse.published import held_lines

    for line in held_lines(rehearsal.held):
        people.print(f"Would be held: {line}", markup=False)
    for name, words in found.items():
        people.print(f"The guard objects ({name}): {words}.", markup=False)
    if not found:
        people.print("The guard does not object.")


def _tell_tables(tables: "list[TableDifference]") -> None:
    changed = [table for table in tables if not table.is_empty]
    if not changed:
        people.print("Nothing would change for consumers.")
    for table in changed:
        people.print(f"[bold]{table.name}[/bold]")
        for one in table.dates[:DATES_SHOWN]:
            rows = f"{one.added} added, {one.removed} removed, {one.changed} changed"
            people.print(f"  {one.event_date}: {rows}")
        if len(table.dates) > DATES_SHOWN:
            people.print(f"  and {len(table.dates) - DATES_SHOWN} more event dates; --json has them all")
        for measure in table.measures:
            words = f"{measure.before} → {measure.after} ({measure.change:+})"
            people.print(f"  sum of {measure.name}: {words}")
        for what, columns in (("added", table.columns_added), ("removed", table.columns_removed)):
            if columns:
                people.print(f"  columns {what}: {', '.join(columns)}", markup=False)


@click.command()
@day_range
@guard_options
@home_option
@json_option
def backfill(
    first: date, last: date, dry_run: bool, approve: bool, why: str | None, settings: Settings, as_json: bool
) -> int:
    """Run landing days again from what has landed, unless the backfill guard objects.

    The guard objects to days that another build is at work on, that somebody holds, that an open incident binds, whose
    deliveries or models are older than what was built, to changes of closed periods, and to changed models and contracts
    that are frozen. Days of which nothing has landed are refused: `reliability run` lands them.
    """
    check_range(first, last)
    given = reason_given(approve, why)
    from reliability_platform.backfills.guard import Purpose

    if dry_run:
        show_rehearsal(settings, first, last, Purpose.BACKFILL, as_json, asks_source=False)
        return ExitCode.OK
    if len(_not_landed(settings, first, last)) == (last - first).days + 1:
        raise UsageError(f"Nothing has landed from {first} to {last}: land it with `{hint('run')}`.")
    from reliability_platform.cli.session import driving
    from reliability_platform.warehouse.publication import current_version

    with driving(settings, healing=False) as (settings, daemon):
        before = current_version(settings)
        tags = clearance(settings, daemon, first, last, Purpose.BACKFILL, given, asks_source=False)
        daemon.run("reprocess", first=first, last=last, tags=tags)
        daemon.settle()
        released = Released.since(before, settings)
    if as_json:
        print_json({"from": first, "to": last, **released.document})
    else:
        people.print(str(released))
    return ExitCode.NOT_HEALED if daemon.troubles or released.holds else ExitCode.OK
