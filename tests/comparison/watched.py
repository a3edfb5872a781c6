"""`python -m tests.comparison.watched`: what the watch after a recovery costs in false alarms, on months of the shop and a year of
flights in which nothing is wrong any more.

Checks against the past: each of their clean days, as it is judged and under watch. Profiles: after each corruption that was told,
the three clean days that follow, with what was told under watch.
"""

import argparse
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np

from reliability_platform.checks.history import Days, good_past, history_checks
from reliability_platform.checks.watched import NARROWER
from reliability_platform.profiles.judge import HISTORY_DAYS, MIN_HISTORY_DAYS, judge
from reliability_platform.profiles.series import series_of
from tests.comparison.delivery_sets import DeliverySet, flights, shop
from tests.comparison.flights_apart import flights_apart
from tests.comparison.measure import SEED, corrupted_days
from tests.comparison.profiled import Profiled

FIRST_SEED, SEEDS = 4_301, 4
WATCH_DAYS = 3


def _history(profiled: Profiled, source: str, told: Counter[str]) -> None:
    every = profiled.world.days(source)
    for name, check in history_checks([source]).items():
        profile: dict[object, dict[str, float]] = {}
        rows = profiled.connection.execute(check.profile, {"first": every[0], "last": every[-1]}).fetchall()
        for day, measure, value in rows:
            profile.setdefault(day, {})[measure] = float(value)
        days: Days = profile  # type: ignore[assignment]
        for day in every[HISTORY_DAYS:]:
            past = good_past(days, day, set())
            if len(past) >= MIN_HISTORY_DAYS:
                kind = name.rpartition("__")[2]
                told[f"{kind}: days"] += 1
                told[f"{kind}: told"] += check.judge(days, past, day, 1.0).failed
                told[f"{kind}: told under watch"] += check.judge(days, past, day, NARROWER).failed


def _profiles(world: DeliverySet, profiled: Profiled, source: str, told: Counter[str]) -> None:
    clean, days = profiled.judge_clean(source), world.days(source)
    rng = np.random.default_rng([SEED, *map(ord, world.name + source)])
    for _, _, _, touched in corrupted_days(source, world.deliveries[source], days, 1, rng):
        found = profiled.judge_instead(source, touched).values()
        unlike = frozenset(metric for one in found for metric in one.unlike)
        series = series_of(profiled.profiles[source])
        for offset in range(1, WATCH_DAYS + 1) if unlike else ():
            day = max(touched) + timedelta(days=offset)
            if day in clean:
                told["profile: days"] += 1
                told["profile: told"] += clean[day].told
                told["profile: told under watch"] += bool(judge(series, day, set(), unlike).deviations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--of-flights", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.of_flights is not None:
        _judge(flights(said.of_flights))
        return
    with tempfile.TemporaryDirectory() as folder:
        beside = flights_apart(Path(folder), "tests.comparison.watched")
        _judge(*map(shop, range(said.first_seed, said.first_seed + said.seeds)))
        sys.stdout.write(beside.communicate()[0].decode())
        if beside.returncode:
            raise SystemExit("The flights could not be judged.")


def _judge(*worlds: DeliverySet) -> None:
    told: Counter[str] = Counter()
    for world in worlds:
        profiled = Profiled.of(world)
        for source in world.deliveries:
            _history(profiled, source, told)
            _profiles(world, profiled, source, told)
    for what in sorted({name.partition(":")[0] for name in told}):
        counts = [told[f"{what}: {name}"] for name in ("days", "told", "told under watch")]
        words = f"of {counts[0]:,} clean days {counts[1]} told, {counts[2]} under watch"
        sys.stdout.write(f"{worlds[0].name.split()[0]}, {what}: {words}\n")


if __name__ == "__main__":
    main()
