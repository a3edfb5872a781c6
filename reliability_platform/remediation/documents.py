"""The runbook of an incident as it stands now, with what healing would do."""

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.incidents.impact import Numbers, numbers, reach
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.render import markdown
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.runbook import runbook
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


def write_runbook(settings: Settings, incident: Incident) -> None:
    """Keep it as a file that can be read without the platform."""
    path = settings.home / "incidents" / f"{incident.id}.md"
    write_atomically(path, render_runbook(settings, incident).encode())
