"""The outcome: one sentence, and the numbers behind it. What slipped through is as loud as what did not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING, joined
from reliability_platform.lab.scorecard.report.healing import seconds
from reliability_platform.lab.scorecard.report.text import (
    percent,
    plain,
    records,
    share_of,
    words,
)

Document = Mapping[str, Any]


@dataclass(frozen=True)
class HeadlineNumber:
    """One figure. `good` is None for a figure that is neither good nor bad by itself."""

    name: str
    value: str
    note: str = ""
    good: bool | None = None


@dataclass(frozen=True)
class Outcome:
    """`proved` is None if nothing was graded."""

    proved: bool | None
    sentence: str
    against_run: list[str] = field(default_factory=list)
    """Each thing that keeps the run from being proved."""
    run: list[HeadlineNumber] = field(default_factory=list)
    campaign: list[HeadlineNumber] = field(default_factory=list)


def outcome(demo: Document | None, campaign: Document | None) -> Outcome:
    """What both together say; an empty document is none."""
    demo, campaign = demo or None, campaign or None
    against_run = [plain(one) for one in (demo or {}).get("failures") or []]
    run_proved = bool(demo.get("proved")) and not against_run if demo else None
    against_campaign = _against(campaign) if campaign else []
    campaign_proved = not against_campaign if campaign else None
    return Outcome(
        proved=None if demo is None and campaign is None else run_proved is not False and campaign_proved is not False,
        sentence=_sentence(demo, run_proved, len(against_run), campaign, against_campaign),
        against_run=against_run,
        run=_run_numbers(demo) if demo else [],
        campaign=_campaign_numbers(campaign) if campaign else [],
    )


def graded(demo: Document) -> list[Document]:
    """The faults that something should have noticed."""
    return [one for one in records(demo, "faults") if one.get("expected_severity") is not None]


def _sentence(
    demo: Document | None, run_proved: bool | None, findings: int, campaign: Document | None, against: Sequence[str]
) -> str:
    injected = counted(len(graded(demo)), "fault") if demo else ""
    size = counted(in_campaign(campaign), "scenario")
    quiet = f"{counted(in_campaign(campaign, 'controls'), 'control')} raised no false alarm"
    match run_proved, (not against if campaign else None):
        case None, None:
            return "Nothing has been graded yet."
        case True, None:
            return f"Proved: {_all(demo, injected)}."
        case None, True:
            return f"Proved: in {size} every fault was noticed, {_kept(campaign)} and healed; {quiet}."
        case True, True:
            also = f"; so were the faults of {size} in the campaign" if demo and graded(demo) else f". {size} were"
            return f"Proved: {_all(demo, injected)}{also}, and {quiet}."
        case True, False:
            return f"Not proved in full: {_all(demo, injected)}, but in the campaign {joined(against)}."
        case None, False:
            return f"Not proved: in the campaign {joined(against)}."
        case False, False:
            return f"Not proved: {_stand(findings)} against the run, and in the campaign {joined(against)}."
    more = (
        f", while in {size} of the campaign every fault was noticed, {_kept(campaign)} and healed" if campaign else ""
    )
    return f"Not proved: {_stand(findings)} against the run{more}."


def _all(demo: Document | None, injected: str) -> str:
    if not demo or not graded(demo):
        return "nothing was broken in this run, and nothing was noticed"
    which = "the one fault of this run was" if len(graded(demo)) == 1 else f"all {injected} of this run were"
    kept = "contained or told" if any(one.get("told") for one in graded(demo)) else "contained"
    return f"{which} noticed, {kept} and healed"


def _kept(campaign: Document | None) -> str:
    return "contained or told" if share_of(((campaign or {}).get("summary") or {}).get("told_share")) else "contained"


def _stand(findings: int) -> str:
    return (
        f"{counted(findings, 'finding')} {'stands' if findings == 1 else 'stand'}"
        if findings
        else "its own outcome stands"
    )


def survivors(campaign: Document | None) -> list[Document]:
    """Faults that were missed at least once; only their names if that is all the campaign says."""
    known = records((campaign or {}).get("mutation"), "surviving_faults")
    names = {one.get("fault") for one in known}
    summary = (campaign or {}).get("summary") or {}
    return known + [{"fault": name} for name in summary.get("surviving_faults") or [] if name not in names]


def in_campaign(campaign: Document | None, what: str = "scenarios") -> int:
    """A count of the campaign: how many scenarios were graded, or what else is asked for."""
    return int(((campaign or {}).get("summary") or {}).get(what) or 0)


def _against(campaign: Document) -> list[str]:
    """Everything that keeps the campaign from being proved."""
    summary = campaign.get("summary") or {}
    found = [] if in_campaign(campaign) else ["nothing was tried"]
    lost = len({one.get("fault") for one in survivors(campaign)})
    if lost:
        found.append(f"{counted(lost, 'kind')} of fault slipped through")
    elif short := _short(summary, "detected"):
        found.append(f"{short} went unnoticed")
    for key, also, what in (("contained", "told", "contained"), ("healed", "", "healed")):
        if short := _short(summary, key, also):
            found.append(f"{short} {'was' if short.startswith('1 ') else 'were'} not {what}")
    judged = ((summary.get("intervals") or {}).get("contained") or {}).get("n")
    if judged is not None and (unknown := in_campaign(campaign) - int(judged)) > 0:
        found.append(f"of {counted(unknown, 'fault')} nobody can tell whether consumers saw it")
    alarms = in_campaign(campaign, "false_alarms")
    if alarms:
        found.append(f"{counted(alarms, 'false alarm')} {'was' if alarms == 1 else 'were'} raised")
    if odd := len(summary.get("unexplained_differences") or []):
        found.append(f"{counted(odd, 'difference')} to a run without faults {'has' if odd == 1 else 'have'} no cause")
    return found


def _short(summary: Document, key: str, also: str = "") -> str:
    """How many of how many scenarios fell short of one thing, and of another that is as good; empty if none did."""
    one = (summary.get("intervals") or {}).get(key) or {}
    share, n = (
        share_of(one.get("share", summary.get(f"{key}_share"))),
        int(one.get("n") or summary.get("scenarios") or 0),
    )
    as_good = share_of(summary.get(f"{also}_share")) or 0.0
    missing = n - round((share + as_good) * n) if share is not None else 0
    return f"{missing:,} of {counted(n, 'scenario')}" if missing else ""


def _of(faults: Sequence[Document], name: str, *, among: str) -> HeadlineNumber:
    hits = sum(bool(one.get(name)) for one in faults)
    if not faults:
        return HeadlineNumber(among, NOTHING, "nothing was broken")
    return HeadlineNumber(
        among, percent(hits / len(faults)), f"{hits:,} of {counted(len(faults), 'fault')}", hits == len(faults)
    )


def _run_numbers(demo: Document) -> list[HeadlineNumber]:
    faults = graded(demo)
    counts, rows, oracle = demo.get("incidents") or {}, demo.get("conservation") or {}, demo.get("oracle") or {}
    right = [{"right": one.get("severity") == one.get("expected_severity")} for one in faults]
    wolves = counts.get("without_a_fault")
    kept = [{"kept": one.get("contained") or one.get("told")} for one in faults]
    told = any(one.get("told") for one in faults)
    numbers = [
        _of(faults, "detected", among="detected"),
        _of(kept, "kept", among="contained or told" if told else "contained"),
        _of(faults, "healed", among="healed"),
        _of(right, "right", among="severity right"),
        HeadlineNumber(
            "false alarms", NOTHING if wolves is None else f"{wolves:,}", "incidents without a fault", not wolves
        ),
    ]
    if rows:
        lost = rows.get("unaccounted") or 0
        numbers.append(
            HeadlineNumber("rows delivered", f"{rows.get('delivered') or 0:,}", f"{lost:,} unaccounted for", lost == 0)
        )
    if oracle:
        tables = counted(len(oracle.get("tables") or {}), "table")
        equal = bool(oracle.get("equal"))
        numbers.append(
            HeadlineNumber("equal to a run without faults", "yes" if equal else "no", f"{tables}, row for row", equal)
        )
    return numbers


SHARES = {
    "detected": ("detected", 1.0),
    "contained": ("contained", 1.0),
    "healed": ("healed", 1.0),
    "told": ("published and told", None),
    "root_cause": ("root cause right", 1.0),
    "severity": ("severity right", 1.0),
    "changed_file": ("changed file named first", 1.0),
    "false_alarm_per_control": ("controls with a false alarm", 0.0),
    "false_alarm_per_clean_partition_day": ("clean days with a false alarm", 0.0),
}
"""Interval → its name, and the share that is wanted."""


def _campaign_numbers(campaign: Document) -> list[HeadlineNumber]:
    summary = campaign.get("summary") or {}
    intervals = summary.get("intervals") or {}
    numbers = []
    for key, (name, wanted) in SHARES.items():
        share = share_of((intervals.get(key) or {}).get("share", summary.get(f"{key}_share")))
        if (key == "told" and not share) or (key == "changed_file" and share is None):
            continue  # a campaign of before, or one without a fault of the code, says nothing of it
        good = None if share is None or wanted is None else share == wanted
        numbers.append(HeadlineNumber(name, percent(share), _interval(intervals.get(key) or {}), good))
    lost, alarms, controls = (
        survivors(campaign),
        in_campaign(campaign, "false_alarms"),
        in_campaign(campaign, "controls"),
    )
    numbers[3:3] = [
        HeadlineNumber(
            "survivors", f"{len(lost):,}", "faults missed at least once", _quiet(len(lost), in_campaign(campaign))
        ),
        HeadlineNumber("false alarms", f"{alarms:,}", f"in {counted(controls, 'control')}", _quiet(alarms, controls)),
    ]
    per_fault, healing = summary.get("incidents_per_fault"), summary.get("healing") or {}
    kills, actions = campaign.get("kills") or {}, healing.get("remediations_per_incident")
    return [
        *numbers,
        HeadlineNumber(
            "quarantine precision", percent(summary.get("quarantine_precision")), "quarantined rows that are bad"
        ),
        HeadlineNumber("quarantine recall", percent(summary.get("quarantine_recall")), "bad rows that are quarantined"),
        HeadlineNumber(
            "incidents for each fault", NOTHING if per_fault is None else f"{per_fault:.3f}", "1 is the aim"
        ),
        HeadlineNumber(
            "time to recover",
            seconds(healing.get("median_seconds")),
            f"median of {healing.get('n') or 0:,}; 95\u00a0% within {seconds(healing.get('p95_seconds'))}",
        ),
        HeadlineNumber(
            "remediations for each incident", NOTHING if actions is None else f"{actions:.2f}", "actions begun"
        ),
        HeadlineNumber(
            "kills survived",
            words(kills.get("survived", "?")) if kills else NOTHING,
            f"of {words(kills.get('n', '?'))}" if kills else "not measured in this campaign",
            kills.get("survived") == kills.get("n") if kills.get("n") else None,
        ),
    ]


def _quiet(found: int, tries: int) -> bool | None:
    """Finding nothing is good only if something was tried."""
    return False if found else True if tries else None


def _interval(one: Document) -> str:
    share, n = share_of(one.get("share")), int(one.get("n") or 0)
    if share is None or not n:
        return ""
    return f"{round(share * n):,} of {n:,}; 95\u00a0%: {percent(one.get('low'))} to {percent(one.get('high'))}"
