"""A day that a person has called right is not held for ever by a check that only knows that it was unusual."""

from pathlib import Path

from reliability_platform.checks.as_people_said import SAID, as_people_said
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.decisions import Decision, decide
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.unit.failing import later, result

VOLUME = "int_orders__deduplicated__volume"
PASSED, FAILED = CheckStatus.PASSED, CheckStatus.FAILED


def test_the_same_number_is_right_and_another_one_is_not(tmp_path: Path) -> None:
    """A blizzard was called a false alarm, nothing was left to do, and its day was in no version that was published."""
    engine = operations_engine(load_settings(tmp_path / "home"))
    store, incidents = CheckStore(engine), IncidentStore(engine)

    def judged(value: float, *, check: str = VOLUME, number: int = 5, minute: int = 9) -> CheckStatus:
        [one] = as_people_said([result(check, number, value=value, at=later(minute))], store, engine)
        assert (SAID in one.message) == (one.status is PASSED)
        return one.status

    store.record([result(VOLUME, value=0.4)])
    observe(engine, store.after(0, 10), later(0))
    [incident] = incidents.all()
    assert judged(0.4) is FAILED
    decide(incidents, incident.id, Decision.FALSE_ALARM, later(1), "ada", "a blizzard")
    assert judged(0.4) is PASSED
    assert judged(0.3) is FAILED, "something else has come since"
    assert judged(0.4, number=6) is FAILED
    assert judged(0.4, check="int_payments__deduplicated__volume") is FAILED
    assert judged(0.4, check="int_orders__deduplicated__amount_scale") is FAILED, "of that number nobody spoke"
    store.record([result(VOLUME, value=0.3, at=later(2))])
    assert judged(0.3) is FAILED, "nobody has spoken since"
    decide(incidents, incident.id, Decision.REOPEN, later(3), "ada", "it was not")
    assert judged(0.4) is FAILED
