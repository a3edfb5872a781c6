"""`reliability doctor`: what is wrong with this installation, and how to mend it."""

import importlib.metadata
import re
import shlex
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
import duckdb
from rich.markup import escape

from reliability_platform.causes import NO_ROOM, cause_in
from reliability_platform.cli.options import hint, home_option, json_option, no_home, people, print_json
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.damage import in_one_line
from reliability_platform.errors import ExitCode, PlatformError
from reliability_platform.formats import clock, moment, second
from reliability_platform.masking import error_text
from reliability_platform.settings import DBT_PROJECT, PROJECT, PROJECT_ROOT, RESTORING, Settings, is_home

SHOWN_ENTRIES = 5
LOCK = PROJECT_ROOT / "requirements.lock"


class _WrongError(Exception):
    """Something is wrong; the message says how to mend it."""


def locked_versions() -> dict[str, set[str]]:
    """Versions by package as the lock pins them (more than one where Pythons differ)."""
    found: dict[str, set[str]] = {}
    for line in LOCK.read_text().splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line)
        if match:
            found.setdefault(match[1], set()).add(match[2])
    return found


def _packages(_: Settings) -> str:
    wrong = []
    for name, versions in locked_versions().items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a package of another platform or Python
        if installed not in versions:
            wrong.append(f"{name} {installed} instead of {' or '.join(sorted(versions))}")
    if wrong:
        raise _WrongError(f"{'; '.join(wrong[:3])}: run `make clean .venv` or delete .venv and run `make .venv`")
    return "what is installed is what is locked"


def _home(settings: Settings) -> str:
    if not is_home(settings):
        raise _WrongError(str(no_home(settings)).rstrip("."))
    try:
        probe = settings.home / ".doctor"
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        raise _WrongError(f"{settings.home} cannot be written ({error.strerror}): choose another with --home") from None
    folders = sorted(str(one) for one in (*settings.home.glob("*.lock"), settings.lease) if one.is_dir())
    if folders:
        raise _WrongError(f"{', '.join(folders)}: a folder where the file of a lock should be; remove it")
    open_to = stat.S_IMODE(settings.home.stat().st_mode) & 0o077
    if open_to and not settings.shared_home:
        raise _WrongError(
            f"{settings.home} is open to other users of this machine: run `chmod go-rwx {shlex.quote(str(settings.home))}`, "
            "which shuts all beneath it, or set RELIABILITY_SHARED_HOME=true"
        )
    return f"{settings.home} can be written"


def _dbt(_: Settings) -> str:
    from reliability_platform.warehouse.dbt_manifest import ensure_manifest

    try:
        ensure_manifest()
    except PlatformError as error:
        raise _WrongError(f"{error} Run `dbt parse` in dbt_project to see all of it") from None
    return "the dbt project parses"


def _own_project(_: Settings) -> str:
    from reliability_platform.lineage.personal import undeclared_personal_columns
    from reliability_platform.warehouse.dbt_manifest import ensure_manifest
    from reliability_platform.warehouse.own_lacks import lacks, lacks_before_parsing
    from reliability_platform.warehouse.own_project import own_project

    own = own_project()
    if own is None:
        return "the models are the project's own; RELIABILITY_OWN_DBT_PROJECT names no other"
    found = list(lacks_before_parsing(own, DBT_PROJECT))
    if not any(one.is_fatal for one in found):
        found += lacks(own, ensure_manifest())
    shown = [] if any(one.is_fatal for one in found) else undeclared_personal_columns(ensure_manifest())
    said = "; ".join(one.says.rstrip(".") for one in found if not one.is_fatal)
    fatal = [*(one.says.rstrip(".") for one in found if one.is_fatal), *(one.line for one in shown)]
    if fatal:
        raise _WrongError("; ".join(fatal))
    return f"{own.name} is built behind the platform's models" + (f". To know: {said}" if said else "")


def _soda(_: Settings) -> str:
    from reliability_platform.checks.soda import ensure_declared

    try:
        ensure_declared()
    except PlatformError as error:
        raise _WrongError(str(error)) from None
    return "every Soda check is declared"


