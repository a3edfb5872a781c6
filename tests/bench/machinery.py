"""`python -m tests.bench.machinery`: what snapshots, ledger, journal, sensors, lineage and checks add to a clean run.

A week that runs day by day with a snapshot each, as `reliability dev` does it, and a month in one run. Each part is timed
by its own calls within the very run, so that part and whole had the same machine; the tests of dbt, which are no calls
of ours, by building the same days with and without them in turn. Figures are ratios to the run without the part.
"""

import argparse
import functools
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import FIRST_DAY, utc_now
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.orchestration import audit_assets, dbt_assets, published_assets, sensors
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.lineage_events import ModelNews, News
from reliability_platform.orchestration.local import LocalDaemon
from reliability_platform.remediation.ledger import ReplayLedger
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import build
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.snapshots import take
from reliability_platform.warehouse.versions import ModelsBuilt
from tests.bench.floor import timed

PARTS: dict[str, list[tuple[Any, tuple[str, ...]]]] = {
    "snapshots": [(take, ("take_snapshot",))],
    "journal": [(BuildJournal, ("begin", "end", "overlapping", "troubled")), (ModelsBuilt, ("older", "built"))],
    "ledger": [(ReplayLedger, ("record", "all"))],
    "incidents and sensors": [(LocalDaemon, ("settle",))],
    "lineage events": [(News, ("tell",)), (ModelNews, ("prepare", "_built"))],
    "checks": [
        (audit_assets, ("evaluate",)),
        (dbt_assets, ("results_of_dbt",)),
        (CheckStore, ("record", "invalidate")),
    ],
    "results shown in Dagster": [(one, ("report_evaluations",)) for one in (audit_assets, published_assets)],
}
"""Part → where its calls are looked up, and their names."""
SAFETY = ("snapshots", "ledger", "journal")
"""Those that together shall add at most `AIM`."""
AIM = 0.15
PAIRS = 3


class Stopwatch:
    """Seconds by part; a call within a timed one belongs to the outer."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._inside = threading.local()

    def _timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def timing(*arguments: Any, **named: Any) -> Any:
            if getattr(self._inside, "part", None):
                return call(*arguments, **named)
            self._inside.part, start = part, time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds[part] += time.perf_counter() - start
                self._inside.part = None

        return timing

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time all calls of all parts within the block."""
        originals = [
            (owner, name, getattr(owner, name)) for all_ in PARTS.values() for owner, names in all_ for name in names
        ]
        for part, owners in PARTS.items():
            for owner, names in owners:
                for name in names:
                    setattr(owner, name, self._timed(part, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)


def _home(folder: Path, events_per_day: int) -> Settings:
    os.environ["RELIABILITY_HOME"] = str(folder)
    settings = load_settings(folder)
    Simulation(seed=7, events_per_day=events_per_day).save(settings)
    return settings


def added(seconds: float, whole: float) -> float:
    """What a part adds to the run without it."""
    return seconds / (whole - seconds)


def run(folder: Path, events_per_day: int, runs: list[tuple[date, date]]) -> dict[str, Any]:
    """Some clean runs one after the other, with the sensors and a snapshot after each; ratios, medians of the runs."""
    settings = _home(folder, events_per_day)
    ratios: dict[str, list[float]] = {name: [] for name in (*PARTS, "safety")}
    wholes, spent = [], dict.fromkeys(PARTS, 0.0)
    with platform_instance(settings) as instance:
        daemon = LocalDaemon(instance, defs, [sensors.incident_sensor, sensors.remediation_sensor])
        for first, last in runs:
            watch = Stopwatch()
            with watch.watching():
                start = time.perf_counter()
                daemon.run("pipeline", first=first, last=last)
                daemon.settle()
                take.take_snapshot(settings, utc_now)
                whole = time.perf_counter() - start
            wholes.append(whole)
            for name, seconds in watch.seconds.items():
                ratios[name].append(added(seconds, whole))
                spent[name] += seconds
            ratios["safety"].append(added(sum(watch.seconds[name] for name in SAFETY), whole))
    days = runs[0][0], runs[-1][1]
    total = sum(wholes)
    return {
        "runs": len(runs),
        "events_per_day": events_per_day,
        "seconds": round(total, 1),
        "added": {name: round(added(spent.get(name, 0), total), 4) for name in PARTS},
        "added_median_of_runs": {name: round(statistics.median(ratios[name]), 4) for name in PARTS},
        "dbt_tests_added_to_dbt": _dbt_tests(settings, *days),
        "snapshots_ledger_journal": round(added(sum(spent[name] for name in SAFETY), total), 4),
        "snapshots_ledger_journal_worst_run": round(max(ratios["safety"]), 4),
        "within_the_aim": added(sum(spent[name] for name in SAFETY), total) <= AIM,
    }


def _dbt_tests(settings: Settings, first: date, last: date) -> float:
    """What dbt's data tests add to the models, built in turn: the median of pairs."""
    pairs = [
        [timed(lambda: build(settings, first, last, command=command)) for command in ("run", "build")]  # noqa: B023
        for _ in range(PAIRS)
    ]
    return round(statistics.median(tested / bare - 1 for bare, tested in pairs), 4)


def show(document: dict[str, dict[str, Any]]) -> None:
    """A table for a person."""
    title = f"added to a clean run, load {os.getloadavg()[0]:.1f}"
    print(f"{title:40}" + "".join(f"{name:>12}" for name in document))  # noqa: T201
    rows: list[tuple[str, Callable[[dict[str, Any]], float]]] = [
        *((part, lambda one, part=part: one["added"][part]) for part in PARTS),  # type: ignore[misc]
        ("snapshots + ledger + journal", lambda one: one["snapshots_ledger_journal"]),
        ("the same, the worst run", lambda one: one["snapshots_ledger_journal_worst_run"]),
        ("dbt's tests, added to dbt alone", lambda one: one["dbt_tests_added_to_dbt"]),
    ]
    for words, value in rows:
        print(f"{words:40}" + "".join(f"{value(one):12.1%}" for one in document.values()))  # noqa: T201


def main() -> None:
    """Measure a week and a month; print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events-per-day", type=int, default=8_400, help="the demo's size")
    parser.add_argument("--only", choices=["week", "month"], help="leave out the other")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    os.environ.update(DAGSTER_DISABLE_TELEMETRY="true", DBT_SEND_ANONYMOUS_USAGE_STATS="false", DO_NOT_TRACK="1")
    ensure_manifest()
    week = [(day, day) for day in (FIRST_DAY + timedelta(days=offset) for offset in range(7))]
    runs = {"week": week, "month": [(FIRST_DAY, FIRST_DAY + timedelta(days=29))]}
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder) / "warm", 100, week[:1])
        document = {
            name: run(Path(folder) / name, options.events_per_day, one)
            for name, one in runs.items()
            if options.only in (None, name)
        }
    if options.json:
        print(json.dumps(document, indent=2))  # noqa: T201
    else:
        show(document)


if __name__ == "__main__":
    main()
