"""The actions, one module per idea. Each is idempotent, decides from evidence in the home alone, and can say beforehand
what it would do. Which failure class is met with which action is the policy's business.

A module is imported when one of its actions is asked for: who looks at an incident asks for one, and all of them together
bring Soda, Arrow and snapshots, 0.7 s.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from reliability_platform.errors import UsageError
from reliability_platform.remediation.actions.action import Action as Action
from reliability_platform.remediation.actions.action import Done as Done
from reliability_platform.remediation.actions.action import in_words as in_words

PLACES = {
    "re_request_batches": "re_request:RE_REQUEST",
    "replay_through_shim": "replay:REPLAY",
    "accept_held_rows": "late_rows:ACCEPT_HELD",
    "purge_personal_data": "personal_data:PURGE",
    "verify_only": "run_again:VERIFY_ONLY",
    "confirm": "run_again:CONFIRM",
    "catch_up": "catch_up:CATCH_UP",
    "recompute_event_dates": "run_again:RECOMPUTE",
    "retry": "run_again:RETRY",
    "rebuild": "run_again:REBUILD",
    "restore_from_snapshot": "restore:RESTORE",
    "reload_reference_data": "reference:RELOAD",
    "put_back_published": "published:PUT_BACK",
    "fall_back_to_last_good_publication": "containment:FALL_BACK",
    "hold": "containment:HOLD",
    "release": "containment:RELEASE",
}
"""Name → module and object."""


class _Declared(Mapping[str, Action]):
    """Name → action, in the order of their declaration."""

    def __getitem__(self, name: str) -> Action:
        return _loaded(PLACES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


@cache
def _loaded(place: str) -> Action:
    module, _, name = place.partition(":")
    action: Action = getattr(import_module(f"{__name__}.{module}"), name)
    return action


ACTIONS = _Declared()


def action_named(name: str) -> Action:
    """The declared action. Raises `UsageError`."""
    if name not in PLACES:
        raise UsageError(f"There is no action {name!r}: choose one of {', '.join(sorted(PLACES))}.")
    return ACTIONS[name]