def _generated(_: Settings) -> str:
    from reliability_platform.contracts import CONTRACTS
    from reliability_platform.contracts.generation import Change, planned
    from reliability_platform.warehouse.own_project import own_reads

    changes = [one for one in planned(PROJECT, CONTRACTS, own_reads()) if one.change is not Change.SAME]
    if changes:
        named = ", ".join(f"{one.path} ({one.change.value})" for one in changes[:3])
        more = f" and {counted(len(changes) - 3, 'other')}" if len(changes) > 3 else ""
        raise _WrongError(f"{named}{more} is not as the contracts say: run `reliability generate`")
    return "what follows from the contracts is as they say"


def _warehouse(settings: Settings) -> str:
    from reliability_platform.recovery.stores import examine_warehouse
    from reliability_platform.warehouse.lease import warehouse_reader

    settings = settings.model_copy(update={"lease_timeout_seconds": 5})
    damages = examine_warehouse(settings)
    if damages:
        raise _WrongError(in_one_line(damages))
    if not settings.warehouse.exists():
        return f"there is no warehouse yet; `{hint('demo')}` makes one"
    try:
        with warehouse_reader(settings) as connection:
            row = connection.execute("select count(*) from duckdb_tables()").fetchone()
    except (PlatformError, duckdb.Error) as error:
        raise _WrongError(str(error)) from None
    return f"the warehouse opens and holds {counted(row[0] if row else 0, 'table')}"


SOUND = {
    "operations": "the operations store holds together, and is the one of this home",
    "landing": "landing, bronze, quarantine and decisions are as they were admitted, reference data as they were loaded",
    "published": "every published file is what was audited",
}


def _stored(store: str) -> Callable[[Settings], str]:
    """Whether a store is what was written: every checksum of it is compared."""

    def examine(settings: Settings) -> str:
        from reliability_platform.recovery.stores import EXAMINATIONS as STORES

        damages = STORES[store](settings)
        if damages:
            raise _WrongError(in_one_line(damages))
        return SOUND[store]

    return examine


def _alerts(settings: Settings) -> str:
    from reliability_platform.alerts.status import channel_statuses
    from reliability_platform.operations import operations_engine

    statuses = channel_statuses(settings, operations_engine(settings))
    failing = [one.in_words for one in statuses if one.state == "failing"]
    if failing:
        raise _WrongError(f"{'; '.join(failing)}: see `{hint('alerts status')}`")
    lost = sum(one.undelivered for one in statuses)
    kept = f"; {counted(lost, 'alert is', 'alerts are')} in {settings.alerts / 'undelivered.jsonl'}" if lost else ""
    if settings.alert_dry_run:
        return f"a dry run: alerts are written to a file only (RELIABILITY_ALERT_DRY_RUN=false sends them){kept}"
    if not statuses:
        return "no channel is configured: RELIABILITY_ALERT_URLS or routing.yml names them"
    return f"no channel of {len(statuses)} is failing{kept}"


def _landing_bucket(settings: Settings) -> str:
    from reliability_platform.landing.bucket_holder import holder, require_key
    from reliability_platform.operations.identity import home_id

    if settings.landing_url is None:
        return "deliveries land in the home; RELIABILITY_LANDING_URL names another place"
    found = holder(settings)
    if found is None:
        return "it answers, and no home holds it yet: the first that lands there does"
    if not is_home(settings):
        return (
            f"it answers, and is held by {found.words}: `{hint('restore --everything')}` brings that home back from a snapshot, "
            f"`{hint('take-over')}` lets one that is made anew land there"
        )
    if found.home != home_id(settings):
        raise _WrongError(
            f"it is held by {found.words}, and not by this one: name another place with RELIABILITY_LANDING_URL, or, if that home is "
            f"lost or given up, take it over with `{hint('take-over')}`"
        )
    require_key(settings, found)
    return f"it is held by this home: {found.words}{', encrypted' if found.proof else ''}"


def _published_copy(settings: Settings) -> str:
    from reliability_platform.warehouse.published_copy import copy_published

    if settings.published_url is None:
        return "what is published is copied nowhere; RELIABILITY_PUBLISHED_URL names a place"
    wrong = copy_published(settings)
    if wrong is not None:
        raise _WrongError(wrong)
    return "the copy shows what the home shows"


