"""The mutation score of the checks: who catches whom, who only repeats others, what nobody catches."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.lab.campaign.grade import ScenarioOutcome


def mutation_score(scenarios: Sequence[ScenarioOutcome], kills: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """`matrix` (check, fault, kills of so many scenarios), `redundant_checks`, `surviving_faults`, `never_fired`.

    A check kills a scenario if it fails on its sources and days. It is redundant if one other check kills all that it
    kills, and more; of two that kill the same, the one declared later is.
    """
    per_fault: dict[str, int] = defaultdict(int)
    killed_by: dict[str, set[str]] = defaultdict(set)
    pairs: dict[tuple[str, str], int] = defaultdict(int)
    for scenario in scenarios:
        per_fault[scenario.fault] += 1
        for check in kills.get(scenario.id, ()):
            killed_by[check].add(scenario.id)
            pairs[check, scenario.fault] += 1
    order = {name: place for place, name in enumerate(CHECKS)}
    matrix = [
        {"check": check, "fault": fault, "kills": count, "scenarios": per_fault[fault]}
        for (check, fault), count in sorted(pairs.items(), key=lambda item: (order[item[0][0]], item[0][1]))
    ]
    return {
        "matrix": matrix,
        "redundant_checks": [
            {"check": check, "covered_by": cover}
            for check in sorted(killed_by, key=order.__getitem__)
            if (cover := _covered_by(check, killed_by, order)) is not None
        ],
        "surviving_faults": _survivors(scenarios),
        "never_fired": [name for name in CHECKS if name not in killed_by],
    }


def _covered_by(check: str, killed_by: Mapping[str, set[str]], order: Mapping[str, int]) -> str | None:
    own = killed_by[check]
    covers = [
        other
        for other, theirs in killed_by.items()
        if other != check and own <= theirs and (own < theirs or order[other] < order[check])
    ]
    return min(covers, key=lambda other: (-len(killed_by[other]), order[other])) if covers else None


def _survivors(scenarios: Sequence[ScenarioOutcome]) -> list[dict[str, Any]]:
    """Faults that were missed at least once, with their size and source."""
    counts: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for one in scenarios:
        counts[one.fault, one.source, one.magnitude][0] += 1
        counts[one.fault, one.source, one.magnitude][1] += not one.detected
    return [
        {"fault": fault, "source": source, "magnitude": magnitude, "scenarios": n, "missed": missed}
        for (fault, source, magnitude), (n, missed) in sorted(counts.items())
        if missed
    ]
