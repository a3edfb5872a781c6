"""The pages of all incidents that one tick of a sensor has changed, written by one run: each run is a process, which takes
five seconds of CPU before it begins, and a page takes a third of one.
"""

import dagster as dg
from pydantic import Field

from reliability_platform.errors import PlatformError
from reliability_platform.orchestration.incident_assets import measured, show_page
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.retries import RETRIES, only_transient
from reliability_platform.orchestration.run_storage import redact_errors


class PagesConfig(dg.Config):
    """Which pages to write."""

    incident_ids: list[str] = Field(description="The incidents, as `reliability incidents list` names them.")


@dg.op(retry_policy=RETRIES)
@only_transient
@redact_errors
def write_pages(context: dg.OpExecutionContext, config: PagesConfig, home: Home) -> None:
    """Write the pages as the incidents stand now. One that cannot be written keeps no other from it."""
    failed: dict[str, PlatformError] = {}
    for incident_id in config.incident_ids:
        try:
            show_page(context, home, measured(home, incident_id))
        except PlatformError as error:
            failed[incident_id] = error
            context.log.error(f"The page of {incident_id} could not be written: {error}")
    if failed:
        raise next(iter(failed.values()))


@dg.job(description="The pages of some incidents as they stand now; the sensors launch it when incidents change.")
def incident_pages() -> None:
    """One run for all of them."""
    write_pages()
