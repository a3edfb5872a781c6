"""Of a breach of personal data: what the law's clock asks for, who looked at rows unmasked, how many keys are affected.

Keys are counted and never shown. What is read beside the platform, in the files themselves, it cannot know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from reliability_platform.audit_log import AuditLog, Changes
from reliability_platform.contracts.rejections import Rule
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, UsageError
from reliability_platform.formats import moment
from reliability_platform.incidents.classes import CLASSES, IncidentType
from reliability_platform.incidents.documents.blocks import Block, Bullets, Commands, Grid, Heading, Paragraph
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import ResponsePolicy, breach_report_due
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.masking import scrub
from reliability_platform.operations.tables import audit_log
from reliability_platform.parquet import day_list, literal
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader

if TYPE_CHECKING:
    import duckdb

SHOWN = 20
MAX_TEXT = 2000
LEAKED = f"(^|,)[^,]+_{Rule.PERSONAL_DATA}(,|$)"
"""Why a row of a breach is rejected: any column, also one that the contract has no longer (RE2)."""


@dataclass(frozen=True)
class UnmaskedLook:
    """Somebody was shown rows as they were delivered."""

    at: datetime
    who: str
    why: str
    what: str
    is_of_incident: bool
    """Whether it was a batch of the source and the landing days of the incident."""


@dataclass(frozen=True)
class AffectedRows:
    """Rows that hold personal data where none may be, and their different keys, on the landing days of an incident."""

    rows: int
    keys: int


@dataclass(frozen=True)
class BreachEvidence:
    """What a report to the authority asks for, as far as the platform knows."""

    looks: Sequence[UnmaskedLook]
    """Since the first bad batch landed, oldest first."""
    affected: AffectedRows | None = None
    """None where the warehouse could not be asked."""


def is_breach(incident: Incident) -> bool:
    """Whether personal data lay where they may not."""
    return CLASSES[incident.failure_class].type is IncidentType.BREACH


def unmasked_looks(engine: Engine, incident: Incident) -> list[UnmaskedLook]:
    """Every look at unmasked rows since the first bad batch landed, from the audit log."""
    since = min(one for one in (incident.times.onset, incident.detected_at) if one is not None)
    entries, _ = AuditLog(engine).newest([audit_log.c.command == Changes.UNMASK.value, audit_log.c.at >= since], None)
    batches = tuple(f"the batch {one}-{day:%Y%m%d}" for one in incident.sources for day in incident.partitions)
    return [UnmaskedLook(one.at, one.who, one.why, one.what, one.what.startswith(batches)) for one in entries[::-1]]


def affected_rows(connection: "duckdb.DuckDBPyConnection", source: str, days: Sequence[date]) -> AffectedRows:
    """Every row of the days that was rejected for it, also those that clean ones have replaced since: they were read."""
    found = connection.execute(
        f"select count(*), count(distinct record_key) from qtn_rows where source = {literal(source)} "
        f"and list_contains({day_list(days)}, landing_date) "
        f"and regexp_matches(reject_reasons, {literal(LEAKED)})"
    ).fetchone()
    assert found is not None
    return AffectedRows(int(found[0]), int(found[1]))


def breach_of(settings: Settings, engine: Engine, incident: Incident, *, counts: bool = True) -> BreachEvidence | None:
    """The evidence of a breach; None for any other incident. Without `counts` the warehouse is not asked."""
    if not is_breach(incident):
        return None
    affected = None
    if counts:
        import duckdb  # 0.1 s, which whoever looks at one screen does not need

        try:
            with warehouse_reader(settings) as connection:
                affected = affected_rows(connection, incident.source, incident.partitions)
        except (EnvironmentUnusableError, HomeBusyError, duckdb.Error):
            pass
    return BreachEvidence(unmasked_looks(engine, incident), affected)


def settle_report(
    store: IncidentStore, incident_id: str, now: datetime, actor: str, why: str, *, reported: bool
) -> Incident:
    """Say that the breach was reported to the authority, or why it need not be. Raises `UsageError`."""
    incident = store.get(incident_id)
    if not is_breach(incident):
        raise UsageError(f"{incident.id} is no breach of personal data: there is nothing to report.")
    if not why.strip() or len(why) > MAX_TEXT:
        raise UsageError(f"Say it in {MAX_TEXT} characters at the most: who was told and when, or why nobody need be.")
    what = "reported to the authority" if reported else "need not be reported"
    store.append(incident.id, now, actor, "breach_report", f"{what}: {scrub(why.strip())}", {"reported": reported})
    return store.get(incident.id)


def clock_words(incident: Incident, terms: ResponsePolicy, breach: BreachEvidence) -> list[str]:
    """By when what is due, and the numbers, a sentence each."""
    due = breach_report_due(incident, terms)
    if due is None:
        clock = "It is a false alarm: nothing is to be reported."
    elif incident.breach_reported_at is not None:
        clock = f"Decided {moment(incident.breach_reported_at)}; the report was due by {moment(due)}."
    else:
        clock = f"Report it to the data protection authority by {moment(due)}, or record why it need not be."
    own = sum(one.is_of_incident for one in breach.looks)
    looks = (
        f"{counted(own, 'look')} at its rows unmasked, {counted(len(breach.looks) - own, 'look')} at other rows since."
    )
    if breach.affected is None:
        return [clock, looks]
    rows = f"{counted(breach.affected.rows, 'row')} with {counted(breach.affected.keys, 'different key')} affected."
    return [clock, rows, looks]


def commands(incident: Incident) -> list[str]:
    """How the decision is recorded."""
    open_still = incident.breach_reported_at is None
    return [f'reliability incidents breach {incident.id} --reported "to whom, when"'] if open_still else []


def breach_section(incident: Incident, terms: ResponsePolicy, breach: BreachEvidence | None) -> list[Block]:
    """For the runbook; nothing where it is no breach."""
    if breach is None:
        return []
    shown = breach.looks[-SHOWN:]
    rows = [[moment(one.at), one.who, one.what, one.why, "yes" if one.is_of_incident else "no"] for one in shown]
    steps = commands(incident)
    return [
        Heading(2, "Breach of personal data"),
        Bullets(clock_words(incident, terms, breach)),
        *([Grid(["when", "who", "what they saw unmasked", "why", "of this incident"], rows)] if rows else []),
        Paragraph(
            "Who read files of the home without the platform is not on its record: ask whoever runs the machine."
        ),
        *([Commands(steps)] if steps else []),
    ]
