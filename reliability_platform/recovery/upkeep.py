"""What the home itself needs, watched while its schedules are on: snapshots, drills, room and memory.

Each finding is a result of a declared check on the day on which it was noticed, said once; a pass follows once it is
mended. Incidents, alerts and documents come of them as of any other. What a run of the schedules cannot finish
(`attempting`) says so itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.monitor_result import change
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.schedule_monitor import monitor_schedule
from reliability_platform.checks.store import CheckStore
from reliability_platform.day_clock import Service, scheduled_at
from reliability_platform.formats import moment
from reliability_platform.masking import error_text
from reliability_platform.recovery.capacity import available_memory, free_room
from reliability_platform.recovery.drill_log import Calendar, not_met, overdue
from reliability_platform.recovery.replication import replica_behind
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.published_copy import copy_published
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import read_snapshots

SNAPSHOT_TAKEN, DRILL_ENDED = "home__snapshot_taken", "home__drill_ended"
ENOUGH_AGAIN = 1.2
"""So many times what is asked for must be free before low room is over: around the limit it would come and go."""
NEW_RESULTS = 20_000


def stale_snapshot(settings: Settings, service_since: date, now: datetime) -> str | None:
    """What is wrong with the age of the newest snapshot; None if it is young enough, or nothing is there to take."""
    if not settings.warehouse.exists():
        return None
    try:
        found, damaged = read_snapshots(SnapshotLocation.of(settings))
    except Exception as error:  # whatever the place of the snapshots answers with
        return f"the snapshots cannot be read: {error_text(error)}"
    if damaged:
        return f"a snapshot is damaged: {damaged[0]}"
    since = max([scheduled_at(service_since), *(one.taken_at for one in found[-1:])])
    if now - since <= timedelta(hours=settings.snapshot_max_age_hours):
        return None
    newest = f"is of {moment(found[-1].taken_at)}" if found else "does not exist"
    return f"the newest snapshot {newest}; {settings.snapshot_max_age_hours:g} hours are allowed"


def _low(what: str, left: int | None, wanted: int, was_low: bool) -> str | None:
    limit = wanted * ENOUGH_AGAIN if was_low else wanted
    if left is None or not wanted or left >= limit:
        return None
    return f"{left} MB of {what} are left, {wanted} are asked for"


def _room(settings: Settings) -> int:
    """The least free room of the places on this machine into which the home writes."""
    places = [settings.home] if "://" in settings.snapshots else [settings.home, Path(settings.snapshots)]
    return min(map(free_room, places))


def findings(
    settings: Settings, engine: Engine, now: datetime, calendar: Calendar, low: set[str] | None = None
) -> dict[str, str | None]:
    """By check, what is wrong, or None. Empty for a home whose schedules are not on: nobody relies on it.

    `calendar` says what is to be rehearsed, `low` names the checks that fail already.
    """
    since = Service(engine).since()
    if since is None:
        return {}
    low, failed = low or set(), not_met(calendar, engine)
    return {
        "home__snapshot_replicated": replica_behind(settings, now),
        "home__published_copied": copy_published(settings),
        "home__snapshot_fresh": stale_snapshot(settings, since, now),
        "home__drills_in_time": "; ".join(overdue(calendar, settings, engine, now).values()) or None,
        "home__drills_met": f"failed when it was done last: {', '.join(failed)}" if failed else None,
        "home__room": _low("room", _room(settings), settings.min_free_room_megabytes, "home__room" in low),
        "home__memory": _low("memory", available_memory(), settings.min_free_memory_megabytes, "home__memory" in low),
    }


def _last(store: CheckStore) -> dict[str, CheckResult]:
    """The last result of each check of the home."""
    names = [name for name, spec in CHECKS.items() if spec.dataset == "home"]
    return {one.check: one for one in store.latest(checks=names)}  # in the order in which they were recorded


def monitor_upkeep(settings: Settings, engine: Engine, now: datetime, calendar: Calendar) -> list[CheckResult]:
    """Record what is newly wrong with the home, and what is mended."""
    store = CheckStore(engine)
    last = _last(store)
    failing = {name for name, one in last.items() if one.status is CheckStatus.FAILED}
    said = findings(settings, engine, now, calendar, failing)
    news = [change(last.get(check), check, words, now) for check, words in said.items()]
    fresh = [one for one in news if one is not None]
    store.record(fresh)
    return fresh


@contextmanager
def attempting(engine: Engine, check: str, now: datetime) -> Iterator[None]:
    """Record under `check` whether the block ended well; its error goes on."""

    def record(words: str | None) -> None:
        store = CheckStore(engine)
        one = change(_last(store).get(check), check, words, now)
        store.record([] if one is None else [one])

    try:
        yield
    except Exception as error:
        record(f"it failed: {error_text(error)}")
        raise
    record(None)


def notice(settings: Settings, engine: Engine, now: datetime, calendar: Calendar) -> list[str]:
    """Look by hand, as the daemon does by itself: the incidents that are new or other by what was due and is not done."""
    store = CheckStore(engine)
    before = store.last_id()
    monitor_schedule(settings, engine, now)
    monitor_upkeep(settings, engine, now, calendar)
    results = store.after(before, NEW_RESULTS)
    if not results:
        return []
    from reliability_platform.incidents.detection import Surroundings, observe  # with lineage, 0.4 s
    from reliability_platform.incidents.impact import consumers

    return observe(engine, results, now, Surroundings(settings, lambda: consumers(settings, ensure_manifest())))
