"""The backfill guard where runs are launched: from the UI, by healing, by the command line."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.backfills.approvals import Approvals
from reliability_platform.backfills.decisions import APPROVAL_TAG
from reliability_platform.backfills.guard import Purpose
from reliability_platform.checks.holds import Holds
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.clock import utc_now
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.backfill_guard import INCIDENT_TAG, SCHEDULED, _purpose
from reliability_platform.orchestration.bronze_assets import bronze_assets
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.local import LOCAL, QUIET
from reliability_platform.orchestration.partitions import range_tags
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.warehouse.journal import BLOCKED, BuildJournal
from tests.ground import Platform, day

FROM_UI = {**range_tags(day(1), day(2)), "dagster/backfill": "abcdefgh"}


@pytest.fixture(scope="module")
def bound(
    lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Platform, str]]:
    """A home with two published days, one of them held and bound by an incident."""
    with pytest.MonkeyPatch.context() as patch:
        made = lived(tmp_path_factory.mktemp("guarded") / "home")
        patch.setenv("RELIABILITY_HOME", str(made.settings.home))
        Holds(made.engine).hold("orders", day(2), "ann", "the books are audited", utc_now())
        failed = CheckResult(
            check="stg_orders__missing_customer_id",
            dataset="stg_orders",
            source="orders",
            partition=day(2),
            status=CheckStatus.FAILED,
            value=1.0,
            threshold="< 1 %",
            message="null values",
            run_id="test",
            evaluated_at=utc_now(),
        )
        observe(made.engine, [(1_000_000, failed)], utc_now())
        [incident] = IncidentStore(made.engine).open()
        yield made, incident.id


def _fingerprint(made: Platform) -> dict[str, str]:
    home = made.settings.home
    files = [path for name in ("landing", "bronze", "published") for path in (home / name).rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in [*files, made.settings.warehouse]}


def _launch(job: str, tags: dict[str, str]) -> dg.ExecuteInProcessResult:
    with dg.instance_for_test() as instance:
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance, tags=tags, run_config=QUIET, raise_on_error=False
        )


def _innermost(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return "" if error is None else error.message


@pytest.mark.exhaustive  # 8 s; what the guard objects to is held by tests/unit/test_backfill_guard.py
@pytest.mark.parametrize("job", ["pipeline", "reprocess"])
def test_a_backfill_from_the_ui_is_refused_before_it_writes(bound: tuple[Platform, str], job: str) -> None:
    """Once for the run, however many steps ask; the run's error says how to see the difference and to approve."""
    made, incident = bound
    before, journal = _fingerprint(made), BuildJournal(made.engine, made.settings.builds)
    blocked_before = len(journal.troubled())
    done = _launch(job, FROM_UI)
    assert not done.success
    [words] = {_innermost(one) for one in done.all_events if one.is_step_failure and one.step_failure_data.error.cause}
    for part in ("2026-01-01 to 2026-01-02", "held by ann", incident, "--dry-run", APPROVAL_TAG):
        assert part in words
    assert _fingerprint(made) == before
    assert [one.outcome for one in journal.troubled()[blocked_before:]] == [BLOCKED]


def test_a_reason_in_a_tag_of_the_run_lets_it_through(bound: tuple[Platform, str]) -> None:
    """It is kept with the guards that it overrules, and stands on the incident's timeline; a run of one asset too."""
    made, incident = bound
    with dg.instance_for_test() as instance:
        tags = {APPROVAL_TAG: "the auditor asked for it"}
        done = dg.materialize(
            bronze_assets[:1], instance=instance, partition_key=str(day(2)), tags=tags, resources=RESOURCES
        )
    assert done.success
    [approval] = Approvals(made.engine).all()
    assert approval.guards == ("held days", "open incidents")
    assert approval.actor == f"whoever launched run {done.run_id[:8]}"
    notes = [one.why for one in IncidentStore(made.engine).get(incident).timeline if one.kind == "note"]
    assert len(notes) == 1
    assert notes[0].endswith("the auditor asked for it")


def test_the_tags_of_a_run_say_what_it_is_for(bound: tuple[Platform, str]) -> None:
    """A tag that names no open incident of these days is no healing."""
    made, incident = bound

    def purpose(tags: dict[str, str], number: int = 2) -> Purpose:
        return _purpose(made.engine, tags, day(number), day(number))

    assert purpose({INCIDENT_TAG: f"INC-0009-x, {incident}"}) is Purpose.REMEDIATION
    assert purpose({INCIDENT_TAG: incident}, 1) is Purpose.BACKFILL
    assert purpose({INCIDENT_TAG: "INC-0009-x"}) is Purpose.BACKFILL
    assert purpose(LOCAL) is Purpose.ROUTINE
    assert purpose({SCHEDULED: "daily_pipeline"}) is Purpose.ROUTINE
    assert purpose({}) is Purpose.BACKFILL
