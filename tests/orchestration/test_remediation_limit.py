"""The remediation sensor on a day on which everything breaks."""

from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.detection import observe
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.jobs import remediation
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.orchestration.sensors import INCIDENT_TAG, remediation_sensor
from reliability_platform.settings import load_settings
from tests.unit.failing import NOW, Numbers, result


def test_one_tick_asks_for_no_more_actions_than_an_hour_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit was asked about each incident by itself, and none had begun yet: all of them were asked for."""
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    monkeypatch.setenv("RELIABILITY_REMEDIATIONS_PER_HOUR", "3")
    engine, number = operations_engine(load_settings(tmp_path)), Numbers()
    opened = [observe(engine, number(result(f"bronze_{one}__batch_completeness")), NOW)[0] for one in SOURCES]
    with dg.instance_for_test() as instance, dg.build_sensor_context(instance=instance, resources=RESOURCES) as context:
        outcome = remediation_sensor(context)
    assert isinstance(outcome, dg.SensorResult)
    asked = [one for one in outcome.run_requests or [] if one.job_name == remediation.name]
    assert [one.tags[INCIDENT_TAG] for one in asked] == opened[:3]
