"""Puts the run, the campaign and the month into the page."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.faults.catalogue import fault_named
from reliability_platform.scorecard.headline import graded, headline
from reliability_platform.scorecard.report import charts
from reliability_platform.scorecard.report.month import Month
from reliability_platform.scorecard.score import Scorecard
from reliability_platform.sources import SOURCES

Numbers = list[tuple[str, str, str]]
"""Name, value, what stands small below it."""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _interval(one: Mapping[str, Any]) -> str:
    if one["share"] is None:
        return ""
    return f"{one['hits']} of {one['n']} ({_percent(one['low'])} to {_percent(one['high'])})"


def _run_numbers(card: Scorecard) -> Numbers:
    numbers = headline(card)
    strikes = len(graded(card))
    rows = card.conservation
    return [
        ("faults detected", _percent(numbers["detected_share"]), f"of {strikes}"),
        ("contained", _percent(numbers["contained_share"]), "no bad row was ever published"),
        ("healed", _percent(numbers["healed_share"]), ""),
        ("severity right", _percent(numbers["severity_share"]), ""),
        ("false alarms", str(numbers["false_alarms"]), ""),
        ("rows delivered", f"{rows.delivered:,}", f"{rows.unaccounted:,} unaccounted for"),
        ("equal to the oracle", "yes" if numbers["oracle_equal"] else "no", f"{len(card.oracle)} tables, row for row"),
    ]


def _campaign_numbers(summary: Mapping[str, Any]) -> Numbers:
    names = {
        "detected": "detected",
        "root_cause": "root cause right",
        "severity": "severity right",
        "contained": "contained",
        "healed": "healed",
        "false_alarm_per_control": "controls with a false alarm",
        "false_alarm_per_clean_partition_day": "clean days with a false alarm",
    }
    found = [
        (words, _percent(summary["intervals"][key]["share"]), _interval(summary["intervals"][key]))
        for key, words in names.items()
    ]
    per_fault = summary["incidents_per_fault"]
    return [
        *found,
        ("quarantine precision", _percent(summary["quarantine_precision"]), "quarantined rows that are bad ones"),
        ("quarantine recall", _percent(summary["quarantine_recall"]), "bad rows that are quarantined"),
        ("incidents for each fault", "–" if per_fault is None else f"{per_fault:.3f}", "1 is the aim"),
    ]


def _heat(matrix: list[Mapping[str, Any]]) -> tuple[list[str], list[tuple[str, list[float | None]]]]:
    """Faults, and for each check name (its sources together) the share of scenarios in which it failed."""
    faults = list(dict.fromkeys(sorted(row["fault"] for row in matrix)))
    scenarios = {row["fault"]: row["scenarios"] for row in matrix}
    kills: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in matrix:
        kills[_any_source(row["check"])][row["fault"]] += row["kills"]
    rows = [
        (name, [min(1.0, by[fault] / scenarios[fault]) if fault in by else None for fault in faults])
        for name, by in kills.items()
    ]
    return faults, rows


def _any_source(check: str) -> str:
    for source in SOURCES:
        check = check.replace(f"_{source}", "_*")
    return check


def _curves(summary: Mapping[str, Any]) -> dict[str, Any]:
    rows = summary["by_family_and_magnitude"]
    limits = summary["limits"]
    return {
        "curve": charts.detection_curves(rows) if rows else None,
        "curve_rows": [
            (row["family"], row["magnitude"], row["n"], row["detected"], _percent(row["low"]), _percent(row["high"]))
            for row in rows
        ],
        "limits": [
            (
                fault.replace("_", " "),
                charts.limit_curves(limits, fault, fault_named(fault).magnitude_meaning),
                [(f"{row['size']:g}", row["n"], row["detected"]) for row in limits if row["fault"] == fault],
            )
            for fault in sorted({row["fault"] for row in limits})
        ],
    }


def _month(month: Month) -> dict[str, Any]:
    return {
        "timeline": charts.month_timeline(month),
        "strike_rows": [(one.fault, one.source, one.first_day, one.last_day) for one in month.strikes],
        "volumes": [
            (
                source,
                charts.volumes(month, source),
                [
                    (day, f"{month.volumes[source].get(day, 0):,}", "held" if day in month.held.get(source, ()) else "")
                    for day in month.days
                ],
            )
            for source in SOURCES
            if source in month.volumes
        ],
        "incidents": month.incidents,
    }


def _verdict(card: Scorecard | None, summary: Mapping[str, Any] | None) -> tuple[bool, str]:
    good, words = True, []
    if card is not None:
        good = not card.failures
        strikes = len(graded(card))
        if not strikes:
            words.append("Nothing was broken, and nothing was noticed." if good else "Nothing was broken, yet:")
        elif good:
            words.append(
                f"All {strikes} faults were noticed, kept from consumers and healed; every published row is proved."
            )
        else:
            words.append(f"Not proved: {len(card.failures)} things stand against it.")
    if summary is not None:
        survivors, alarms = summary["surviving_faults"], summary["false_alarms"]
        good = good and not survivors and not alarms
        lost = f"{len(survivors)} kinds of faults survived" if survivors else "no fault survived"
        cried = f"{alarms} false alarms" if alarms else "no false alarm"
        words.append(
            f"In {summary['scenarios']} scenarios {lost}; in {summary['controls']} controls there was {cried}."
        )
    return good and bool(words), " ".join(words) or "Nothing has been graded yet."


def render_report(card: Scorecard | None, campaign: Mapping[str, Any] | None, month: Month | None) -> str:
    """One HTML page that needs nothing but itself. Whatever is missing is said to be missing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("reliability_platform.scorecard.report", "."), autoescape=True, undefined=StrictUndefined
    )
    summary = campaign["summary"] if campaign else None
    mutation = campaign["mutation"] if campaign else {"matrix": [], "surviving_faults": [], "redundant_checks": []}
    good, verdict = _verdict(card, summary)
    heat_faults, heat_rows = _heat(mutation["matrix"])
    context: dict[str, Any] = {
        "good": good,
        "verdict": verdict,
        "card": card,
        "failures": card.failures if card else [],
        "run_numbers": _run_numbers(card) if card else [],
        "summary": summary,
        "campaign_numbers": _campaign_numbers(summary) if summary else [],
        "heat_faults": heat_faults,
        "heat_rows": heat_rows,
        "survivors": mutation["surviving_faults"],
        "redundant": mutation["redundant_checks"],
        "never_fired": mutation.get("never_fired", []),
        "wolves": [one for one in campaign["controls"] if one["false_alarms"]] if campaign else [],
        "curve": None,
        "curve_rows": [],
        "limits": [],
        "timeline": None,
        "strike_rows": [],
        "volumes": [],
        "incidents": [],
    }
    context |= _curves(summary) if summary else {}
    context |= _month(month) if month and month.days else {}
    return environment.get_template("page.html.j2").render(context)


def write_report(path: Path, card: Scorecard | None, campaign: Mapping[str, Any] | None, month: Month | None) -> Path:
    """Render and write it in one step; returns the path."""
    write_atomically(path, render_report(card, campaign, month).encode())
    return path
