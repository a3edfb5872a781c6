"""Evaluations of checks that are shown on the pages of their assets, although no step of Dagster's own has yielded them."""

import logging
from collections.abc import Sequence

import dagster as dg

from reliability_platform.clock import utc_now


def store_evaluations(
    instance: dg.DagsterInstance, run_id: str, job: str, evaluations: Sequence[dg.AssetCheckEvaluation]
) -> None:
    """Write them into the event log as events of a run, all at once."""
    instance.event_log_storage.store_event_batch([_event(one, run_id, job) for one in evaluations])


def _event(evaluation: dg.AssetCheckEvaluation, run_id: str, job: str) -> dg.EventLogEntry:
    return dg.EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        level=logging.INFO,
        user_message="",
        run_id=run_id,
        timestamp=utc_now().timestamp(),
        job_name=job,
        dagster_event=dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name=job,
            event_specific_data=evaluation,
            message=evaluation.description,
        ),
    )
