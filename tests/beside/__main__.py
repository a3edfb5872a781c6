"""Measure every stack on clean days, then let each meet every fault of the catalogue that changes deliveries.

Elementary is a package of dbt that no package index of Python holds: clone it, and dbt_utils, and name both folders. Each
stack has the same 28 days behind it; each fault hits the next day from there, so that none hides another. What a stack tells of
that day, and not of the same day without the fault, is its detection.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.fault import Containment, Fault
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.settings import PROJECT_ROOT, load_settings
from tests.beside.stacks import Cost, Platform, Team

FIRST, PAST, CLEAN = date(2026, 1, 1), 28, 7
MEASURED = 2
"""Of the clean days; on the others false alarms are counted, and not what they cost."""
SEED = 2_601
HIT = FIRST + timedelta(days=PAST)


def _stacks(folder: Path, reference: Path, packages: dict[str, Path]) -> Iterator[Team]:
    yield Team("dbt's own tests", folder / "dbt", reference)
    if packages:
        yield Team("dbt and Elementary", folder / "elementary", reference, packages)
    yield Team("dbt and Soda", folder / "soda", reference, soda=True)


def _shuffled(faults: list[Fault]) -> list[Fault]:
    """In an order of chance: what is broken off half-way is a sample of the catalogue."""
    return [faults[place] for place in np.random.default_rng(SEED).permutation(len(faults))]


def measure(folder: Path, packages: dict[str, Path], chosen: list[Fault]) -> Iterator[dict[str, Any]]:
    """Costs by stack, and by fault what each told of; anew after each fault, for it takes an hour."""
    home = folder / "home"
    settings = load_settings(home)
    Simulation().save(settings)
    platform = Platform(home)
    platform.run(FIRST, HIT - timedelta(days=1))
    teams = list(_stacks(folder, home / "reference", packages))
    for stack in teams:
        stack.history(home / "landing", HIT - timedelta(days=1))
    days = [HIT + timedelta(days=number) for number in range(CLEAN)]
    clean: dict[str, dict[date, set[str]]] = {platform.name: {}}
    everybody: list[Team | Platform] = [*teams, platform]
    for one in everybody:
        one.cost = Cost()  # the past is not counted
    quiet = platform.fork(folder / "quiet")
    clean[platform.name] = {day: quiet.day(day) for day in days}
    for stack in teams:
        fork = stack.fork(folder / "clean")
        clean[stack.name] = {}
        for day in days:
            if day == days[MEASURED]:
                fork = replace(fork, is_measured=False, cost=Cost())
            clean[stack.name][day] = fork.day(quiet.folder / "landing", day)
        shutil.rmtree(folder / "clean")
        _say(f"{stack.name}: {sum(map(bool, clean[stack.name].values()))} of {len(days)} clean days told")
    faults: list[dict[str, Any]] = []
    found = {
        "version": version("reliability-platform"),
        "past_days": PAST,
        "events_per_day": Simulation().events_per_day,
        "clean_days": len(days),
        "clean_days_told": {name: sum(map(bool, one.values())) for name, one in clean.items()},
        "costs": {one.name: _document(one.cost) for one in everybody},
        "faults": faults,
    }
    for number, fault in enumerate(chosen):
        source = fault.applies_to[number % len(fault.applies_to)]
        hit = platform.fork(folder / "hit")
        words = ["inject", fault.name, "--source", source, "--date", str(HIT), "--home", str(hit.folder)]
        Cost().run("reliability", *words, environment={}, folder=folder)
        told = {platform.name: hit.day(HIT) - clean[platform.name][HIT]}
        for stack in teams if not packages else teams[1:]:
            fork = stack.fork(folder / "fork", is_measured=False)
            told[stack.name] = fork.day(hit.folder / "landing", HIT) - clean[stack.name][HIT]
            shutil.rmtree(fork.folder)
        shutil.rmtree(hit.folder)
        if packages:  # Elementary's tests run beside dbt's own
            told[teams[0].name] = {one for one in told[teams[1].name] if "elementary" not in one}
        first_words = {name: sorted(one)[:5] for name, one in told.items()}
        breaks_a_rule = fault.containment is not Containment.TOLD
        faults.append({"fault": fault.name, "source": source, "breaks_a_rule": breaks_a_rule, "told": first_words})
        by = ", ".join(name for name, one in told.items() if one) or "nobody"
        _say(f"{number + 1} of {len(chosen)}: {fault.name} of {source}: {by}")
        yield found


def _document(cost: Cost) -> dict[str, float]:
    return {
        "seconds_a_day": round(cost.seconds / cost.runs, 1),
        "cpu_seconds_a_day": round(cost.cpu_seconds / cost.runs, 1),
        "peak_megabytes": round(cost.peak_megabytes),
    }


def table(found: dict[str, Any]) -> str:
    """As a table of Markdown."""
    names = list(found["costs"])
    rows = [["", *names]]
    for key, words in (
        ("seconds_a_day", "seconds a day"),
        ("cpu_seconds_a_day", "CPU-seconds a day"),
        ("peak_megabytes", "MB at most"),
    ):
        rows.append([words, *(str(found["costs"][name][key]) for name in names)])
    rows.append([f"of {found['clean_days']} clean days told", *(str(found["clean_days_told"][name]) for name in names)])
    for breaks, words in ((True, "faults that break a rule: detected"), (False, "faults that break none: detected")):
        of = [one for one in found["faults"] if one["breaks_a_rule"] is breaks]
        rows.append([f"{words}, of {len(of)}", *(str(sum(bool(one["told"][name]) for one in of)) for name in names)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--elementary", type=Path, help="A clone of Elementary's dbt package; without it, it is left out."
    )
    parser.add_argument("--dbt-utils", type=Path, help="A clone of dbt_utils, which Elementary needs.")
    parser.add_argument(
        "--faults", nargs="+", metavar="NAME", help="Some faults instead of all that change the deliveries of one day."
    )
    parser.add_argument(
        "--json", type=Path, default=PROJECT_ROOT / f"docs/measurements/beside-{version('reliability-platform')}.json"
    )
    said = parser.parse_args()
    if (said.elementary is None) != (said.dbt_utils is None):
        parser.error("name both, --elementary and --dbt-utils, or neither.")
    packages = (
        {"elementary": said.elementary.resolve(), "dbt_utils": said.dbt_utils.resolve()} if said.elementary else {}
    )
    deliveries = {
        name: fault
        for name, fault in CATALOGUE.items()
        if fault.injection is not None and fault.days_touched == 1 and not fault.is_control
    }
    unknown = set(said.faults or ()) - deliveries.keys()
    if unknown:
        parser.error(f"no fault of the deliveries of one day: {', '.join(sorted(unknown))}.")
    with tempfile.TemporaryDirectory() as folder:
        for found in measure(
            Path(folder), packages, _shuffled([deliveries[name] for name in said.faults or deliveries])
        ):
            said.json.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(table(found) + "\n")


if __name__ == "__main__":
    main()
