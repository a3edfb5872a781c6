"""The runbook of one incident: what a stranger needs at three in the morning, in the order in which it is needed."""

import json
import shlex
from pathlib import Path

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.incidents.blocks import Block, Bullets, Commands, Grid, Heading, Hints, Paragraph
from reliability_platform.incidents.classes import CLASSES, RESPONSE
from reliability_platform.incidents.impact import Numbers, Reach
from reliability_platform.incidents.model import ENDED, Incident, Signal
from reliability_platform.sources.contracts import CONTRACTS


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


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


def _affected(reach: Reach, numbers: Numbers | None) -> list[Block]:
    blocks: list[Block] = [Heading(2, "What is affected")]
    if numbers is not None:
        dates = numbers.event_dates
        span = f"{dates[0]} to {dates[-1]} ({len(dates)} event dates)" if dates else "none"
        blocks.append(
            Grid(
                ["rows delivered", "accepted", "duplicate", "quarantined", "held late", "files refused", "event dates"],
                [
                    [
                        f"{numbers.delivered_rows:,}",
                        f"{numbers.accepted_rows:,}",
                        f"{numbers.duplicate_rows:,}",
                        f"{numbers.quarantined_rows:,}",
                        f"{numbers.held_late_rows:,}",
                        str(numbers.refused_files),
                        span,
                    ]
                ],
            )
        )
    blocks += [
        Paragraph(f"Published tables: {', '.join(reach.published)}. All tables downstream: {', '.join(reach.tables)}."),
        Grid(
            ["who reads it", "owner", "critical"],
            [[one.name, f"{one.owner}, {one.email}", "yes" if one.critical else "no"] for one in reach.exposures],
        ),
    ]
    return blocks


def _recovery(incident: Incident, home: Path | None) -> list[Block]:
    first, last = incident.partitions[0].isoformat(), incident.partitions[-1].isoformat()
    hints = sorted({CHECKS[signal.check].recovery for signal in incident.signals if signal.check in CHECKS})
    return [
        Heading(2, "Recovery"),
        Hints(hints),
        Commands(
            [
                *([f"export RELIABILITY_HOME={shlex.quote(str(home))}"] if home else []),
                f"reliability incidents ack {incident.id}",
                f"reliability checks --from {first} --to {last} --source {incident.source}",
                f"reliability quarantine list --source {incident.source} --from {first} --to {last}",
                f"reliability heal --incident {incident.id}",
            ]
        ),
        Paragraph("If healing does not help, run the days again after the cause is mended:"),
        Commands([f"reliability run --from {first} --to {last}"]),
    ]


def _assessment(incident: Incident) -> list[Block]:
    days = ", ".join(f"date '{day.isoformat()}'" for day in incident.partitions)
    source = incident.source
    return [
        Heading(2, "Questions to the warehouse"),
        Paragraph("Read-only SQL on warehouse.duckdb in the home folder, while no run is at work."),
        Commands(
            [
                "-- where every delivered row of these days ended",
                f"select * from rec_batches__conserved where source = '{source}' and landing_date in ({days});",
                "-- why rows were rejected",
                "select landing_date, reject_reasons, state, count(*) from qtn_rows",
                f"where source = '{source}' and landing_date in ({days}) group by all order by all;",
            ],
            "sql",
        ),
    ]


def runbook(incident: Incident, reach: Reach, numbers: Numbers | None, home: Path | None = None) -> list[Block]:
    """All sections. `numbers` is None where there is no warehouse to ask; `home` where it is not the default one."""
    kind = CLASSES[incident.failure_class]
    days = f"{incident.partitions[0]}" + (f" to {incident.partitions[-1]}" if len(incident.partitions) > 1 else "")
    owner = CONTRACTS[incident.source].owner
    over = incident.state in ENDED
    return [
        Heading(1, f"{incident.severity} · {kind.title} · {incident.source} {days}"),
        Paragraph(
            f"{incident.id} is {incident.state.value.replace('_', ' ')}. "
            + ("Nothing is left to do. " if over else f"{RESPONSE[incident.severity].capitalize()}. ")
            + f"Root: {incident.root_dataset}. Owner of the source: {owner}."
        ),
        Heading(2, "Symptoms"),
        Paragraph(kind.what_it_means),
        Paragraph(f"Severity {incident.severity_reason}."),
        *_detection(incident),
        *_affected(reach, numbers),
        Heading(2, "Containment already done"),
        Paragraph(kind.contained_by),
        *_recovery(incident, home),
        *_assessment(incident),
        Heading(2, "Validation"),
        Paragraph("Recovered means: the checks above pass, nothing is held, and the oracle agrees row for row."),
        Commands(
            [
                f"reliability checks --from {incident.partitions[0]} --to {incident.partitions[-1]}",
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
                    entry.data["to"].replace("_", " ") if entry.kind == "transition" else entry.kind,
                    entry.why,
                ]
                for entry in incident.timeline
            ],
        ),
    ]
