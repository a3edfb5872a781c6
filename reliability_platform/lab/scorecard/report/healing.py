"""What healing took in a campaign, and what was lost on purpose beside it. What was not measured is said not to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING
from reliability_platform.lab.scorecard.report.chart import ChartTable, Row
from reliability_platform.lab.scorecard.report.text import percent, plain, records, words

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Healing:
    """The section: its tables, what is said below them, and what speaks against the platform."""

    sentences: Sequence[str] = ()
    tables: Sequence[ChartTable] = ()
    against: Sequence[str] = field(default_factory=tuple)


def healing_of(campaign: Document | None) -> Healing | None:
    """None without a campaign, or with one of a version that did not measure it."""
    found = ((campaign or {}).get("summary") or {}).get("healing")
    if not campaign or not isinstance(found, Mapping):
        return None
    tables = [
        ChartTable(
            "Healing by fault family",
            ("family", "faults", "healed", "median to recover", "95 % within", "remediations for each incident"),
            [*map(_family, records(found, "by_family")), _family({**found, "family": "all"})],
        )
    ]
    drills, kills = campaign.get("drills") or {}, campaign.get("kills") or {}
    if drills:
        tables.append(
            ChartTable(
                f"Drills on {plain(drills.get('home'))}",
                ("lost", "rows lost (RPO)", "time to recover (RTO)", "as before", "objectives"),
                [_drill(one) for one in records(drills, "drills")],
            )
        )
    return Healing([plain(found.get("means") or ""), *_sentences(campaign)], tables, _against(kills, drills))


def _sentences(campaign: Document) -> list[str]:
    kills, drills, measured = (campaign.get(name) or {} for name in ("kills", "drills", "measured"))
    where = (
        f"Measured {words(measured.get('at', '?'))[:16].replace('T', ' ')} UTC with version "
        f"{plain(measured.get('platform_version', '?'))} of the platform, on {measured.get('cores', '?')} cores."
    )
    return [
        f"Kills survived: {words(kills.get('survived'))} of {words(kills.get('n'))}, seed {words(kills.get('seed'))}; killed was a process at "
        f"its work on {plain(kills.get('work'))}."
        if kills
        else "Kills: not measured in this campaign (--with-kills 5).",
        *([] if drills else ["Drills: not measured in this campaign (--with-drills)."]),
        *([where] if measured else []),
    ]


def _against(kills: Document, drills: Document) -> list[str]:
    """Each kill that was not survived, each drill that missed an objective."""
    return [
        *(
            f"Not survived: the kill after {one.get('at_seconds')} s of {one.get('work_seconds')} s: "
            f"{plain('; '.join(map(str, one.get('wrong') or [])))}."
            for one in records(kills, "kills")
            if one.get("wrong")
        ),
        *(
            f"Drill {plain(one.get('drill'))}: objectives not met. {plain(' '.join(map(str, one.get('remarks') or [])))}"
            for one in records(drills, "drills")
            if not one.get("met")
        ),
    ]


def seconds(value: object) -> str:
    """A duration in seconds; a dash if there is none."""
    return f"{value:.1f}\u00a0s" if isinstance(value, int | float) else NOTHING


def _family(one: Document) -> Row:
    longest = " (the longest)" if one.get("p95_is_longest") else ""
    per_incident = one.get("remediations_per_incident")
    return (
        words(one.get("family")),
        counted(int(one.get("scenarios") or 0), "fault"),
        percent(int(one.get("healed") or 0) / int(one.get("scenarios") or 1)) if one.get("scenarios") else NOTHING,
        seconds(one.get("median_seconds")),
        seconds(one.get("p95_seconds")) + longest,
        NOTHING if per_incident is None else f"{per_incident:.2f}",
    )


def _drill(one: Document) -> Row:
    rows = one.get("rows_lost")
    return (
        words(one.get("drill")).replace("-", " "),
        f"{rows:,} (at most {words(one.get('objective_rows', '?'))})" if isinstance(rows, int) else NOTHING,
        f"{seconds(one.get('recovery_seconds'))} (at most {seconds(one.get('objective_seconds'))})",
        "yes" if one.get("equal_to_before") else "equal to a run without failures" if one.get("oracle_equal") else "no",
        "met" if one.get("met") else "NOT met",
    )