def _snapshots(settings: Settings) -> str:
    from reliability_platform.recovery.stores import examine_snapshots
    from reliability_platform.warehouse.snapshots.location import SnapshotLocation
    from reliability_platform.warehouse.snapshots.manifest import read_snapshots

    if (settings.home / RESTORING).exists():
        raise _WrongError(f"a restore of this home was cut off: finish it with `{hint('restore --everything')}`")
    damages = examine_snapshots(settings)
    if damages:
        raise _WrongError(in_one_line(damages))
    found, _ = read_snapshots(SnapshotLocation.of(settings))
    if not found:
        return f"there is no snapshot yet; `{hint('snapshot create')}` takes one"
    return f"{counted(len(found), 'snapshot')}, the newest of {moment(found[-1].taken_at)}"


def _drills(settings: Settings) -> str:
    from reliability_platform.lab.calendar import calendar
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.drill_log import Drill, overdue

    late = overdue(calendar(settings), settings, operations_engine(settings), utc_now())
    if late:
        do = {name: hint(f"{'drill' if name in set(Drill) else 'rehearse'} {name}") for name in late}
        raise _WrongError("; ".join(f"{words}: do it with `{do[name]}`" for name, words in late.items()))
    return "no drill and no experiment is overdue"


def _sources(settings: Settings) -> str:
    from reliability_platform.contracts import SOURCES
    from reliability_platform.landing.breaker import Breaker, BreakerState
    from reliability_platform.landing.deliveries import unreachable
    from reliability_platform.operations import operations_engine

    engine = operations_engine(settings)
    views = [Breaker(engine, source).view() for source in SOURCES]
    away = [one for one in views if one.state is not BreakerState.CLOSED]
    if away:
        words = "; ".join(
            f"the breaker of {one.source} is {one.state.replace('_', '-')} since {second(one.since)} UTC"
            + (f", next probe {clock(one.next_probe_at)}" if one.next_probe_at else "")
            for one in away
        )
        raise _WrongError(f"{words}: nobody asks it before that; see `{hint('sources')}`")
    lost = unreachable(settings)
    if lost:
        raise _WrongError(f"{'; '.join(lost)}. Mend it there, or correct `servers` in its contract")
    return f"every breaker is closed ({counted(len(views), 'source')})"


def _schedule(settings: Settings) -> str:
    from reliability_platform.checks.schedule_monitor import days_not_run
    from reliability_platform.day_clock import Service
    from reliability_platform.operations import operations_engine

    engine = operations_engine(settings)
    missed = days_not_run(settings, engine, utc_now())
    if missed:
        days = (
            f"{missed[0]}"
            if len(missed) == 1
            else f"{counted(len(missed), 'landing day')}, {missed[0]} to {missed[-1]},"
        )
        raise _WrongError(
            f"{days} had their turn and were not run: see that `{hint('dev')}` is up; "
            f"`{hint(f'run --from {missed[0]} --to {missed[-1]}')}` makes up for it"
        )
    since = Service(engine).since()
    return f"every day since {since} has been run in its turn" if since else "the schedules have not been switched on"


def _upkeep(settings: Settings) -> str:
    from reliability_platform.lab.calendar import calendar
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.upkeep import findings

    said = findings(settings, operations_engine(settings), utc_now(), calendar(settings))
    wrong = [words for words in said.values() if words]
    if wrong:
        raise _WrongError("; ".join(wrong))
    return "snapshots, drills, room and memory are as the settings ask for" if said else "the schedules are not on"


def _first(found: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(found) - SHOWN_ENTRIES} more" if len(found) > SHOWN_ENTRIES else ""
    return f"{'; '.join(found[:SHOWN_ENTRIES])}{more}"


