"""The audit log: who did what to the data and to what consumers read."""

from dataclasses import dataclass

from reliability_platform.audit_log import COMMANDS
from reliability_platform.counted import counted
from reliability_platform.service.access.roles import Act
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView
from reliability_platform.service.queries.acts import ActFilter, AuditedAct, act_page
from reliability_platform.service.queries.answer import Page

FILTERS: dict[str, tuple[str, ...]] = {"command": COMMANDS}


@dataclass(frozen=True, kw_only=True)
class ActsView(PageView):
    """What the page shows."""

    page: Page[AuditedAct]
    filters: dict[str, tuple[str, ...]]
    chosen: dict[str, str]
    keep: str
    """What the addresses of other pages of the list carry of the filter."""


def view(asked: PageRequest) -> ActsView:
    """A page of the log, the newest entries first."""
    command = asked.choice("command", COMMANDS)
    found = act_page(asked.engine, ActFilter(command), asked.window)
    people = counted(len({one.who for one in found.items}), "person or token", "people and tokens")
    return ActsView(
        sentence=f"{counted(found.total, 'entry stands', 'entries stand')} in the audit log; those shown are of {people}."
        if found.total
        else "Nothing of the kind was done yet.",
        page=found,
        filters=FILTERS,
        chosen={} if command is None else {"command": command},
        keep="" if command is None else f"&command={command}",
    )


PAGE = DashboardPage(
    "audit-log",
    "Audit log",
    "Who did what, when, why and from where?",
    PageGroup.CHANGES,
    view,
    "audit_log",
    act=Act.AUDIT,
)
