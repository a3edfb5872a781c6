"""Data contracts: what each source promises, and whether the newest landing day keeps it."""

from dataclasses import dataclass

from reliability_platform.counted import counted
from reliability_platform.pauses import Pausable
from reliability_platform.service.dashboard.evidence import Row, graded_rows
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.contracts import DataContract, data_contracts
from reliability_platform.service.queries.pauses import StandingPause, paused_of_kind


@dataclass(frozen=True, kw_only=True)
class ContractsView(PageView):
    """What the page shows."""

    contracts: list[DataContract]
    paused: dict[str, StandingPause]
    """The sources that are paused."""
    broken: list[Row]
    """Promises that were broken, by the last grading; the most often broken first."""
    graded: bool


def view(asked: PageRequest) -> ContractsView:
    """All contracts, with the results of their checks."""
    contracts = data_contracts(asked.engine)
    report = graded_rows(asked, "data_contract_validation_report")
    broken = [] if report is None else [one for one in report.rows if one["violations"]]
    sentence, tone = _answer(contracts)
    return ContractsView(
        sentence=sentence,
        tone=tone,
        contracts=contracts,
        paused=paused_of_kind(asked.engine, asked.now, Pausable.SOURCE),
        broken=sorted(broken, key=lambda one: -one["violations"])[:50],
        graded=report is not None,
    )


def _answer(contracts: list[DataContract]) -> tuple[str, Tone]:
    sources = counted(len(contracts), "source")
    if all(one.judged_on is None for one in contracts):
        return f"{sources} have a contract; none was judged yet.", Tone.PLAIN
    broken = [one.source for one in contracts if one.checks.failed]
    if broken:
        many = counted(len(broken), "source breaks its contract", "sources break their contracts")
        return f"{many} on the newest landing day, of {len(contracts):,}: {', '.join(broken)}.", Tone.BAD
    return f"Each of {sources} kept its contract on its newest landing day.", Tone.GOOD


PAGE = DashboardPage(
    "contracts",
    "Data contracts",
    "What does each source promise, and does it keep it?",
    PageGroup.DATA,
    view,
    "contracts",
)
