"""A person decides from the Dagster UI: a run on the incident's partition."""

from collections.abc import Callable

import dagster as dg
import pytest

from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.local import QUIET
from reliability_platform.orchestration.partitions import INCIDENTS
from tests.ground import Platform
from tests.unit.failing import NOW, Numbers, result


def test_a_decision_is_a_run_on_the_partition_of_the_incident(
    platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands on the timeline with the person's name; the incident's page is written anew; a slip changes nothing."""
    made = platform()
    monkeypatch.setenv("RELIABILITY_HOME", str(made.settings.home))
    (one,) = observe(made.engine, Numbers()(result("bronze_shipments__batch_completeness")), NOW)
    job = defs.resolve_job_def("incident_decision")
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions(str(INCIDENTS.name), [one])

        def launch(**config: str) -> dg.ExecuteInProcessResult:
            return job.execute_in_process(
                instance=instance,
                partition_key=one,
                run_config={**QUIET, "ops": {"decide_incident": {"config": config}}},
                raise_on_error=False,
            )

        assert launch(decision="acknowledge", actor="Ada", why="on it").success
        assert launch(decision="assign", actor="Ada", why="she knows it", to="Grace").success
        incident = IncidentStore(made.engine).get(one)
        assert (incident.state.value, incident.assignee) == ("acknowledged", "Grace")
        page = instance.get_latest_materialization_event(dg.AssetKey("incident"))
        assert page is not None and page.asset_materialization is not None
        assert page.asset_materialization.partition == one
        assert page.asset_materialization.metadata["assigned_to"].value == "Grace"
        shown = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("incident"), "incident__resolved"), limit=9
        )
        assert [(each.partition, each.status.value) for each in shown] == [(one, "FAILED")] * 2
        assert not launch(decision="close", actor="Ada", why="done").success
        assert not launch(decision="note", actor="", why="x").success
        assert len(IncidentStore(made.engine).get(one).timeline) == len(incident.timeline)
