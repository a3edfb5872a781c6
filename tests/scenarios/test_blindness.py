"""Detection cannot see the truth: scrambled, deleted or replaced, it changes no result and no incident."""

import json
import shutil
from collections.abc import Callable

import pytest

from reliability_platform.clock import utc_now
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.faults.truth import load_truths
from tests.ground import Platform, day

INJECTIONS = [
    Injection("missing_batch", "orders", day(2), "small"),
    Injection("null_spike", "orders", day(2), "large"),
    Injection("corrupt_payloads", "web_events", day(3), "medium"),
]


def _seen(platform: Platform) -> list[tuple[object, ...]]:
    nodes = platform.build(day(1), day(4))
    results = platform.check(day(1), day(4), nodes)
    observe(platform.engine, platform.checks.after(0, 100_000), utc_now())
    statuses = sorted((one.check, one.partition, one.status.value, one.value) for one in results)
    incidents = [
        (
            one.source,
            one.failure_class,
            one.root_dataset,
            one.column,
            one.severity,
            tuple(one.partitions),
            tuple(one.checks),
        )
        for one in IncidentStore(platform.engine).all()
    ]
    return [*statuses, *incidents]


@pytest.mark.exhaustive  # 16 s; that the platform cannot import the lab is held by `test_layers.py`
def test_scrambled_truth_changes_nothing(platform: Callable[..., Platform]) -> None:
    """Two equal homes; in one, every word of the truth is turned into a lie after the landing."""
    honest, scrambled = (platform(name, injections=INJECTIONS) for name in ("honest", "scrambled"))
    for one in (honest, scrambled):
        one.land(day(1), day(4))
    assert len(load_truths(scrambled.settings)) == 3
    truth = scrambled.settings.faults / "truth"
    for path in truth.glob("*.json"):
        raw = json.loads(path.read_text())
        raw |= {"fault": "duplicate_retry_storm", "source": "shipments", "expected_class": "pii_leak", "batches": []}
        path.write_text(json.dumps(raw))
    for path in truth.glob("*.parquet"):
        path.write_bytes(b"not the truth")
    ActivePlan(99, (Injection("volume_spike", "payments", day(4), "large"),)).save(scrambled.settings)
    assert _seen(honest) == _seen(scrambled)


def test_without_any_truth_two_faults_of_one_source_and_day_are_told_apart(platform: Callable[..., Platform]) -> None:
    """The whole folder is gone, and the incidents still name both causes."""
    blind = platform("blind", injections=INJECTIONS)
    blind.land(day(1), day(4))
    shutil.rmtree(blind.settings.faults)
    _seen(blind)
    found = [(one.source, one.failure_class, one.column, one.partitions) for one in IncidentStore(blind.engine).all()]
    assert sorted(found, key=str) == [
        ("orders", "missing_data", None, [day(2)]),
        ("orders", "null_spike", "customer_id", [day(2)]),
        ("web_events", "payload_corruption", "payload", [day(3)]),
    ]
