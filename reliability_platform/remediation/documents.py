"""The runbook of an incident as it stands now, with what healing would do."""

from datetime import datetime

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.incidents.impact import Numbers, numbers, reach
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.overview import overview, screen
from reliability_platform.incidents.render import markdown
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.runbook import runbook
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.due import obstacle
from reliability_platform.remediation.heal import describe
from reliability_platform.settings import DEFAULT_HOME, Settings
from reliability_platform.warehouse.dbt_runner import MANIFEST
from reliability_platform.warehouse.lease import warehouse_reader


def _numbers(settings: Settings, incident: Incident) -> Numbers | None:
    try:
        with warehouse_reader(settings) as connection:
            return numbers(connection, incident.source, incident.partitions)
    except EnvironmentUnusableError:
        return None  # a lost warehouse must not keep anybody from reading the runbook


def _plan(settings: Settings, incident: Incident) -> str | None:
    try:
        return describe(settings, incident)
    except EnvironmentUnusableError:
        return None


def render_runbook(settings: Settings, incident: Incident) -> str:
    """The runbook as Markdown, with today's numbers."""
    elsewhere = None if settings.home == DEFAULT_HOME else settings.home
    lineage, counted = reach(MANIFEST, incident.source), _numbers(settings, incident)
    policy = read_policy(settings.response_policy)
    return markdown(runbook(incident, lineage, counted, policy, elsewhere, _plan(settings, incident)))


def _next_step(settings: Settings, incident: Incident, now: datetime) -> str:
    """What the platform does by itself, or what keeps it from that; and what healing would do."""
    reason = obstacle(settings, operations_engine(settings), incident, now)
    if incident.state is State.RECOVERING:
        return "Wait: it is being healed, and ends by itself once its checks pass."
    plan = _plan(settings, incident) or ""
    if reason is None:
        return f"The platform heals it by itself. {plan}"
    return f"The platform does nothing by itself: {reason}. `reliability heal` would: {plan}"


def render_overview(settings: Settings, incident: Incident, now: datetime) -> str:
    """One screen of plain text, with today's numbers."""
    elsewhere = None if settings.home == DEFAULT_HOME else settings.home
    lineage, counted = reach(MANIFEST, incident.source), _numbers(settings, incident)
    step = _next_step(settings, incident, now) if incident.is_open else ""
    policy = read_policy(settings.response_policy)
    return screen(overview(incident, lineage, counted, policy, now, step, elsewhere))


def write_runbook(settings: Settings, incident: Incident) -> None:
    """Keep it as a file that can be read without the platform."""
    path = settings.home / "incidents" / f"{incident.id}.md"
    write_atomically(path, render_runbook(settings, incident).encode())
