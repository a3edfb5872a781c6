"""What healing took: actions and time, by fault family. Pure.

The time to recover is that of `incidents.metrics`, R as in recover: from the detection to data that are right again. In
a campaign it is work alone: every action is approved at once, nobody sleeps, and the incidents of one trial are healed
in the same rounds, so that each of them waits for the others. Median and 95th percentile are those of `metrics`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from reliability_platform.incidents.metrics import spread
from reliability_platform.lab.campaign.grade import ScenarioOutcome

MEANS = (
    "Time to recover: detection to data that are right again, all actions approved at once, the incidents of a trial "
    "healed together; wall clock of this campaign."
)


def _recovery(name: str, outcomes: Sequence[ScenarioOutcome]) -> dict[str, Any]:
    known = [timedelta(seconds=one.seconds_to_recover) for one in outcomes if one.seconds_to_recover is not None]
    found = spread(known)
    return {
        "family": name,
        "scenarios": len(outcomes),
        "healed": sum(one.healed for one in outcomes),
        "n": found.n,
        "median_seconds": found.median.total_seconds() if found.median is not None else None,
        "p95_seconds": found.p95.total_seconds() if found.p95 is not None else None,
        "p95_is_longest": found.is_small,
        **_remediations(outcomes),
    }


def _remediations(outcomes: Iterable[ScenarioOutcome]) -> dict[str, Any]:
    incidents = remediations = 0
    for one in outcomes:
        incidents, remediations = incidents + one.incidents, remediations + one.remediations
    return {
        "incidents": incidents,
        "remediations": remediations,
        "remediations_per_incident": remediations / incidents if incidents else None,
    }


def healing(outcomes: Sequence[ScenarioOutcome]) -> Mapping[str, Any]:
    """`summary.healing` of the campaign's document. Every fault counts as healable: each class has a policy."""
    families = sorted({one.family for one in outcomes})
    return {
        **{key: value for key, value in _recovery("all", outcomes).items() if key != "family"},
        "healable": len(outcomes),
        "means": MEANS,
        "by_family": [_recovery(name, [one for one in outcomes if one.family == name]) for name in families],
    }
