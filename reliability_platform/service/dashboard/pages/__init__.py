"""The table of all pages, in the order of the navigation."""

from reliability_platform.service.dashboard.page import DashboardPage
from reliability_platform.service.dashboard.pages import incident, incidents, overview

PAGES: tuple[DashboardPage, ...] = (
    overview.PAGE,
    incidents.PAGE,
    incident.PAGE,
)
