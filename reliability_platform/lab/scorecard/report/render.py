"""Puts the run, the campaign and the month into one page that needs nothing but itself."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING
from reliability_platform.lab.scorecard.report.curves import detection_chart, limits_chart
from reliability_platform.lab.scorecard.report.healing import healing_of
from reliability_platform.lab.scorecard.report.matrix import matrix_chart
from reliability_platform.lab.scorecard.report.outcome import graded, in_campaign, outcome, survivors
from reliability_platform.lab.scorecard.report.text import (
    as_moment,
    duration,
    percent,
    plain,
    records,
    short_id,
    span_of_days,
    words,
)
from reliability_platform.lab.scorecard.report.timeline import is_healed, numbered_faults, timeline_chart
from reliability_platform.lab.scorecard.report.volumes import KEYS, volume_charts
from reliability_platform.palette import variables

Document = Mapping[str, Any]


def render_report(
    demo: Document | None, campaign: Document | None, month: Document | None, *, runbooks: str = "incidents"
) -> str:
    """The page. Whatever is missing is said to be missing; every text from the data is escaped.

    `demo` is the document of `reliability demo --json`, `campaign` that of `reliability campaign --json`, `month` that
    of `month_of`; `runbooks` is the folder of the runbooks, seen from the page.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("reliability_platform.lab.scorecard.report", "."),
        autoescape=True,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(percent=percent, words=words, count=counted, days=span_of_days, runbooks=runbooks)
    summary = (campaign or {}).get("summary")
    return environment.get_template("page.html.j2").render(
        palette=variables(":root"),
        outcome=outcome(demo, campaign),
        demo=demo,
        scope=_scope(demo, campaign),
        campaign=campaign,
        matrix=matrix_chart(campaign),
        curves=detection_chart(summary),
        limits=limits_chart(summary),
        smallest=records(summary, "smallest_seen"),
        healing=healing_of(campaign),
        timeline=timeline_chart(month),
        numbered=numbered_faults(month),
        volumes=volume_charts(month),
        volume_keys=KEYS,
        incidents=[_incident(one) for one in records(month, "incidents")],
        survivors=survivors(campaign),
        scenarios=in_campaign(campaign),
        **_honesty(campaign),
    )


def write_report(
    path: Path, demo: Document | None, campaign: Document | None, month: Document | None, *, runbooks: str = "incidents"
) -> Path:
    """Render it and write it in one step; returns the path."""
    write_atomically(path, render_report(demo, campaign, month, runbooks=runbooks).encode())
    return path


def _seen(value: object) -> object:
    """What the template prints: text of the data without what cannot be seen."""
    return plain(value) if type(value) is str else value


def _scope(demo: Document | None, campaign: Document | None) -> list[str]:
    """What was graded, in words."""
    found = []
    if demo:
        window = demo.get("window") or {}
        when = f", {span_of_days(window.get('from'), window.get('to'))}" if window else ""
        seed = f", seed {words(demo['seed'])}" if demo.get("seed") is not None else ""
        faults = len(graded(demo))
        controls = len(records(demo, "faults")) - faults
        besides = f" and {counted(controls, 'control')}" if controls else ""
        found.append(f"This run: {counted(faults, 'planned fault')}{besides}{when}{seed}.")
    if campaign:
        seeds = ", ".join(words(seed) for seed in campaign.get("seeds") or [])
        found.append(
            f"The campaign: {counted(in_campaign(campaign), 'scenario')} and "
            f"{counted(in_campaign(campaign, 'controls'), 'control')} of the grid {words(campaign.get('grid', '?'))}"
            f"{f', seeds {seeds}' if seeds else ''}; in each the truth is known."
        )
    return found


def _incident(one: Document) -> dict[str, Any]:
    """One line of the list of incidents."""
    opened = as_moment(one.get("detected_at"))
    return {
        "id": str(one.get("id")),
        "number": short_id(one.get("id")),
        "severity": words(one.get("severity")),
        "title": plain(one.get("title")),
        "source": words(one.get("source")),
        "failure_class": words(one.get("failure_class")),
        "days": span_of_days(one.get("first_day"), one.get("last_day")),
        "state": words(one.get("state")),
        "ended": is_healed(one) or one.get("state") == "false_alarm",
        "opened": f"{opened:%Y-%m-%d %H:%M}" if opened else NOTHING,
        "recovered": duration(one.get("detected_at"), one.get("recovered_at")) or "not yet",
    }


def _unmended(campaign: Document | None) -> list[dict[str, Any]]:
    """Scenarios that were noticed, and yet reached consumers or did not heal. Those of a sweep do not count."""
    names = ("fault", "magnitude", "source", "first_day", "last_day", "seed", "contained", "told", "healed")
    return [
        {name: one.get(name) for name in names}
        for one in records(campaign, "scenarios")
        if one.get("window") != "limit"
        and one.get("detected")
        and not ((one.get("contained") is not False or one.get("told")) and one.get("healed"))
    ]


def _honesty(campaign: Document | None) -> dict[str, Any]:
    """What speaks against the checks: alarms at controls and on clean days, rivals, repetition, silence."""
    summary, mutation = (campaign or {}).get("summary") or {}, (campaign or {}).get("mutation") or {}
    controls = records(campaign, "controls")
    tried = Counter(str(one.get("control")) for one in controls)
    cried = Counter(str(one.get("control")) for one in controls if one.get("false_alarms"))
    return {
        "unmended": _unmended(campaign),
        "wolves": [one for one in controls if one.get("false_alarms")],
        "elsewhere": list(summary.get("false_alarms_elsewhere") or []),
        "controls": [(name, number, cried[name]) for name, number in sorted(tried.items())],
        "own": (
            summary.get("detected_share"),
            ((summary.get("intervals") or {}).get("false_alarm_per_control") or {}).get("share"),
        ),
        "baselines": records(summary, "baselines"),
        "redundant": records(mutation, "redundant_checks"),
        "never_fired": list(mutation.get("never_fired") or []),
    }
