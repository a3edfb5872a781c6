"""The runbook of one incident: what a stranger needs at three in the morning, in the order in which it is needed."""

import json
import shlex
from pathlib import Path

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.incidents.blocks import Block, Bullets, Commands, Grid, Heading, Hints, Paragraph
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.impact import Numbers, Reach
from reliability_platform.incidents.model import ENDED, Incident, Signal, TimelineEntry
from reliability_platform.incidents.response import ResponsePolicy, in_words
from reliability_platform.sources.contracts import CONTRACTS


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _latest(incident: Incident) -> list[Signal]:
    """The last signal of each check and day."""
    last = {(signal.partition, signal.check): signal for signal in incident.signals}
    return [last[key] for key in sorted(last)]


def _detection(incident: Incident) -> list[Block]:
    signals = _latest(incident)
    rows = [
        [
            signal.partition.isoformat(),
            signal.check,
            signal.verdict.replace("_", " "),
            _number(signal.value),
            signal.threshold,
            signal.message,
        ]
        for signal in signals
    ]
    blocks: list[Block] = [
        Heading(2, "How it was detected"),
        Grid(["landing day", "check", "verdict", "value", "limit", "in words"], rows),
    ]
    samples = [(signal.check, row) for signal in signals for row in signal.sample[:3]]
    if samples:
        blocks += [
            Paragraph("Some of the rows, with personal data and free text masked:"),
            Bullets([f"{check}: {json.dumps(row, ensure_ascii=False)}" for check, row in samples[:6]]),
        ]
    return blocks


def _columns(incident: Incident, reach: Reach) -> list[Block]:
    """The columns that failed, and the published columns of the same name."""
    names = sorted({CHECKS[one.check].column or "" for one in incident.signals if one.check in CHECKS} - {""})
    if not names:
        return []
    shown = [f"{table}.{name}" for table, columns in sorted(reach.columns.items()) for name in names if name in columns]
    words = f"Columns concerned: {', '.join(names)}. "
    return [
        Paragraph(words + (f"Published under the same name: {', '.join(shown)}." if shown else "None is published."))
    ]


def _affected(incident: Incident, reach: Reach, numbers: Numbers | None) -> list[Block]:
    blocks: list[Block] = [Heading(2, "What is affected")]
    if numbers is None:
        blocks.append(Paragraph("There is no warehouse to ask how many rows are concerned."))
    else:
        dates = numbers.event_dates
        span = f"{dates[0]} to {dates[-1]} ({len(dates)} event dates)" if dates else "none"
        names = ["rows delivered", "accepted", "duplicate", "quarantined", "held late", "keys in quarantine"]
        blocks.append(
            Grid(
                [*names, "files refused", "event dates"],
                [
                    [
                        f"{numbers.delivered_rows:,}",
                        f"{numbers.accepted_rows:,}",
                        f"{numbers.duplicate_rows:,}",
                        f"{numbers.quarantined_rows:,}",
                        f"{numbers.held_late_rows:,}",
                        f"{numbers.quarantined_keys:,}",
                        str(numbers.refused_files),
                        span,
                    ]
                ],
            )
        )
    return [
        *blocks,
        *_columns(incident, reach),
        Paragraph(f"Published tables: {', '.join(reach.published)}. All tables downstream: {', '.join(reach.tables)}."),
        Grid(
            ["who reads it", "owner", "critical"],
            [[one.name, f"{one.owner}, {one.email}", "yes" if one.critical else "no"] for one in reach.exposures],
        ),
    ]


def _window(incident: Incident) -> str:
    return f"--from {incident.partitions[0].isoformat()} --to {incident.partitions[-1].isoformat()}"


def _replay(incident: Incident) -> list[str]:
    if len(incident.partitions) > 1 or incident.state in ENDED:
        return []
    day = incident.partitions[0].isoformat()
    return [
        "# or all incidents of this source and day at once:",
        f"reliability quarantine replay --source {incident.source} --date {day}",
    ]


def _recovery(incident: Incident, home: Path | None, plan: str | None) -> list[Block]:
    window, source = _window(incident), incident.source
    hints = sorted({CHECKS[signal.check].recovery for signal in incident.signals if signal.check in CHECKS})
    return [
        Heading(2, "Recovery"),
        *([Paragraph(f"What healing would do now: {plan}")] if plan and incident.state not in ENDED else []),
        Hints(hints),
        Commands(
            [
                *([f"export RELIABILITY_HOME={shlex.quote(str(home))}"] if home else []),
                f"reliability incidents ack {incident.id}",
                f"reliability checks {window} --source {source}",
                f"reliability quarantine list --source {source} {window}",
                f"reliability heal --incident {incident.id}",
                *_replay(incident),
            ]
        ),
        Paragraph("If healing does not help, run the days again after the cause is mended, and end the incident:"),
        Commands(
            [
                f"reliability run {window}",
                f"reliability incidents resolve {incident.id} --why 'mended by hand'",
            ]
        ),
    ]


