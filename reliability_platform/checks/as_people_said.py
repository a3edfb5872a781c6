"""What a person has called right stays right: a check against the past that finds the same number again has passed.

Without it a day that nobody calls wrong any more was held for ever, by a check that can only say that it was unusual.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from math import isclose

from sqlalchemy import Engine, select

from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.operations.tables import incident_heads, incident_timeline

SAID = "A person has said of this number that nothing is wrong."


def as_people_said(results: Sequence[CheckResult], store: CheckStore, engine: Engine) -> list[CheckResult]:
    """The results, those passed that found what they had found when a person called the incident of that day a false alarm.

    Another number is another thing: whatever comes for the day later is judged as ever. An incident that is opened again
    takes the word back.
    """
    failed = [one for one in results if one.status is CheckStatus.FAILED]
    said = {source: _false_alarms(engine, source) for source in {one.source for one in failed}}
    right = {(one.check, one.partition) for one in failed if _is_right(one, said[one.source], store)}
    return [
        replace(one, status=CheckStatus.PASSED, message=f"{one.message}. {SAID}", details={})
        if (one.check, one.partition) in right
        else one
        for one in results
    ]


def _is_right(result: CheckResult, said: Sequence[tuple[date, date, datetime]], store: CheckStore) -> bool:
    moments = [at for first, last, at in said if first <= result.partition <= last]
    if not moments or result.value is None:
        return False
    known = [
        one
        for one in store.history(result.check, result.partition)
        if one.status is CheckStatus.FAILED and one.value is not None and one.evaluated_at <= max(moments)
    ]
    return bool(known) and isclose(known[-1].value or 0.0, result.value, rel_tol=1e-9)


def _false_alarms(engine: Engine, source: str) -> list[tuple[date, date, datetime]]:
    """First and last day of each incident that a person called a false alarm, and when; not of a symptom that was merged."""
    heads, entries = incident_heads.c, incident_timeline.c
    query = (
        select(heads.incident_id, heads.first_day, heads.last_day, entries.at, entries.data)
        .join_from(incident_heads, incident_timeline, entries.incident_id == heads.incident_id)
        .where(heads.source == source, entries.kind == "transition")
        .order_by(heads.incident_id, entries.number)
    )
    found: dict[str, tuple[date, date, datetime]] = {}
    with engine.connect() as connection:
        for row in connection.execute(query):
            data = json.loads(row.data)
            if data.get("to") == "false_alarm" and "linked_to" not in data:
                found[row.incident_id] = (row.first_day, row.last_day, row.at)
            elif data.get("to") == "reopened":
                found.pop(row.incident_id, None)
    return list(found.values())
