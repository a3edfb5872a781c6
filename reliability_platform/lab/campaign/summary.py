"""The campaign in numbers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from reliability_platform.lab.campaign.grade import ControlOutcome, ScenarioOutcome, TrialOutcome
from reliability_platform.lab.campaign.grid import SIZES
from reliability_platform.lab.campaign.healing import healing
from reliability_platform.lab.campaign.statistics import Share, wilson

GRADED = ("day", "week", "month", "live")
"""Windows that count; scenarios of a sweep lie below the limits on purpose and only show where these are."""


def _share_of(outcomes: Sequence[ScenarioOutcome], name: str) -> Share:
    """Of those of which it can be told."""
    known = [value for one in outcomes if (value := getattr(one, name)) is not None]
    return wilson(sum(map(bool, known)), len(known))


def _pooled(outcomes: Iterable[ScenarioOutcome], of: str) -> float | None:
    """Precision or recall over all rows of all scenarios in which single rows are bad."""
    counted = [one.quarantine for one in outcomes if one.quarantine["recall"] is not None]
    total = sum(one[of] for one in counted)
    return sum(one["hit_rows"] for one in counted) / total if total else None


def _by_family_and_magnitude(outcomes: Iterable[ScenarioOutcome]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[ScenarioOutcome]] = defaultdict(list)
    for one in outcomes:
        groups[one.family, one.magnitude].append(one)
    rows = []
    for (family, magnitude), members in sorted(groups.items(), key=lambda item: (item[0][0], SIZES.index(item[0][1]))):
        share = _share_of(members, "detected")
        rows.append(
            {"family": family, "magnitude": magnitude, "n": share.n, "detected": share.hits}
            | {"share": share.share, "low": share.low, "high": share.high}
        )
    return rows


def _by_fault_and_magnitude(outcomes: Iterable[ScenarioOutcome]) -> list[dict[str, Any]]:
    """Of each fault, every size with the number of injections and how many were detected: at which size it is seen."""
    seen: dict[str, dict[str, list[bool]]] = defaultdict(lambda: {size: [] for size in SIZES})
    for one in outcomes:
        seen[one.fault][one.magnitude].append(one.detected)
    return [
        {"fault": fault, "size": size, "n": len(found), "detected": sum(found)}
        for fault, sizes in sorted(seen.items())
        for size, found in sizes.items()
        if found
    ]


def _limits(outcomes: Iterable[ScenarioOutcome]) -> list[dict[str, Any]]:
    """Of each swept fault, every size with the share of sources that saw it."""
    groups: dict[tuple[str, float], list[bool]] = defaultdict(list)
    for one in outcomes:
        groups[one.fault, float(one.magnitude)].append(one.detected)
    return [
        {"fault": fault, "size": size, "n": len(seen), "detected": sum(seen)}
        for (fault, size), seen in sorted(groups.items())
    ]


def _smallest_seen(outcomes: Iterable[ScenarioOutcome]) -> list[dict[str, str]]:
    """Of each fault and source, the smallest size that was seen every time, as were all larger ones."""
    seen: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for one in outcomes:
        sizes = seen[one.fault, one.source]
        sizes[one.magnitude] = sizes.get(one.magnitude, True) and one.detected
    rows = []
    for (fault, source), sizes in sorted(seen.items()):
        smallest = "none"
        for size in ("large", "medium", "small"):
            if not sizes.get(size, True):
                break
            smallest = size if size in sizes else smallest
        rows.append({"fault": fault, "source": source, "magnitude": smallest})
    return rows


def _baselines(
    outcomes: Sequence[ScenarioOutcome], controls: Sequence[ControlOutcome], z_score: dict[str, bool]
) -> list[dict[str, Any]]:
    placed = [one for one in controls if one.id in z_score]
    alarms = sum(z_score[one.id] for one in placed)
    caught = sum(z_score[one.id] for one in outcomes)
    return [
        {"name": "always alarm", "detected_share": 1.0, "false_alarm_share": 1.0},
        {"name": "never alarm", "detected_share": 0.0, "false_alarm_share": 0.0},
        {
            "name": "z-score of the row count above 3",
            "detected_share": wilson(caught, len(outcomes)).share,
            "false_alarm_share": wilson(alarms, len(placed)).share,
        },
    ]


def summarise(trials: Sequence[TrialOutcome]) -> dict[str, Any]:
    """`summary` of the campaign's document."""
    every = [one for trial in trials for one in trial.scenarios]
    outcomes = [one for one in every if one.window in GRADED]
    controls = [one for trial in trials for one in trial.controls]
    elsewhere = [alarm for trial in trials for alarm in trial.false_alarms_elsewhere]
    shares = {name: _share_of(outcomes, name) for name in ("detected", "contained", "told", "healed")}
    found = [one for one in outcomes if one.detected]
    shares["root_cause"] = wilson(sum(one.root_cause_right for one in found), len(found))
    shares["severity"] = wilson(sum(one.severity_right for one in found), len(found))
    shares["changed_file"] = _share_of(outcomes, "changed_file_first")
    shares["false_alarm_per_control"] = wilson(sum(one.false_alarms > 0 for one in controls), len(controls))
    clean_days = sum(trial.clean_partition_days for trial in trials)
    shares["false_alarm_per_clean_partition_day"] = wilson(min(len(elsewhere), clean_days), clean_days)
    z_score = {key: value for trial in trials for key, value in trial.z_score.items()}
    delays = [one.days_to_detect for one in found if one.days_to_detect is not None]
    return {
        "scenarios": len(outcomes),
        "controls": len(controls),
        "detected_share": shares["detected"].share,
        "root_cause_share": shares["root_cause"].share,
        "severity_share": shares["severity"].share,
        "changed_file_share": shares["changed_file"].share,
        "contained_share": shares["contained"].share,
        "told_share": shares["told"].share,
        "healed_share": shares["healed"].share,
        "quarantine_precision": _pooled(outcomes, "quarantined_rows"),
        "quarantine_recall": _pooled(outcomes, "true_rows"),
        "false_alarms": sum(one.false_alarms for one in controls) + len(elsewhere),
        "healing": healing(outcomes),
        "incidents_per_fault": fmean(one.incidents for one in found) if found else None,
        "mean_days_to_detect": fmean(delays) if delays else None,
        "surviving_faults": sorted({one.fault for one in outcomes if not one.detected}),
        "clean_partition_days": clean_days,
        "false_alarms_elsewhere": elsewhere,
        "unexplained_differences": [one for trial in trials for one in trial.unexplained_differences],
        "intervals": {name: asdict(share) for name, share in shares.items()},
        "by_family_and_magnitude": _by_family_and_magnitude(outcomes),
        "by_fault_and_magnitude": _by_fault_and_magnitude(outcomes),
        "smallest_seen": _smallest_seen(outcomes),
        "limits": _limits(one for one in every if one.window == "limit"),
        "baselines": _baselines(outcomes, controls, z_score),
    }
