"""The page of an incident puts its impact on the record: what the bad data do, as long as nobody has acted."""

from collections.abc import Callable

import dagster as dg
import pytest

from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.incident_assets import incident_asset
from reliability_platform.orchestration.partitions import INCIDENTS
from reliability_platform.orchestration.resources import RESOURCES
from tests.ground import Platform
from tests.unit.failing import NOW, Numbers, result


def test_making_the_page_records_the_impact_once(
    platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incident that waits for a person is measured too, when it is young."""
    made = platform()
    monkeypatch.setenv("RELIABILITY_HOME", str(made.settings.home))
    (one,) = observe(made.engine, Numbers()(result("bronze_shipments__batch_completeness")), NOW)
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions(str(INCIDENTS.name), [one])
        for _ in range(2):
            assert dg.materialize([incident_asset], partition_key=one, instance=instance, resources=RESOURCES).success
    incident = IncidentStore(made.engine).get(one)
    assert [entry.data["phase"] for entry in incident.timeline if entry.kind == "impact"] == ["bad"]
    assert {one["table"] for one in incident.impact["bad"]["measures"]} == {"agg_daily_fulfilment"}
    page = (made.settings.home / "incidents" / f"{one}.html").read_text()
    assert "data:image/svg+xml" in page
    assert "Published columns made of bad values" in page
