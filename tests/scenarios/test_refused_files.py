"""Files whose columns changed type, on the real pipeline: refused, read through casts, and equal to the oracle."""

import pytest

from reliability_platform.clock import utc_now
from reliability_platform.faults.plan import Strike
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.remediation.heal import act, verify
from reliability_platform.remediation.ledger import ReplayLedger
from reliability_platform.sources import SOURCES
from tests.conftest import Platform, day

ONE = day(1)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Platform, Platform]:
    """A day without any fault, and the same on which every source changed a type."""
    folder = tmp_path_factory.mktemp("refused")
    clean = Platform(folder / "clean")
    clean.run(ONE, ONE)
    strikes = [Strike("schema_type_changed", source, ONE, "medium") for source in SOURCES]
    struck = Platform(folder / "struck", strikes=strikes)
    struck.run(ONE, ONE)
    return clean, struck


def test_every_source_whose_types_changed_heals_through_casts_to_the_oracle(homes: tuple[Platform, Platform]) -> None:
    """Row for row, without a single batch asked for again: the source would send the same types."""
    clean, struck = homes
    assert struck.gold() != clean.gold()
    observe(struck.engine, struck.checks.after(0, 10_000), utc_now())
    store = IncidentStore(struck.engine)
    assert {(one.source, one.failure_class) for one in store.all()} == {(source, "schema_break") for source in SOURCES}
    for incident in store.all():
        act(struck.settings, struck.engine, incident.id, utc_now(), "test")
    replays = ReplayLedger(struck.engine).all()
    assert {(one.source, one.how) for one in replays} == {(source, "shim") for source in SOURCES}
    last = struck.checks.after(0, 10_000)[-1][0]
    struck.admit(ONE, ONE)
    struck.check(ONE, ONE, struck.build(ONE, ONE))
    observe(struck.engine, struck.checks.after(last, 10_000), utc_now())
    assert all(verify(struck.engine, one.id, utc_now(), "test") for one in store.all())
    assert {one.state for one in store.all()} == {State.RESOLVED}
    assert struck.gold() == clean.gold()
    for source in SOURCES:
        rows = f"select * exclude (landed_at) from stg_{source} order by all"
        assert struck.query(rows) == clean.query(rows)
