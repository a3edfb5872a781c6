"""Reloads reference data from the source, and then asks again for rows that still refer to nothing."""

from reliability_platform.incidents.model import Incident
from reliability_platform.landing.reference import reference_file, refresh_reference
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.remediation.actions.re_request import RE_REQUEST
from reliability_platform.settings import Settings
from reliability_platform.sources.source import reference_files


def outdated(settings: Settings) -> dict[str, bytes]:
    """The reference tables that are missing or other than at the source, with their bytes as they are there."""
    found = {}
    for name, content in reference_files(settings).items():
        path = reference_file(settings, name)
        if not path.is_file() or path.read_bytes() != content:
            found[name] = content
    return found


def _reload(settings: Settings, incident: Incident, actor: str) -> Done:
    fresh = outdated(settings)
    if fresh:
        refresh_reference(settings)
    # What a killed attempt has reloaded is not outdated any more, but its days have not been run again.
    if fresh or incident.resumed:
        tables = ", ".join(fresh) or "nothing that had not been before"
        words = f"Reloaded from the source: {tables}. Run {in_words(incident.partitions)} again."
        return Done(words, list(incident.partitions), facts={"reloaded": sorted(fresh)})
    return RE_REQUEST.perform(settings, incident, actor)


def _describe(settings: Settings, incident: Incident) -> str:
    fresh = outdated(settings)
    if fresh:
        return f"Reload {', '.join(fresh)} from the source, and run {in_words(incident.partitions)} again."
    return f"The reference data are those of the source. {RE_REQUEST.describe(settings, incident)}"


RELOAD = Action(
    "reload_reference_data",
    "reload the reference data, then ask the source again for rows that refer to nothing",
    _reload,
    _describe,
    leaves=f"the reference data as the source has them; {RE_REQUEST.leaves}",
    ways=2,
)
