"""What heals an incident of each failure class (its file says so), and what no class says: who acts, what stays on record."""

from collections.abc import Mapping

from reliability_platform.incidents.classes import CLASSES, Policy

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


POLICIES: dict[str, Policy] = {name: one.policy for name, one in CLASSES.items()}
