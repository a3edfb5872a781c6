"""Downstream impact: what the open incidents reach, and what the last ones did to the numbers that consumers read."""

from collections import Counter
from dataclasses import dataclass

from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.formats import joined
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import Page, page
from reliability_platform.service.queries.impact import RecordedImpact, recorded_impact
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

MOST = 20
"""Incidents of one page: what each reaches takes some milliseconds."""


@dataclass(frozen=True)
class ReachedTable:
    """A published table and the incidents of this page that reach it."""

    table: str
    incidents: int
    number_open: int
    share: float
    """Of all incidents of the page."""


@dataclass(frozen=True, kw_only=True)
class ImpactView(PageView):
    """What the page shows."""

    incidents: Page[RecordedImpact]
    tables: list[ReachedTable]
    can_tell: bool
    """Whether lineage can be told."""


OVER = ("verified", "resolved", "closed", "false_alarm")


def view(asked: PageRequest) -> ImpactView:
    """The newest incidents, with what each reaches."""
    window = asked.window
    found, total = IncidentStore(asked.engine).newest([], MOST, window.offset)
    try:
        manifest = ensure_manifest()
        impacts, can_tell = [recorded_impact(manifest, one) for one in found], True
    except EnvironmentUnusableError:
        impacts, can_tell = [], False
    sentence, tone = _answer(impacts, can_tell=can_tell)
    narrowed = type(window)(MOST, window.offset)
    return ImpactView(
        sentence=sentence,
        tone=tone,
        incidents=page(impacts, total if can_tell else 0, narrowed),
        tables=_tables(impacts),
        can_tell=can_tell,
    )


def _answer(impacts: list[RecordedImpact], *, can_tell: bool) -> tuple[str, Tone]:
    if not can_tell:
        return "Lineage cannot be told: the dbt project does not compile.", Tone.BAD
    if not impacts:
        return "No incident has ever reached anything.", Tone.PLAIN
    open_ones = [one for one in impacts if one.state not in OVER]
    if not open_ones:
        return "No open incident reaches any reader.", Tone.GOOD
    readers = sorted({reader.name for one in open_ones if not one.contained for reader in one.exposures})
    whole = counted(len(open_ones), "open incident")
    if readers:
        named = joined([name.replace("_", " ") for name in readers])
        return f"Of {whole}, some reach readers: {named}.", Tone.BAD
    return f"Consumers are kept from all that {whole} would reach.", Tone.PLAIN


def _tables(impacts: list[RecordedImpact]) -> list[ReachedTable]:
    reached = Counter(table for one in impacts for table in one.published)
    number_open = Counter(table for one in impacts if one.state not in OVER for table in one.published)
    return [ReachedTable(name, many, number_open[name], many / len(impacts)) for name, many in reached.most_common()]


PAGE = DashboardPage("impact", "Downstream impact", "Who reads what went wrong?", PageGroup.CHANGES, view, "impact")
