"""Long work that somebody asked for: how far it is, what came of it, and, after a dry run, the button that does it."""

import json
from dataclasses import dataclass

from reliability_platform.service.dashboard.acts import may_be_done
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.launching.requests import AT_WORK, RequestState, RunRequest, RunRequests

WHAT = {
    "run-pipeline": "Running landing days",
    "run-backfill": "Running landing days again",
    "simulate-failure": "Simulating a failure",
    "heal": "Healing",
    "replay": "Replaying what is in quarantine",
    "discard": "Giving up what is in quarantine",
    "roll-back": "Going back one version",
    "withdraw-table": "Taking a table from consumers",
}
"""Kind of long work → how a sentence about it begins."""
ENDS = {
    RequestState.REFUSED: "was refused",
    RequestState.FAILED: "failed",
    RequestState.STOPPED: "was stopped; what was finished is kept",
    RequestState.LOST: "was lost: its process was killed; ask again",
}
"""How it ended without its command having ended well."""


@dataclass(frozen=True, kw_only=True)
class RequestView(PageView):
    """What the page shows."""

    request: RunRequest
    result: str
    """What the command printed for a program; empty where it printed nothing."""
    at_work: bool
    may_be_done: bool


def view(asked: PageRequest) -> RequestView:
    """One request. Raises `UsageError` if there is none."""
    request = RunRequests(asked.settings, asked.engine).get(asked.path["request"])
    what, tried = WHAT[request.kind], bool(request.asked.get("dry_run"))
    if tried:
        what = f"The dry run of {what[0].lower()}{what[1:]}"
    is_well = request.state is RequestState.DONE and request.exit_code == 0
    if request.state in AT_WORK:
        tone, text = Tone.PLAIN, f"{what} is {request.state.value}."
    elif request.state is RequestState.DONE:
        said = "went well" if is_well else "ran, and not all is well"
        tone, text = (Tone.GOOD if is_well else Tone.BAD), f"{what} {said}."
    else:
        tone, text = Tone.BAD, f"{what} {ENDS[request.state]}."
    return RequestView(
        sentence=text + (" Nothing has changed." if tried else ""),
        tone=tone,
        request=request,
        result="" if request.result is None else json.dumps(request.result, indent=2, ensure_ascii=False),
        at_work=request.state in AT_WORK,
        may_be_done=may_be_done(request),
    )


PAGE = DashboardPage(
    "requests/{request}",
    "Requested run",
    "What came of what somebody asked for?",
    PageGroup.CHANGES,
    view,
    "request",
    in_navigation=False,
)
