"""The actions, one module per idea. Each is idempotent, decides from evidence in the home alone, and can say beforehand
what it would do. Which failure class is met with which action is the policy's business.
"""

from reliability_platform.errors import UsageError
from reliability_platform.remediation.actions.action import Action as Action
from reliability_platform.remediation.actions.action import Done as Done
from reliability_platform.remediation.actions.action import in_words as in_words
from reliability_platform.remediation.actions.catch_up import CATCH_UP
from reliability_platform.remediation.actions.containment import FALL_BACK, HOLD, RELEASE
from reliability_platform.remediation.actions.late_rows import ACCEPT_HELD
from reliability_platform.remediation.actions.personal_data import PURGE
from reliability_platform.remediation.actions.published import PUT_BACK
from reliability_platform.remediation.actions.re_request import RE_REQUEST
from reliability_platform.remediation.actions.re_request import request as request
from reliability_platform.remediation.actions.re_request import slots_to_request as slots_to_request
from reliability_platform.remediation.actions.reference import RELOAD
from reliability_platform.remediation.actions.replay import REPLAY
from reliability_platform.remediation.actions.restore import RESTORE
from reliability_platform.remediation.actions.run_again import CONFIRM, REBUILD, RECOMPUTE, RETRY, VERIFY_ONLY
from reliability_platform.remediation.actions.run_again import EVENT_DATES as EVENT_DATES
from reliability_platform.remediation.actions.run_again import FROM_THE_SOURCE as FROM_THE_SOURCE

ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        RE_REQUEST,
        REPLAY,
        ACCEPT_HELD,
        PURGE,
        VERIFY_ONLY,
        CONFIRM,
        CATCH_UP,
        RECOMPUTE,
        RETRY,
        REBUILD,
        RESTORE,
        RELOAD,
        PUT_BACK,
        FALL_BACK,
        HOLD,
        RELEASE,
    )
}


def action_named(name: str) -> Action:
    """The declared action. Raises `UsageError`."""
    if name not in ACTIONS:
        raise UsageError(f"There is no action {name!r}: choose one of {', '.join(sorted(ACTIONS))}.")
    return ACTIONS[name]
