"""Long work: a request is kept and answered at once with 202 and where to poll; a process of its own carries it out."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Response
from pydantic import BaseModel

from reliability_platform.backfills.guard import GUARDS, Purpose, Request, objections
from reliability_platform.clock import utc_now
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.service.access.roles import Act
from reliability_platform.service.api import asked
from reliability_platform.service.api.access import (
    Caller,
    Ground,
    OnGround,
    Viewer,
    allowed,
    refuse_unless,
    router_of_acts,
)
from reliability_platform.service.api.problems import ApiError, told_as
from reliability_platform.service.api.reads import IncidentId, RequestedRunId
from reliability_platform.service.launching.kinds import KINDS
from reliability_platform.service.launching.requests import RunRequest, RunRequests
from reliability_platform.service.launching.worker import launch
from reliability_platform.warehouse.published import current_version

router = router_of_acts()
ACCEPTED = HTTPStatus.ACCEPTED

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text of yours. The same request with the same key is carried out once, and answered with the same run.",
    ),
]


@dataclass(frozen=True)
class LongWork:
    """One kind of long work that somebody who may do it asks for."""

    kind: str
    on: Ground
    who: Caller
    answer: Response
    key: str | None

    def launch(self, said: BaseModel, **more: Any) -> RunRequest:
        """Keep the request, begin to carry it out, and say where to poll."""
        body, now = said.model_dump(mode="json", exclude_none=True) | more, utc_now()
        with told_as(409):
            request = launch(self.on.settings, self.on.engine, self.kind, body, self.who.name, self.key, now)
        self.answer.headers["Location"] = f"/v1/requested-runs/{request.id}"
        return request


def of_kind(kind: str) -> Any:
    """A dependency: this kind of long work, if the caller may ask for it."""

    def asked_for(
        on: OnGround,
        who: Annotated[Caller, Depends(allowed(KINDS[kind].act))],
        answer: Response,
        key: IdempotencyKey = None,
    ) -> LongWork:
        return LongWork(kind, on, who, answer, key)

    return Depends(asked_for)


@router.post(
    "/requested-runs/{run_id}/stop",
    status_code=ACCEPTED,
    tags=["pipeline"],
    summary="Stop what somebody asked for",
)
def stop_requested_run(on: OnGround, who: Viewer, run_id: RequestedRunId, said: asked.Because) -> RunRequest:
    """Its command ends as by Ctrl-C: what was finished is kept, and asking for the same again goes on. It goes into the audit log.

    Whoever may ask for it may stop it. Poll until `state` is `stopped`; it is `done` where it had ended by then. 409 if it is
    at work no more.
    """
    requests = RunRequests(on.settings, on.engine)
    with told_as(404):
        request = requests.get(run_id)
    refuse_unless(who, KINDS[request.kind].act)
    with told_as(409):
        return requests.stop(run_id, who.name, said.why, utc_now())


@router.post("/run-pipeline", status_code=ACCEPTED, tags=["pipeline"], summary="Run landing days")
def run_pipeline(work: Annotated[LongWork, of_kind("run-pipeline")], said: asked.RunAsked) -> RunRequest:
    """From delivery to publication, then incidents for what failed. Days that have run before give the same again."""
    _refuse_unless_approvable(work, said, Purpose.ROUTINE, asks_source=True)
    return work.launch(said)


@router.post(
    "/run-backfill", status_code=ACCEPTED, tags=["pipeline"], summary="Run landing days again from what has landed"
)
def run_backfill(work: Annotated[LongWork, of_kind("run-backfill")], said: asked.RunAsked) -> RunRequest:
    """409 with the objections of the backfill guard, where it has any; ask again with `dry_run` to see what would change.

    Whether event dates change that are closed takes a rehearsal: that objection comes as the end of the run.
    """
    _refuse_unless_approvable(work, said, Purpose.BACKFILL, asks_source=False)
    return work.launch(said)


def _refuse_unless_approvable(work: LongWork, said: asked.RunAsked, purpose: Purpose, *, asks_source: bool) -> None:
    if said.approve:
        refuse_unless(work.who, Act.OVERRULE)
    if said.dry_run:
        return
    request = Request(said.first, said.last, purpose, asks_source, utc_now())
    found = objections(work.on.settings, work.on.engine, request, list)
    left = {name: words for name, words in found.items() if not (said.approve and GUARDS[name].approvable)}
    if left:
        raise ApiError(
            HTTPStatus.CONFLICT,
            f"Landing days {said.first} to {said.last} are not run: {'; '.join(left.values())}.",
            objections=left,
            approvable=all(GUARDS[name].approvable for name in left),
            dry_run={
                "method": "POST",
                "href": "/v1/run-backfill" if purpose is Purpose.BACKFILL else "/v1/run-pipeline",
                "body": {"from": said.first.isoformat(), "to": said.last.isoformat(), "dry_run": True},
            },
        )


@router.post("/simulate-failure", status_code=ACCEPTED, tags=["pipeline"], summary="Break something on purpose")
def simulate_failure(work: Annotated[LongWork, of_kind("simulate-failure")], said: asked.FailureAsked) -> RunRequest:
    """Inject a declared failure into a simulated source or a recording, then run its landing days so that it is noticed.

    A real source is refused: what it sent stays as it is.
    """
    if said.failure_type not in work.on.faults:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"There is no failure {said.failure_type!r}: choose one of {', '.join(work.on.faults)}.",
        )
    return work.launch(said)


@router.post(
    "/incidents/{incident_id}/heal",
    status_code=ACCEPTED,
    tags=["incidents"],
    summary="Approve the action of an incident",
)
def heal(work: Annotated[LongWork, of_kind("heal")], incident_id: IncidentId, said: asked.HealAsked) -> RunRequest:
    """Take the action that the policy names, or another one, run its landing days again, and verify."""
    with told_as(404):
        incident = IncidentStore(work.on.engine).get(incident_id)
    if not incident.is_open:
        raise ApiError(HTTPStatus.CONFLICT, f"{incident.id} is {incident.state.value}: nothing is left to heal.")
    return work.launch(said, incident=incident.id)


@router.post("/quarantine/replay", status_code=ACCEPTED, tags=["quarantine"], summary="Replay dead letters")
def replay(work: Annotated[LongWork, of_kind("replay")], said: asked.ReplayAsked) -> RunRequest:
    """Read them again where that can help, ask the source again where not, run their days again, verify."""
    return work.launch(said)


@router.post("/quarantine/discard", status_code=ACCEPTED, tags=["quarantine"], summary="Give up dead letters")
def discard(work: Annotated[LongWork, of_kind("discard")], said: asked.DiscardAsked) -> RunRequest:
    """They stay accounted for and hold nothing any more. There is no way back; it goes into the audit log."""
    return work.launch(said)


@router.post(
    "/publications/roll-back", status_code=ACCEPTED, tags=["publication"], summary="Take consumers back one version"
)
def roll_back(work: Annotated[LongWork, of_kind("roll-back")], said: asked.RollBackAsked) -> RunRequest:
    """The version left stays where it is; it goes into the audit log. 409 if consumers read another version than `leaving`."""
    current = current_version(work.on.settings)
    if current != said.leaving:
        raise ApiError(
            HTTPStatus.CONFLICT, f"Consumers read {current or 'nothing yet'}, not {said.leaving}: look again."
        )
    return work.launch(said)


@router.post(
    "/publications/withdraw-table", status_code=ACCEPTED, tags=["publication"], summary="Take a table from consumers"
)
def withdraw_table(work: Annotated[LongWork, of_kind("withdraw-table")], said: asked.WithdrawAsked) -> RunRequest:
    """The next version, which is published now, is without it. `POST /v1/resume` brings it back from the warehouse."""
    return work.launch(said)
