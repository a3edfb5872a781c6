"""What people do from a page: the decisions of the command line, and long work that is tried without effect before it is done.

Each act is one row of a table: where its form goes, which role may, and the function. A form of an act that the viewer may
not do is not shown, and refused if it comes all the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from reliability_platform.checks.holds import Holds
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.decisions import Decision, decide, give_update
from reliability_platform.incidents.documents.messages import promised_for
from reliability_platform.incidents.reports import report
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.locks import locked
from reliability_platform.pauses import Pausable, Pauses, PauseState
from reliability_platform.service.access.roles import Act, may
from reliability_platform.service.api import asked as forms
from reliability_platform.service.api.access import Caller, Ground
from reliability_platform.service.launching.kinds import KINDS
from reliability_platform.service.launching.requests import RequestState, RunRequest, RunRequests
from reliability_platform.service.launching.worker import launch

T = TypeVar("T", bound=BaseModel)


class FormError(UsageError):
    """A form is filled in with what cannot be."""


@dataclass(frozen=True)
class SentForm:
    """A form that somebody has sent from one of our pages."""

    ground: Ground
    caller: Caller
    now: datetime
    path: Mapping[str, str]
    """What the address names."""
    fields: Mapping[str, str]

    def read(self, form: type[T], **more: Any) -> T:
        """The fields as a request of the API would have them. Raises `FormError` for what is not of the form."""
        try:
            return form.model_validate({name: value for name, value in self.fields.items() if value} | more)
        except ValidationError as error:
            found = [
                f"{'.'.join(map(str, one['loc'])) or 'the form'}: {forms.what_is_wrong(one)}" for one in error.errors()
            ]
            raise FormError("; ".join(found[:5]) + ".") from None


@dataclass(frozen=True)
class DashboardAct:
    """One act."""

    path: str
    """Where its form goes, below `/ui`."""
    act: Act
    do: Callable[[SentForm], str]
    """Does it; the page below `/ui` that is shown next. Raises `UsageError` for what cannot be done now."""


def _decide(decision: Decision) -> Callable[[SentForm], str]:
    def do(form: SentForm) -> str:
        acknowledges = decision is Decision.ACKNOWLEDGE
        why = form.read(forms.WithReason).why if acknowledges else form.read(forms.Because).why
        incident = decide(
            IncidentStore(form.ground.engine), form.path["incident"], decision, form.now, form.caller.name, why
        )
        return f"incidents/{incident.id}"

    return do


def _update(form: SentForm) -> str:
    said, store = form.read(forms.UpdateAsked), IncidentStore(form.ground.engine)
    incident = store.get(form.path["incident"])
    next_at = promised_for(incident, said.next_hours, form.now)
    return f"incidents/{give_update(store, incident.id, said.say, next_at, form.now, form.caller.name).id}"


def _hold(form: SentForm) -> str:
    incident = IncidentStore(form.ground.engine).get(form.path["incident"])
    held = Holds(form.ground.engine)
    days = [
        form.read(forms.OfLandingDay, source=source, date=day)
        for source in incident.sources or (incident.source,)
        for day in incident.partitions
    ]
    for one in days:
        held.hold(one.source, one.date, form.caller.name, one.why, form.now)
    said = f"{counted(len(days), 'landing day is', 'landing days are')} held from the next publication on."
    decide(
        IncidentStore(form.ground.engine),
        incident.id,
        Decision.NOTE,
        form.now,
        form.caller.name,
        f"{said} {days[0].why}",
    )
    return f"incidents/{incident.id}"


def _report(form: SentForm) -> str:
    """The key is that of the page on which the form was shown: sent twice, it is one report."""
    key = form.fields.get("key") or None
    said = replace(form, fields={name: value for name, value in form.fields.items() if name != "key"})
    heard = said.read(forms.ReportAsked).by(form.caller.name, key)
    return f"incidents/{report(form.ground.settings, form.ground.engine, heard, form.now).id}"


def _launch(form: SentForm, kind: str, body: dict[str, Any], key: str | None = None) -> str:
    request = launch(form.ground.settings, form.ground.engine, kind, body, form.caller.name, key, form.now)
    return f"requests/{request.id}"


def _try_to_heal(form: SentForm) -> str:
    incident = IncidentStore(form.ground.engine).get(form.path["incident"])
    if not incident.is_open:
        raise UsageError(f"{incident.id} is {incident.state.value}: nothing is left to heal.")
    said = form.read(forms.HealAsked, dry_run=True)
    return _launch(form, "heal", said.model_dump(mode="json", exclude_none=True) | {"incident": incident.id})


def _try_to_replay(form: SentForm) -> str:
    said = form.read(forms.ReplayAsked, dry_run=True)
    return _launch(form, "replay", said.model_dump(mode="json", exclude_none=True))


def _pause(state: PauseState) -> Callable[[SentForm], str]:
    def do(form: SentForm) -> str:
        said = form.read(forms.Pausing, kind=form.path["kind"], name=form.path["name"])
        Pauses(form.ground.engine).say(said.kind, said.name, state, form.caller.name, said.why, form.now)
        return "contracts" if said.kind is Pausable.SOURCE else "dag"

    return do


def _stop(form: SentForm) -> str:
    requests = RunRequests(form.ground.settings, form.ground.engine)
    request = requests.get(form.path["request"])
    if not may(form.caller.role, KINDS[request.kind].act):
        raise UsageError(f"{form.caller.name} may not {KINDS[request.kind].act.value}.")
    requests.stop(request.id, form.caller.name, form.read(forms.Because).why, form.now)
    return f"requests/{request.id}"


TRIED_FIRST = ("heal", "replay")
"""Long work that is done from a page; what else was asked for over the API is done over it."""


def may_be_done(request: RunRequest) -> bool:
    """Whether this was tried without effect, went well, and is done from a page."""
    return request.kind in TRIED_FIRST and bool(request.asked.get("dry_run")) and request.state is RequestState.DONE


def _carry_out(form: SentForm) -> str:
    tried = RunRequests(form.ground.settings, form.ground.engine).get(form.path["request"])
    if not may_be_done(tried):
        raise UsageError("This was not tried without effect first, or did not go well: begin with the dry run.")
    if not may(form.caller.role, KINDS[tried.kind].act):
        raise UsageError(f"{form.caller.name} may not {KINDS[tried.kind].act.value}.")
    body, key = {name: value for name, value in tried.asked.items() if name != "dry_run"}, f"after-{tried.id}"
    with locked(
        form.ground.settings.requests / "carry-out.lock"
    ):  # whoever presses it, and however often: it is done once
        done = RunRequests(form.ground.settings, form.ground.engine).with_key(key)
        return _launch(form, tried.kind, body, key) if done is None else f"requests/{done.id}"


ACTS: tuple[DashboardAct, ...] = (
    DashboardAct("report", Act.REPORT, _report),
    DashboardAct("incidents/{incident}/acknowledge", Act.DECIDE, _decide(Decision.ACKNOWLEDGE)),
    DashboardAct("incidents/{incident}/update", Act.DECIDE, _update),
    DashboardAct("incidents/{incident}/note", Act.DECIDE, _decide(Decision.NOTE)),
    DashboardAct("incidents/{incident}/resolve", Act.DECIDE, _decide(Decision.RESOLVE)),
    DashboardAct("incidents/{incident}/false-alarm", Act.DECIDE, _decide(Decision.FALSE_ALARM)),
    DashboardAct("incidents/{incident}/hold", Act.HOLD, _hold),
    DashboardAct("incidents/{incident}/heal", KINDS["heal"].act, _try_to_heal),
    DashboardAct("quarantine/replay", KINDS["replay"].act, _try_to_replay),
    DashboardAct("requests/{request}/carry-out", KINDS["heal"].act, _carry_out),
    DashboardAct("requests/{request}/stop", Act.RUN, _stop),
    DashboardAct("pause/{kind}/{name}", Act.PAUSE, _pause(PauseState.PAUSED)),
    DashboardAct("resume/{kind}/{name}", Act.PAUSE, _pause(PauseState.ACTIVE)),
)
