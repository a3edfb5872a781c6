"""Policy as data: failure class → action, on which conditions, how often, and what proves that it helped."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from reliability_platform.incidents.classes import CLASSES


@dataclass(frozen=True)
class Policy:
    """How incidents of a class are healed."""

    action: str
    automatic: bool
    """Whether it runs without a person's approval."""
    max_attempts: int
    escalation: str
    """Who decides once no attempt is left, or once nothing would be other with the next one."""
    conditions: tuple[str, ...] = ()
    """What must hold before the platform acts by itself: names in `conditions`. A person's approval overrules them."""
    proof: tuple[str, ...] = ()
    """Checks that must pass after the action besides those that had failed, with `{source}` to fill in. In any case what
    had failed must pass on all landing days of the incident, and no check may hold one of them."""
    event_date_proof: tuple[str, ...] = ()
    """Checks that must pass on each earlier event date, too, on which the action lets rows count."""
    backoff: timedelta = timedelta(seconds=30)
    """The wait before the second attempt; it doubles for each further one."""
    time_limit: timedelta = timedelta(minutes=10)
    """An action that has not ended after so long is stopped, or taken for dead."""


AUTOMATION = "remediation sensor"
"""The actor where nobody has approved anything."""

ON_THE_RECORD: Mapping[str, str] = {
    "duplicate_batches": "the batches did come twice; no row counts twice",
    "repeated_keys": "the keys did come twice; silver holds each once",
    "late_share": "the rows did come late; the event dates that they are of have been computed again with them",
    "landed_on_time": "the batches did come after their deadline; all of them are there",
    "no_stale_batches": "the batches of another day did come again; their first delivery counts",
    "no_unknown_columns": "the columns did come unannounced; their values are kept, and no other column changed",
    "arrival_agrees": "the moments of producer and landing do differ; no number rests on them",
}
"""Properties that no recovery changes, and why no number is wrong for it: they stay failed, rightly. Any other check
that failed must pass; what each sentence says beyond the failure itself is what `proof` and the gate hold."""


def stays_on_record(check: str, dataset: str) -> str | None:
    """Why a failure of the check stays on record without any number being wrong; None for one that must pass."""
    return ON_THE_RECORD.get(check.removeprefix(f"{dataset}__"))


_CONSERVED = "rec_batches__conserved__{source}"
_UNIQUE = "int_{source}__deduplicated__duplicate_keys"
_COMPLETE = "bronze_{source}__batch_completeness"
_VOLUME = "int_{source}__deduplicated__volume"
_OWNER = "the owner of the source"
_DATA_TEAM = "whoever is on call for data"
_BOTH = f"{_DATA_TEAM}, with {_OWNER}"

# A person decides where more than one answer is right: the values or the contract, the volume or the campaign.
_ASK = Policy("re_request_batches", automatic=False, max_attempts=2, escalation=_BOTH)
_ASK_AT_ONCE = Policy(
    "re_request_batches", automatic=True, max_attempts=2, escalation=_OWNER, conditions=("source_may_be_asked",)
)
_VERIFY = Policy("verify_only", automatic=True, max_attempts=1, escalation=_DATA_TEAM, proof=(_CONSERVED,))
_CONFIRM = Policy(
    "confirm", automatic=True, max_attempts=2, escalation=_DATA_TEAM, conditions=("what_failed_passes_again",)
)
_REBUILD = Policy("rebuild", automatic=False, max_attempts=2, escalation=_DATA_TEAM)
# Building again from bronze is safe: it makes what is right whole again, and changes nothing else. But what failed for
# a cause that is still there would only fail again.
_REBUILD_AT_ONCE = Policy("rebuild", automatic=True, max_attempts=2, escalation=_DATA_TEAM)


def _rebuild_when(*conditions: str) -> Policy:
    return Policy("rebuild", automatic=True, max_attempts=2, escalation=_DATA_TEAM, conditions=conditions)


def _retry_when(*conditions: str) -> Policy:
    return Policy("retry", automatic=True, max_attempts=3, escalation=_DATA_TEAM, conditions=conditions)


_WRITABLE = ("warehouse_can_be_written", "warehouse_is_sound")

