"""`python -m tests.bench.mutation PROJECT`: what a mutant costs beside a build of what lies below its input.

The same queries and tests once in plain DuckDB, as dbt has compiled them, are the measure; dbt's own build of them stands
beside. CPU-seconds of this process with all its threads, and of children: what others do on the machine only adds. PROJECT is
a dbt project for DuckDB whose inputs are seeds and sources; it is copied first.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.mutation.session import Tested, Wanted, mutate

MAX_SECONDS, LEAST_MUTANTS = 180.0, 300
TIMES_A_BUILD = 2.0
"""What a mutant may cost, of a build of what lies below it."""
DBT = str(Path(sys.executable).parent / "dbt")
REPEATED = 30


def _cpu() -> float:
    used = [resource.getrusage(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _mutated(project: Path, journal: Path, seed: int) -> tuple[Tested, dict[str, float]]:
    began, moments = time.perf_counter(), [_cpu()]
    tested = mutate(
        Wanted(project, seed=seed, workers=2, fresh=True, journal=journal), tell=lambda _: moments.append(_cpu())
    )
    ended = _cpu()
    return tested, {
        "mutants": len(tested.outcomes),
        "seconds": time.perf_counter() - began,
        "clean_build_cpu_seconds": moments[-1] - moments[0],
        "mutants_cpu_seconds": ended - moments[-1],
    }


def _by_dbt(project: Path, select: str) -> float:
    before = _cpu()
    command = [DBT, "--quiet", "build", "--full-refresh", "--exclude-resource-type", "unit_test", "--select", select]
    subprocess.run([*command, "--profiles-dir", "."], cwd=project, check=False, capture_output=True)
    return _cpu() - before


def _directly(database: Path, queries: list[tuple[str, str]]) -> float:
    """CPU-seconds of these queries, of which those of models make tables: the mean of some runs, as of mutants it is the mean."""
    found = []
    for _ in range(REPEATED):
        with duckdb.connect() as connection:
            connection.execute("set threads = 1")
            connection.execute(f"attach '{database}' as {database.stem} (read_only)")
            connection.execute(f"use {database.stem}")
            before = _cpu()
            for at, (kind, sql) in enumerate(queries):
                if kind == "test":
                    connection.execute(f"select count(*) from ({sql}\n)").fetchone()
                else:
                    connection.execute(f"create table memory.main.made_{at} as {sql}")
            found.append(_cpu() - before)
    return sum(found) / len(found)


def _below(manifest: dict[str, Any], key: str) -> list[str]:
    """What is made from a node, directly or through others, in the order in which it can be built; tests among it."""
    found, todo = {key}, [key]
    while todo:
        for one in manifest["child_map"].get(todo.pop(), ()):
            if one not in found and one in manifest["nodes"]:
                found.add(one)
                todo.append(one)
    return sorted(found - {key}, key=lambda one: (one.startswith("test."), one))


def main() -> int:
    """Measure and print one JSON document; 1 if anything takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--seeds", type=int, default=2, help="So many runs, each with other rows hit. [2]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        project = Path(made) / "project"
        shutil.copytree(options.project, project, ignore=shutil.ignore_patterns(".git", "target", "*.duckdb"))
        _by_dbt(project, "*")
        manifest = json.loads((project / "target" / "manifest.json").read_text())
        ran = json.loads((project / "target" / "run_results.json").read_text())["results"]
        compiled = {one["unique_id"]: one["compiled_code"] for one in ran if one.get("compiled_code")}
        (database,) = project.glob("*.duckdb")
        runs = [_mutated(project, Path(made) / f"journal_{seed}", seed) for seed in range(options.seeds)]
        mutants = Counter(one.mutant.input.key for tested, _ in runs for one in tested.outcomes)
        direct, dbt = {}, {}
        for key in mutants:
            queries = [(one.partition(".")[0], compiled[one]) for one in _below(manifest, key) if one in compiled]
            direct[key] = _directly(database, queries)
            name = key.split(".")[-1] if key.startswith("seed.") else "source:" + ".".join(key.split(".")[-2:])
            dbt[key] = _by_dbt(project, f"{name}+")
    count = mutants.total()
    cost = sum(one["mutants_cpu_seconds"] for _, one in runs) / count
    below, below_dbt = (sum(mutants[key] * one[key] for key in mutants) / count for one in (direct, dbt))
    seconds = sum(one["seconds"] for _, one in runs)
    found = {
        "load": os.getloadavg()[0],
        "mutants": count,
        "seconds": round(seconds, 1),
        "runs": [{name: round(value, 2) for name, value in one.items()} for _, one in runs],
        "cpu_seconds_a_mutant": round(cost, 4),
        "cpu_seconds_below_directly": round(below, 4),
        "cpu_seconds_below_by_dbt": round(below_dbt, 2),
        "mutant_over_direct_build": round(cost / below, 2),
        "mutant_over_build_by_dbt": round(cost / below_dbt, 3),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    over = ["seconds"] if count < LEAST_MUTANTS or seconds > MAX_SECONDS else []
    over += ["a mutant over a direct build"] if cost > TIMES_A_BUILD * below else []
    print(json.dumps(found | {"over_the_limit": over}, indent=2))  # noqa: T201
    return int(bool(over))


if __name__ == "__main__":
    raise SystemExit(main())