def _landing(settings: Settings) -> str:
    from reliability_platform.landing.misplaced import misplaced, unexamined, unreadable, unwritable

    wrong = []
    found = [one.words for one in misplaced(settings)]
    if found:
        wrong.append(
            f"no run looks at {_first(found)}: move each into a landing day of a declared source, or out of landing"
        )
    closed = unreadable(settings)
    if closed:
        wrong.append(
            f"nothing can be read of {_first(closed)}: give this user the rights to it, put a file there, remove it, "
            f"or `{hint('quarantine discard')}` it"
        )
    locked = unwritable(settings)
    if locked:
        wrong.append(f"nothing can be written into {_first(locked)}: give this user the rights to it")
    if wrong:
        raise _WrongError("; ".join(wrong))
    waiting = unexamined(settings)
    if waiting:
        (source, day), number = next(iter(waiting.items()))
        words = f"{counted(number, 'entry')} of {source} {day}" + (
            f" and {counted(len(waiting) - 1, 'more day')}" if len(waiting) > 1 else ""
        )
        return f"{words} wait to be examined by a run of their day"
    return "everything lies in a landing day of a declared source, and was examined"


def _judged(settings: Settings) -> str:
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.unjudged import unjudged_words

    words = unjudged_words(settings, operations_engine(settings))
    if words:
        raise _WrongError(words)
    return "every landed day has a result of every blocking check"


EXAMINATIONS: dict[str, Callable[[Settings], str]] = {
    "packages": _packages,
    "home": _home,
    "landing bucket": _landing_bucket,
    "generated": _generated,
    "dbt": _dbt,
    "own project": _own_project,
    "soda": _soda,
    "warehouse": _warehouse,
    "operations": _stored("operations"),
    "admitted": _stored("landing"),
    "published": _stored("published"),
    "published copy": _published_copy,
    "sources": _sources,
    "landing": _landing,
    "checks": _judged,
    "alerts": _alerts,
    "snapshots": _snapshots,
    "drills": _drills,
    "schedule": _schedule,
    "upkeep": _upkeep,
}


WITHOUT_A_HOME = frozenset({"packages", "home", "landing bucket", "generated", "dbt", "own project", "soda"})
"""Examinations of the installation, of whether there is a home, or of what one may be made anew from."""
READ_OPERATIONS = frozenset({"sources", "checks", "alerts", "drills", "schedule", "upkeep"})
"""Examinations that say nothing without the operations store."""


@dataclass(frozen=True)
class DoctorFinding:
    """What one examination says."""

    what: str
    ok: bool
    says: str
    because_of: str | None = None
    """The examination that has named the cause for which this one could not look."""


def _because_of(what: str, says: str, before: Sequence[DoctorFinding], *, looked: bool) -> str | None:
    """The finding that has told the cause of this one: another examination, the store that is read, a full disk."""
    full = cause_in(says) is NO_ROOM
    for one in before:
        same = one.says == says or (full and cause_in(one.says) is NO_ROOM)
        lost = one.what == "operations" and what in READ_OPERATIONS and not looked
        if not one.ok and one.because_of is None and (same or lost):
            return one.what
    return None


def examined(settings: Settings) -> list[DoctorFinding]:
    """Every examination; each cause is told once, by the first that meets it."""
    found: list[DoctorFinding] = []
    for what, examine in EXAMINATIONS.items():
        if what not in WITHOUT_A_HOME and not is_home(settings):
            found.append(DoctorFinding(what, False, "could not look: see home", "home"))
            continue
        looked = True
        try:
            found.append(DoctorFinding(what, True, examine(settings)))
            continue
        except _WrongError as wrong:
            says = str(wrong)
        except PlatformError as error:
            says, looked = str(error).rstrip("."), False
        except Exception as error:  # a doctor must not die of the disease
            says, looked = error_text(error), False
        root = _because_of(what, says, found, looked=looked)
        found.append(DoctorFinding(what, False, says if root is None else f"could not look: see {root}", root))
    return found


@click.command()
@home_option
@json_option
def doctor(settings: Settings, as_json: bool) -> int:
    """Say what is wrong with this installation and how to mend it."""
    findings = examined(settings)
    if as_json:
        print_json([{"what": one.what, "ok": one.ok, "says": one.says} for one in findings])
    for one in () if as_json else findings:
        if one.because_of is None:
            mark = "[green]✓[/green]" if one.ok else "[bold red]✗[/bold red]"
            people.print(f"{mark} {one.what}: {escape(one.says)}", soft_wrap=True)
            silent = ", ".join(other.what for other in findings if other.because_of == one.what)
            if silent:
                people.print(f"  could not be looked at for this: {silent}", soft_wrap=True)
    return ExitCode.OK if all(one.ok for one in findings) else ExitCode.ENVIRONMENT
