"""`python -m tests.bench`: what the platform costs, beside the floor of the same run and the aim of each figure.

Every part is a process of its own, and prints its own document; here they are put into one table. With `--keep` the figures
are added to `docs/benchmarks/history.jsonl`, one line a run.
"""

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

HISTORY = Path(__file__).parents[2] / "docs" / "benchmarks" / "history.jsonl"
RELIABILITY = str(Path(sys.executable).parent / "reliability")
ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """One line of the table: where its number is found, and the most that it may be."""

    what: str
    part: str
    found: Callable[[Document], float]
    aim: float


FIGURES = (
    Figure("demo, seconds", "demo", lambda one: one["seconds"], 70),
    Figure("demo, CPU-seconds", "demo", lambda one: one["cpu_seconds"], 145),
    Figure("pipeline with all checks ÷ floor, small month", "small", lambda one: one["pipeline_over_floor"], 8),
    Figure("pipeline with all checks ÷ floor, large month", "large", lambda one: one["pipeline_over_floor"], 1.8),
    Figure("its memory ÷ the floor's, large month", "large", lambda one: one["memory_over_floor"], 1.3),
    Figure("dbt of one day ÷ floor of one day, large month", "large", lambda one: one["dbt_of_one_day_over_floor"], 3),
    Figure("`reliability run` of one day, CPU-seconds", "day", lambda one: one["days"][0]["command_cpu_seconds"], 6),
    Figure("one day through Dagster, warm, seconds", "day", lambda one: one["days"][0]["warm_seconds"], 2.5),
    Figure("the last of the days stored ÷ the first", "day", lambda one: one["growth"], 1.1),
    Figure("a tick with nothing to do, ms", "day", lambda one: one["days"][0]["idle_tick_milliseconds"], 50),
    Figure("healing of ten incidents ÷ running their days", "healing", lambda one: one["healing_over_running"], 1.3),
    Figure("megabytes of a home by landing day", "day", lambda one: one["days"][-1]["megabytes_a_day"], 1.33),
)
"""The aims of a demo are 0.35 of the 199 s that version 0.3.0 took on the faster of two machines, and a third of its 435
CPU-seconds on the machine of the first line of the history."""


def _end_orphans() -> None:
    """Wait for the processes that outlived who began them: what they took counts as well."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def _demo() -> Document:
    """The whole demo, as a process, with all that it starts."""
    ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([RELIABILITY, "demo", "--json", "--home", folder], check=True, capture_output=True)
        seconds = time.perf_counter() - began
        _end_orphans()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}


def _module(name: str, *arguments: str) -> Callable[[], Document]:
    def measured() -> Document:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.bench.{name}", *arguments], check=True, stdout=subprocess.PIPE, text=True
        )
        found: Document = json.loads(done.stdout)
        return found

    return measured


def main() -> int:
    """Measure, and print the table or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=250_000, help="Events of the small month. [250000]")
    parser.add_argument("--large", type=int, default=5_000_000, help="Events of the large month. [5000000]")
    parser.add_argument(
        "--days", nargs="+", default=["41", "71"], help="Landing days stored before the measured one. [41 71]"
    )
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="PART", help="Leave parts out: demo small large day healing."
    )
    parser.add_argument("--keep", action="store_true", help="Add the figures to the history.")
    parser.add_argument("--json", action="store_true", help="Print the documents of all parts.")
    options = parser.parse_args()
    parts: dict[str, Callable[[], Document]] = {
        "day": _module("day", "--days", *options.days),
        "healing": _module("healing"),
        "small": _module("pipeline", "--events", str(options.small)),
        "large": _module("pipeline", "--events", str(options.large)),
        "demo": _demo,
    }
    unknown = set(options.without) - parts.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts)}.")
    documents: dict[str, Document] = {}
    for name, measured in parts.items():
        if name not in options.without:
            print(f"measuring: {name}", file=sys.stderr, flush=True)  # noqa: T201
            documents[name] = measured()
    figures = {one.what: one.found(documents[one.part]) for one in FIGURES if one.part in documents}
    run = {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "version": version("reliability-platform"),
        "duckdb": duckdb.__version__,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "figures": figures,
    }
    if options.keep:
        HISTORY.parent.mkdir(exist_ok=True)
        with HISTORY.open("a") as file:
            file.write(json.dumps(run, ensure_ascii=False) + "\n")
    if options.json:
        print(json.dumps({**run, "parts": documents}, indent=2, ensure_ascii=False))  # noqa: T201
        return 0
    aims = {one.what: one.aim for one in FIGURES}
    width = max(map(len, figures))
    print(f"{'':{width}}  {'found':>8}  {'aim':>6}")  # noqa: T201
    for what, found in figures.items():
        print(f"{what:{width}}  {found:>8}  {aims[what]:>6}{'' if found <= aims[what] else '  missed'}")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
