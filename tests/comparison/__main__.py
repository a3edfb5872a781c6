"""`python -m tests.comparison`: measure, and keep what was measured.

The shop is judged in this process, the year of flights in one of its own, for a process serves one project: theirs is made
as somebody would who takes over what `sources add` proposes, and names the zone.
"""

import argparse
import json
import pickle
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from reliability_platform.settings import PROJECT_ROOT
from tests.comparison.delivery_sets import EVENTS_PER_DAY, SHOP_DAYS, flights, shop
from tests.comparison.flights_apart import flights_apart
from tests.comparison.measure import Case, measure
from tests.comparison.report import document, markdown

FIRST_SEED, SEEDS, CORRUPTED_SEEDS = 4_201, 5, 2
"""Of no test, and no limit was chosen on them."""
FLIGHTS_REPETITIONS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--corrupted-seeds", type=int, default=CORRUPTED_SEEDS, help="of the others clean days alone")
    parser.add_argument("--without-flights", action="store_true")
    parser.add_argument("--cases", type=Path, help="keep every case as a pickle here")
    parser.add_argument(
        "--json",
        type=Path,
        default=PROJECT_ROOT / f"docs/measurements/comparison-{version('reliability-platform')}.json",
    )
    parser.add_argument("--of-flights", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.of_flights is not None:
        sys.stdout.buffer.write(pickle.dumps(list(measure(flights(said.of_flights), FLIGHTS_REPETITIONS))))
        return
    started = time.perf_counter()
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as folder:
        beside = None if said.without_flights else flights_apart(Path(folder), "tests.comparison")
        for seed in range(said.first_seed, said.first_seed + said.seeds):
            cases += measure(shop(seed), int(seed < said.first_seed + said.corrupted_seeds))
            _progress(f"shop {seed}: {len(cases)} cases, {time.perf_counter() - started:.0f} s")
        if beside is not None:
            found, _ = beside.communicate()
            if beside.returncode:
                raise SystemExit("The flights could not be judged.")
            cases += pickle.loads(found)  # noqa: S301 - from a process that this one has started
    figures = {
        "version": version("reliability-platform"),
        "command": f"python -m tests.comparison --seeds {said.seeds} --first-seed {said.first_seed} "
        f"--corrupted-seeds {said.corrupted_seeds}",
        "first_seed": said.first_seed,
        "seeds": said.seeds,
        "corrupted_seeds": said.corrupted_seeds,
        "shop_days": SHOP_DAYS,
        "events_per_day": EVENTS_PER_DAY,
    }
    if said.cases:
        said.cases.write_bytes(pickle.dumps(cases))
    found_document = document(cases, figures)
    said.json.write_text(json.dumps(found_document, indent=1) + "\n")
    sys.stdout.write(markdown(found_document) + "\n")
    _progress(f"{len(cases)} cases in {time.perf_counter() - started:.0f} s: {said.json}")


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
