"""What the actions are called where people read of them: in documents, on timelines, in the demo."""

from reliability_platform.remediation.actions import ACTIONS

IN_WORDS = {
    "re_request_batches": "ask the source for the batches again",
    "replay_through_shim": "read refused files through an approved alias or cast, or ask the source for them again",
    "accept_held_rows": "let the held rows count",
    "purge_personal_data": "mask for good what is personal in the files of the days",
    "verify_only": "change nothing, and verify that nothing is lost",
    "recompute_event_dates": "build the event dates concerned again",
    "confirm": "confirm it once a person has mended it",
    "catch_up": "run the landing days from landing on, late",
    "rebuild": "build the landing days again from bronze",
    "retry": "run the landing days once more, unchanged",
    "restore_from_snapshot": "put lost rows back from a snapshot, or build them again from bronze",
    "put_back_published": "put published files back as they were audited, or publish anew",
    "reload_reference_data": "reload the reference data, then ask the source again for rows that refer to nothing",
    "fall_back_to_last_good_publication": "let consumers read the last version that no open incident condemns",
    "hold": "hold the landing days",
    "release": "let the landing days go that somebody holds",
}
"""Each action, in words that follow upon "to"."""

if IN_WORDS.keys() != ACTIONS.keys():
    raise RuntimeError(f"every action needs words for people; these disagree: {IN_WORDS.keys() ^ ACTIONS.keys()}")
