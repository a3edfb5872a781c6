"""DAG status: every dataset on the way of a row, what its checks say of the newest landing day, and the last runs."""

from dataclasses import dataclass
from datetime import date

from reliability_platform.checks.catalogue import MARTS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.counted import counted
from reliability_platform.pauses import Pausable
from reliability_platform.service.dashboard.graph import DrawnGraph, drawn
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import Page
from reliability_platform.service.queries.checks import CheckFilter, check_page, newest_judged_day
from reliability_platform.service.queries.lineage import LineageDataset, lineage_graph
from reliability_platform.service.queries.pauses import StandingPause, paused_of_kind
from reliability_platform.service.queries.runs import PipelineRun, run_page
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

SAID = {"blocked": "was refused", "killed": "was killed", "running": "goes on"}
"""How a run ended, as part of a sentence, where the word alone is none."""


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset with what its checks say."""

    dataset: LineageDataset
    status: str
    """`passed`, `failed`, `not_evaluated`, or `unknown` where it has no check or none was judged."""
    failed: list[str]
    """Its checks that failed or could not judge."""
    judged: int
    """Its checks that were judged on the day."""


@dataclass(frozen=True, kw_only=True)
class DagView(PageView):
    """What the page shows."""

    day: date | None
    datasets: list[DatasetStatus]
    tables: list[str]
    """The tables that are published."""
    paused: dict[str, StandingPause]
    """Those of them that are paused or withdrawn."""
    graph: DrawnGraph
    runs: Page[PipelineRun]


def view(asked: PageRequest) -> DagView:
    """The data graph with the results of the newest judged landing day."""
    day = newest_judged_day(asked.engine)
    lineage = lineage_graph(ensure_manifest())
    by_check: dict[str, CheckStatus] = {}
    if day is not None:
        found = check_page(asked.engine, CheckFilter(day, day, only_objections=False))
        worst = [CheckStatus.FAILED, CheckStatus.NOT_EVALUATED, CheckStatus.PASSED]
        for one in found.items:
            known = by_check.get(one.check, one.status)
            by_check[one.check] = min(known, one.status, key=worst.index)
    order = ["failed", "not_evaluated", "passed", "unknown"]
    datasets = [_status(one, by_check) for one in lineage.datasets]
    datasets.sort(key=lambda one: (order.index(one.status), one.dataset.id))
    runs = run_page(asked.settings, asked.engine, window=asked.window)
    sentence, tone = _answer(day, datasets, runs)
    return DagView(
        sentence=sentence,
        tone=tone,
        day=day,
        datasets=datasets,
        tables=sorted(mart.name for mart in MARTS),
        paused=paused_of_kind(asked.engine, asked.now, Pausable.TABLE),
        graph=drawn(lineage, {one.dataset.id: one.status for one in datasets}),
        runs=runs,
    )


def _status(dataset: LineageDataset, by_check: dict[str, CheckStatus]) -> DatasetStatus:
    found = {name: by_check[name] for name in dataset.checks if name in by_check}
    failed = [name for name, status in found.items() if status is not CheckStatus.PASSED]
    if any(status is CheckStatus.FAILED for status in found.values()):
        status = "failed"
    elif found and len(failed) == len(found):
        status = "not_evaluated"
    else:
        status = "passed" if found else "unknown"
    return DatasetStatus(dataset, status, failed, len(found))


def _ended(outcome: str) -> str:
    return SAID.get(outcome, outcome)


def _answer(day: date | None, datasets: list[DatasetStatus], runs: Page[PipelineRun]) -> tuple[str, Tone]:
    if day is None:
        return "The pipeline has not been run yet.", Tone.PLAIN
    failed = [one for one in datasets if one.status == "failed"]
    judged = sum(one.status != "unknown" for one in datasets)
    last = f"the last run {_ended(runs.items[0].outcome)}" if runs.items else "no run is on record"
    if failed:
        many = counted(len(failed), "dataset has a failed check", "datasets have failed checks")
        return f"On landing day {day}, {many} of {judged:,} judged; {last}.", Tone.BAD
    good = not runs.items or runs.items[0].outcome in ("succeeded", "running")
    text = f"On landing day {day}, nothing failed in {counted(judged, 'judged dataset')}; {last}."
    return text, Tone.GOOD if good else Tone.BAD


PAGE = DashboardPage(
    "dag", "DAG status", "Did every step of the way run, and does it hold?", PageGroup.NOW, view, "dag"
)
