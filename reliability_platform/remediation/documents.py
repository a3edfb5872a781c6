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
from reliability_platform.remediation.heal import describe
from reliability_platform.remediation.policy import POLICIES
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


def _next_step(incident: Incident, plan: str | None) -> str:
    policy = POLICIES[incident.failure_class]
    action = policy.action.replace("_", " ")
    if incident.state is State.RECOVERING:
        return f"Nothing: it is being healed ({action}); it ends by itself once its checks pass."
    if incident.attempts >= policy.max_attempts:
        return f"Decide: {action} was tried {incident.attempts} times without success; nothing is tried any more."
    who = "The remediation does this by itself" if policy.automatic else "This waits for your approval"
    return f"{who}: {action}. {plan or ''}".strip()


def render_overview(settings: Settings, incident: Incident, now: datetime) -> str:
    """One screen of plain text, with today's numbers."""
    elsewhere = None if settings.home == DEFAULT_HOME else settings.home
    lineage, counted = reach(MANIFEST, incident.source), _numbers(settings, incident)
    step = _next_step(incident, _plan(settings, incident))
    policy = read_policy(settings.response_policy)
    return screen(overview(incident, lineage, counted, policy, now, step, elsewhere))


def write_runbook(settings: Settings, incident: Incident) -> None:
    """Keep it as a file that can be read without the platform."""
    path = settings.home / "incidents" / f"{incident.id}.md"
    write_atomically(path, render_runbook(settings, incident).encode())
