"""Who is at home: Dagster's daemons, the sensors and the schedules of a home, as Dagster's own storage tells.

Read from outside of what is asked about: a daemon that has stopped, a sensor
that does not tick any more and a schedule that did not fire cannot say so themselves.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from reliability_platform.formats import moment
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.service.queries.cron import last_turn
from reliability_platform.service.queries.dagster_storage import Kept, dagster_rows
from reliability_platform.settings import Settings

BEATS_WITHIN = timedelta(minutes=5)
"""A daemon of Dagster writes its heartbeat every 30 s, and calls one that is older than 5 minutes not healthy."""
TICKS_WITHIN = timedelta(minutes=5)
"""A sensor is late once its last tick lies further back than its interval and so long: a tick may take a minute itself."""
FIRES_WITHIN = timedelta(minutes=10)
"""The scheduler looks every few seconds; after a start it reads the code first."""
REMEMBERED = timedelta(days=80)
"""Dagster forgets the ticks of schedules after 90 days: of a turn before that nobody can tell."""
OFF = "STOPPED"


class DaemonHeartbeat(QueryAnswer):
    """One of Dagster's daemons."""

    daemon: str
    """As `SENSOR` or `SCHEDULER`."""
    last_heartbeat: datetime
    """When it last said that it runs."""
    beats: bool
    """Whether that was within the last 5 minutes."""


class SensorTick(QueryAnswer):
    """One sensor that is switched on."""

    sensor: str
    """As `incident_sensor`."""
    interval_seconds: int
    """So long it waits between two ticks, at least."""
    last_tick: datetime | None
    """When it last looked and came to an end; null before the first time."""
    ticks: bool
    """Whether that was within its interval and 5 minutes."""


class ScheduleTurn(QueryAnswer):
    """One schedule that is switched on."""

    schedule: str
    """As `daily_pipeline`."""
    cron: str
    """When it fires, as `0 2 * * *`, in UTC."""
    last_fired: datetime | None
    """When it last fired; null before the first time."""
    last_due: datetime | None
    """When it should last have; null where its first turn is still to come."""
    fired: bool
    """Whether it did, within 10 minutes."""


class Heartbeats(QueryAnswer):
    """Everybody who works by itself."""

    daemons: list[DaemonHeartbeat]
    """The daemons that have ever run on this home; none where only commands are used."""
    sensors: list[SensorTick]
    """The sensors that are switched on."""
    schedules: list[ScheduleTurn]
    """The schedules that are switched on."""

    @property
    def away(self) -> list[str]:
        """Who should be there and is not, in words. With the daemons gone, nobody else can be there: they alone are named."""
        silent = [one for one in self.daemons if not one.beats]
        if silent and len(silent) == len(self.daemons):
            last = max(one.last_heartbeat for one in silent)
            return [f"No daemon has been heard of since {moment(last)}: schedules and sensors do nothing."]
        if silent:
            return [
                f"The daemon {one.daemon} has not been heard of since {moment(one.last_heartbeat)}." for one in silent
            ]
        late = [
            f"The sensor {one.sensor} {'has not ticked yet' if one.last_tick is None else f'last ticked at {moment(one.last_tick)}'}."
            for one in self.sensors
            if not one.ticks
        ]
        missed = [
            f"The schedule {one.schedule} did not fire at {moment(one.last_due)}."
            for one in self.schedules
            if not one.fired and one.last_due is not None
        ]
        return late + missed


def is_alive(settings: Settings, now: datetime) -> bool:
    """Whether daemons are at work on the home, all that it has and every sensor with them."""
    found = heartbeats(settings, now)
    return bool(found.daemons) and not found.away


def heartbeats(settings: Settings, now: datetime) -> Heartbeats:
    """Of the home's own Dagster; empty where none ever ran."""
    beats = dagster_rows(settings, Kept.RUNS, "select daemon_type, timestamp from daemon_heartbeats order by 1")
    on = [
        (body["origin"]["job_name"], body["job_specific_data"] or {}, last)
        for text, last in dagster_rows(settings, Kept.TICKS, _INSTIGATORS)
        if not (body := json.loads(text))["status"]["__enum__"].endswith(OFF)
    ]
    return Heartbeats(
        daemons=[_daemon(name, _utc(at), now) for name, at in beats],
        sensors=[
            _sensor(name, data, last, now) for name, data, last in sorted(on, key=_by_name) if "min_interval" in data
        ],
        schedules=[
            _schedule(name, data, last, now) for name, data, last in sorted(on, key=_by_name) if "cron_schedule" in data
        ],
    )


_INSTIGATORS = """
    select instigator_body, (
        select timestamp from job_ticks
        where job_ticks.selector_id = instigators.selector_id and job_ticks.status in ('SUCCESS', 'SKIPPED')
        order by timestamp desc limit 1
    ) from instigators
"""
"""What each was told, and its last tick that came to an end: one that fails each time is not at home."""


def _by_name(one: tuple[str, Any, Any]) -> str:
    return one[0]


def _utc(moment: str | datetime) -> datetime:
    """A moment as SQLite has it, or a server."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return found.replace(tzinfo=UTC)


def _daemon(name: str, at: datetime, now: datetime) -> DaemonHeartbeat:
    return DaemonHeartbeat(daemon=name, last_heartbeat=at, beats=now - at <= BEATS_WITHIN)


def _sensor(name: str, data: dict[str, Any], last: str | None, now: datetime) -> SensorTick:
    interval, ticked = int(data["min_interval"] or 0), None if last is None else _utc(last)
    began = datetime.fromtimestamp(data.get("last_sensor_start_timestamp") or 0, UTC)
    late = now - max(ticked or began, began) > timedelta(seconds=interval) + TICKS_WITHIN
    return SensorTick(sensor=name, interval_seconds=interval, last_tick=ticked, ticks=not late)


def _schedule(name: str, data: dict[str, Any], last: str | None, now: datetime) -> ScheduleTurn:
    cron, fired = str(data["cron_schedule"]), None if last is None else _utc(last)
    began = datetime.fromtimestamp(data.get("start_timestamp") or 0, UTC)
    due = last_turn(cron, now - FIRES_WITHIN, max(began, now - REMEMBERED))
    return ScheduleTurn(
        schedule=name,
        cron=cron,
        last_fired=fired,
        last_due=due,
        fired=due is None or (fired is not None and fired >= due),
    )