_BY_CLASS = {
    "duplicate_delivery": (
        "which keys came more than once",
        "select {key}, count(*) as times, list(distinct batch_id) as batches from stg_{source}\n"
        "where landing_date in ({days}) group by {key} having count(*) > 1 order by times desc, {key} limit 20;",
    ),
    "late_data": (
        "which event dates came late, and how many rows of each",
        "select landing_date, event_date, disposition, count(*) from stg_{source}\n"
        "where landing_date in ({days}) and event_date < landing_date group by all order by all;",
    ),
    "reconciliation_mismatch": (
        "which measures differ",
        "select * from rec_silver__vs__gold where source = '{source}' and difference <> 0\n"
        "order by event_date, table_name, measure limit 20;",
    ),
    "rows_unaccounted": (
        "which batches do not add up",
        "select * from rec_batches__conserved where source = '{source}' and unaccounted_rows <> 0;",
    ),
}
_ARRIVED = (
    "which batches arrived, and what became of their rows",
    "select landing_date, batch_sequence, batch_id, disposition, count(*) from stg_{source}\n"
    "where landing_date in ({days}) group by all order by all;",
)
_EVERYWHERE = (
    (
        "where every delivered row of these days ended",
        "select * from rec_batches__conserved where source = '{source}' and landing_date in ({days});",
    ),
    (
        "why rows were rejected",
        "select landing_date, reject_reasons, state, count(*) from qtn_rows\n"
        "where source = '{source}' and landing_date in ({days}) group by all order by all;",
    ),
)


def questions(incident: Incident) -> list[tuple[str, str]]:
    """SQL that assesses the damage, with what it answers. Made of names and dates that the platform knows."""
    contract = CONTRACTS[incident.source]
    days = ", ".join(f"date '{day.isoformat()}'" for day in incident.partitions)
    asked = (*_EVERYWHERE, _BY_CLASS.get(incident.failure_class, _ARRIVED))
    return [(words, sql.format(source=contract.source, key=contract.key, days=days)) for words, sql in asked]


def _assessment(incident: Incident) -> list[Block]:
    lines = [line for words, sql in questions(incident) for line in (f"-- {words}", *sql.splitlines())]
    return [
        Heading(2, "Questions to the warehouse"),
        Paragraph("Read-only SQL on warehouse.duckdb in the home folder, while no run is at work."),
        Commands(lines, "sql"),
    ]


def _what(entry: TimelineEntry) -> str:
    return str(entry.data["to"]).replace("_", " ") if entry.kind == "transition" else entry.kind


def _symptoms(incident: Incident) -> list[Block]:
    kind = CLASSES[incident.failure_class]
    standing = len(incident.still_failing)
    if not standing:
        now = "all have passed since"
    elif incident.state in ENDED:
        now = f"{_count(standing, 'verdict')} on the record for good, for what was found stays in the data"
    else:
        now = f"{_count(standing, 'verdict')} still to be cleared"
    words = f"{_count(len(incident.checks), 'check')} did not pass on {_count(len(incident.partitions), 'landing day')}; {now}."
    blocks: list[Block] = [Heading(2, "Symptoms"), Paragraph(kind.what_it_means), Paragraph(words)]
    if incident.linked_to:
        blocks.append(Paragraph(f"See also {incident.linked_to}."))
    return [*blocks, Paragraph(f"Severity {incident.severity_reason}.")]


def runbook(
    incident: Incident,
    reach: Reach,
    numbers: Numbers | None,
    policy: ResponsePolicy,
    home: Path | None = None,
    plan: str | None = None,
) -> list[Block]:
    """All sections. `numbers` is None where there is no warehouse to ask; `home` where it is not the default one.

    `plan` says in words what healing would do now.
    """
    kind = CLASSES[incident.failure_class]
    days = f"{incident.partitions[0]}" + (f" to {incident.partitions[-1]}" if len(incident.partitions) > 1 else "")
    owner = CONTRACTS[incident.source].owner
    over = incident.state in ENDED
    return [
        Heading(1, f"{incident.severity} · {kind.title} · {', '.join(incident.sources)} {days}"),
        Paragraph(
            f"{incident.id} is {incident.state.value.replace('_', ' ')}. "
            + ("Nothing is left to do. " if over else f"{in_words(incident.severity, policy).capitalize()}. ")
            + f"Root: {incident.root_dataset}. Owner of the source: {owner}."
        ),
        *_symptoms(incident),
        *_detection(incident),
        *_affected(incident, reach, numbers),
        Heading(2, "Containment already done"),
        Paragraph(kind.contained_by),
        Heading(2, "First steps"),
        Hints(kind.first_steps),
        *_recovery(incident, home, plan),
        *_assessment(incident),
        Heading(2, "Validation"),
        Paragraph("Recovered means: the checks above pass, nothing is held, and the oracle agrees row for row."),
        Commands(
            [
                f"reliability checks {_window(incident)}",
                "reliability publish",
                "reliability verify",
            ]
        ),
        Heading(2, "Prevention"),
        Paragraph(kind.prevention),
        Heading(2, "Timeline (UTC)"),
        Grid(
            ["when", "who", "what", "why"],
            [
                [
                    entry.at.strftime("%Y-%m-%d %H:%M:%S"),
                    entry.actor,
                    _what(entry),
                    entry.why,
                ]
                for entry in incident.timeline
            ],
        ),
    ]
