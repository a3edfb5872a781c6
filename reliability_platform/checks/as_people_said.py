"""What a person has called right stays right: a check against the past that finds the same number again has passed.

Without it a day that nobody calls wrong any more was held for ever, by a check that can only say that it was unusual.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isclose

from sqlalchemy import Engine

from reliability_platform.checks.false_alarms import FalseAlarm, false_alarms
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore

SAID = "A person has said of this number that nothing is wrong."


def as_people_said(results: Sequence[CheckResult], store: CheckStore, engine: Engine) -> list[CheckResult]:
    """The results, those passed that found what they had found when a person called the incident of that day a false alarm.

    Another number is another thing: whatever comes for the day later is judged as ever. An incident that is opened again
    takes the word back.
    """
    failed = [one for one in results if one.status is CheckStatus.FAILED]
    said = {source: false_alarms(engine, source) for source in {one.source for one in failed}}
    right = {(one.check, one.partition) for one in failed if _is_right(one, said[one.source], store)}
    return [
        replace(one, status=CheckStatus.PASSED, message=f"{one.message}. {SAID}", details={})
        if (one.check, one.partition) in right
        else one
        for one in results
    ]


def _is_right(result: CheckResult, said: Sequence[FalseAlarm], store: CheckStore) -> bool:
    moments = [one.at for one in said if one.first <= result.partition <= one.last and not one.is_taken_back]
    if not moments or result.value is None:
        return False
    known = [
        one
        for one in store.history(result.check, result.partition)
        if one.status is CheckStatus.FAILED and one.value is not None and one.evaluated_at <= max(moments)
    ]
    return bool(known) and isclose(known[-1].value or 0.0, result.value, rel_tol=1e-9)
