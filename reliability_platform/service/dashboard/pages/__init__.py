"""The table of all pages, in the order of the navigation."""

from reliability_platform.service.dashboard.page import DashboardPage
from reliability_platform.service.dashboard.pages import (
    acts,
    backfills,
    contracts,
    dag,
    deduplication,
    detection,
    impact,
    incident,
    incidents,
    lateness,
    overview,
    postmortems,
    profiles,
    quarantine,
    request,
    runbooks,
    sla,
)

PAGES: tuple[DashboardPage, ...] = (
    overview.PAGE,
    dag.PAGE,
    incidents.PAGE,
    incident.PAGE,
    sla.PAGE,
    contracts.PAGE,
    deduplication.PAGE,
    lateness.PAGE,
    quarantine.PAGE,
    profiles.PAGE,
    backfills.PAGE,
    acts.PAGE,
    impact.PAGE,
    request.PAGE,
    detection.PAGE,
    runbooks.PAGE,
    runbooks.ONE,
    postmortems.PAGE,
    postmortems.ONE,
)