POLICIES: dict[str, Policy] = {
    "missing_data": _ASK_AT_ONCE,
    "null_spike": _ASK_AT_ONCE,
    "payload_corruption": _ASK_AT_ONCE,
    "schema_break": Policy(
        "replay_through_shim",
        automatic=True,
        max_attempts=2,
        escalation=_BOTH,
        conditions=("no_column_under_another_name",),
    ),
    "duplicate_delivery": Policy(
        "verify_only",
        automatic=True,
        max_attempts=1,
        escalation=_DATA_TEAM,
        proof=(_UNIQUE, _CONSERVED),
    ),
    "late_data": Policy(
        "recompute_event_dates",
        automatic=True,
        max_attempts=2,
        escalation=_DATA_TEAM,
        proof=("rec_silver__vs__gold__{source}", _CONSERVED),
        # Rows that are late count on the event dates that they are of: these must still look like themselves with them.
        event_date_proof=(_VOLUME,),
    ),
    "held_late": Policy(
        "accept_held_rows",
        automatic=False,
        max_attempts=2,
        escalation=_DATA_TEAM,
        proof=("rec_silver__vs__gold__{source}", _CONSERVED),
    ),
    "stale_redelivery": _VERIFY,
    "schema_addition": _VERIFY,
    "freshness_breach": replace(_VERIFY, proof=(_COMPLETE, _CONSERVED)),
    "source_silent": _ASK_AT_ONCE,
    # The waits of 2, 4, … 32 minutes add up to an hour: most outages are over by then, and nobody need get up.
    "upstream_unavailable": replace(_ASK_AT_ONCE, max_attempts=6, backoff=timedelta(minutes=2)),
    "data_loss": Policy(
        "restore_from_snapshot",
        automatic=True,
        max_attempts=2,
        escalation=_DATA_TEAM,
        conditions=_WRITABLE,
        proof=("int_{source}__deduplicated__no_rows_lost", "rec_silver__vs__gold__{source}", _CONSERVED),
        time_limit=timedelta(minutes=30),  # the warehouse is fetched, however large it is
    ),
    "run_killed": _retry_when(*_WRITABLE, "nobody_builds_these_days"),
    "day_not_run": Policy(
        "catch_up",
        automatic=True,
        max_attempts=3,
        escalation=_DATA_TEAM,
        conditions=(*_WRITABLE, "nobody_builds_these_days"),
        backoff=timedelta(minutes=10),
    ),
    "write_failure": _retry_when(*_WRITABLE),
    # Nobody knows why: once more tells whether it has passed, and after that a person looks.
    "run_failed": replace(_retry_when(*_WRITABLE, "nobody_builds_these_days"), max_attempts=2),
    "unsafe_backfill": _rebuild_when("nobody_builds_these_days", "backfill_is_safe"),
    "published_damage": Policy("put_back_published", automatic=True, max_attempts=2, escalation=_DATA_TEAM),
    "file_corruption": _ASK_AT_ONCE,
    "key_conflict": _ASK_AT_ONCE,
    "future_data": _ASK_AT_ONCE,
    "shifted_timestamps": _ASK_AT_ONCE,
    "poison_message": _ASK_AT_ONCE,
    "pii_leak": _ASK_AT_ONCE,
    "unknown_values": _ASK,
    "distribution_shift": _ASK,
    "invalid_values": _ASK,
    # Reference data that are older than the source's are reloaded at once; whether rows are wrong, a person says.
    "broken_references": Policy(
        "reload_reference_data",
        automatic=True,
        max_attempts=2,
        escalation=_BOTH,
        conditions=("reference_data_are_outdated",),
    ),
    "reject_share": _ASK,
    "unasked_attempt": _ASK,
    "misplaced_delivery": _CONFIRM,
    "volume_anomaly": _ASK,
    "key_skew": _ASK,
    "rows_unaccounted": _REBUILD,
    "transform_failure": _REBUILD,
    "reconciliation_mismatch": _REBUILD_AT_ONCE,
    # People mend these: the platform sees that they have, and says so.
    "recovery_at_risk": _CONFIRM,
    "capacity_low": _CONFIRM,
    "clock_disagreement": _VERIFY,
    # Nothing of ours can make two sources agree: both are asked once more, and if they send the same, their owners decide.
    "sources_disagree": replace(_ASK_AT_ONCE, escalation="the owners of both sources"),
    "check_not_evaluated": _retry_when(*_WRITABLE, "nobody_builds_these_days"),
}

BY_PERSON_ONLY = frozenset({"purge_personal_data", "hold", "release", "fall_back_to_last_good_publication"})
"""Actions that no class takes by itself: `heal --action`, by somebody who answers for it."""

if POLICIES.keys() != CLASSES.keys():
    raise RuntimeError(f"every failure class needs one policy; these disagree: {POLICIES.keys() ^ CLASSES.keys()}")

_BLIND = [
    name for name, policy in POLICIES.items() if policy.action == "retry" and not CLASSES[name].cause.is_transient
]
if _BLIND:
    raise RuntimeError(f"what fails for the same cause again is never just retried: {', '.join(_BLIND)}")
