"""The pages of all incidents that one tick of a sensor has changed, written by one run: each run is a process, which takes
five seconds of CPU before it begins, and what the pages are made from alike is asked once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from reliability_platform.errors import PlatformError
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.incident_assets import measured, show_page
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.retries import RETRIES, only_transient
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.remediation.documents import Together


class PagesConfig(dg.Config):
    """Which pages to write."""

    incident_ids: list[str] = Field(description="The incidents, as `reliability incidents list` names them.")


@dg.op(retry_policy=RETRIES)
@only_transient
@redact_errors
def write_pages(context: dg.OpExecutionContext, config: PagesConfig, home: Home) -> None:
    """Write the pages as the incidents stand now. One that cannot be written keeps no other from it."""
    found, failed = list[Incident](), list[PlatformError]()

    @contextmanager
    def apart(incident_id: str) -> Iterator[None]:
        try:
            yield
        except PlatformError as error:
            failed.append(error)
            context.log.error(f"The page of {incident_id} could not be written: {error}")

    for incident_id in config.incident_ids:
        with apart(incident_id):
            found.append(IncidentStore(home.engine).get(incident_id))
    incidents = measured(home, found)
    together = Together(home.settings, incidents)
    for incident in incidents:
        with apart(incident.id):
            show_page(context, home, incident, together)
    if failed:
        raise failed[0]


@dg.job(description="The pages of some incidents as they stand now; the sensors launch it when incidents change.")
def incident_pages() -> None:
    """One run for all of them."""
    write_pages()
