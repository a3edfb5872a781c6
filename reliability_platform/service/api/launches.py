"""Long work: a request is kept and answered at once with 202 and where to poll; a process of its own carries it out."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response
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
    allowed,
    each_field_once,
    each_parameter_once,
    refuse_unless,
)
from reliability_platform.service.api.problems import ApiError, problems, told_as
from reliability_platform.service.api.reads import IncidentId
from reliability_platform.service.launching.kinds import KINDS
from reliability_platform.service.launching.requests import RunRequest
from reliability_platform.service.launching.worker import launch
from reliability_platform.warehouse.published import current_version

router = APIRouter(
    responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503),
    dependencies=[Depends(each_parameter_once), Depends(each_field_once)],
)
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


def by(kind: str) -> Any:
    """A dependency: the caller, if he may ask for this kind of long work."""
    return Depends(allowed(KINDS[kind].act))


def _ask(on: Ground, kind: str, body: dict[str, Any], who: Caller, key: str | None, answer: Response) -> RunRequest:
    with told_as(409):
        request = launch(on.settings, on.engine, kind, body, who.name, key, utc_now())
    answer.headers["Location"] = f"/v1/requested-runs/{request.id}"
    return request


def _body(said: BaseModel, **more: Any) -> dict[str, Any]:
    return said.model_dump(mode="json", exclude_none=True) | more


@router.post("/run-pipeline", status_code=ACCEPTED, tags=["pipeline"], summary="Run landing days")
def run_pipeline(
    on: OnGround,
    who: Annotated[Caller, by("run-pipeline")],
    said: asked.RunAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> RunRequest:
    """From delivery to publication, then incidents for what failed. Days that have run before give the same again."""
    _refuse_unless_approvable(on, who, said, Purpose.ROUTINE, asks_source=True)
    return _ask(on, "run-pipeline", _body(said), who, key, answer)


@router.post(
    "/run-backfill", status_code=ACCEPTED, tags=["pipeline"], summary="Run landing days again from what has landed"
)
def run_backfill(
    on: OnGround,
    who: Annotated[Caller, by("run-backfill")],
    said: asked.RunAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> RunRequest:
    """409 with the objections of the backfill guard, where it has any; ask again with `dry_run` to see what would change.

    Whether event dates change that are closed takes a rehearsal: that objection comes as the end of the run.
    """
    _refuse_unless_approvable(on, who, said, Purpose.BACKFILL, asks_source=False)
    return _ask(on, "run-backfill", _body(said), who, key, answer)


def _refuse_unless_approvable(
    on: Ground, who: Caller, said: asked.RunAsked, purpose: Purpose, *, asks_source: bool
) -> None:
    if said.approve:
        refuse_unless(who, Act.OVERRULE)
    if said.dry_run:
        return
    request = Request(said.first, said.last, purpose, asks_source, utc_now())
    found = objections(on.settings, on.engine, request, list)
    left = {name: words for name, words in found.items() if not (said.approve and GUARDS[name].approvable)}
    if left:
        raise ApiError(
            HTTPStatus.CONFLICT,
            f"Landing days {said.first} to {said.last} are not run again: {'; '.join(left.values())}.",
            objections=left,
            approvable=all(GUARDS[name].approvable for name in left),
            dry_run={
                "method": "POST",
                "href": "/v1/run-backfill" if purpose is Purpose.BACKFILL else "/v1/run-pipeline",
                "body": {"from": said.first.isoformat(), "to": said.last.isoformat(), "dry_run": True},
            },
        )


@router.post("/simulate-failure", status_code=ACCEPTED, tags=["pipeline"], summary="Break something on purpose")
def simulate_failure(
    on: OnGround,
    who: Annotated[Caller, by("simulate-failure")],
    said: asked.FailureAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> RunRequest:
    """Inject a declared failure into a simulated source or a recording, then run its landing days so that it is noticed.

    A real source is refused: what it sent stays as it is.
    """
    if said.failure_type not in on.faults:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"There is no failure {said.failure_type!r}: choose one of {', '.join(on.faults)}.",
        )
    return _ask(on, "simulate-failure", _body(said), who, key, answer)


@router.post(
    "/incidents/{incident_id}/heal",
    status_code=ACCEPTED,
    tags=["incidents"],
    summary="Approve the action of an incident",
)
def heal(
    on: OnGround,
    who: Annotated[Caller, by("heal")],
    incident_id: IncidentId,
    said: asked.HealAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> RunRequest:
    """Take the action that the policy names, or another one, run its landing days again, and verify."""
    with told_as(404):
        incident = IncidentStore(on.engine).get(incident_id)
    if not incident.is_open:
        raise ApiError(HTTPStatus.CONFLICT, f"{incident.id} is {incident.state.value}: nothing is left to heal.")
    return _ask(on, "heal", _body(said, incident=incident.id), who, key, answer)


@router.post("/quarantine/replay", status_code=ACCEPTED, tags=["quarantine"], summary="Replay dead letters")
def replay(
    on: OnGround,
    who: Annotated[Caller, by("replay")],
    said: asked.ReplayAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> RunRequest:
    """Read them again where that can help, ask the source again where not, run their days again, verify."""
    return _ask(on, "replay", _body(said), who, key, answer)


@router.post("/quarantine/discard", status_code=ACCEPTED, tags=["quarantine"], summary="Give up dead letters")
def discard(
    on: OnGround,
    who: Annotated[Caller, by("discard")],
    said: asked.DiscardAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> RunRequest:
    """They stay accounted for and hold nothing any more. There is no way back; it goes into the audit log."""
    return _ask(on, "discard", _body(said), who, key, answer)


@router.post(
    "/publications/roll-back", status_code=ACCEPTED, tags=["publication"], summary="Take consumers back one version"
)
def roll_back(
    on: OnGround,
    who: Annotated[Caller, by("roll-back")],
    said: asked.RollBackAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> RunRequest:
    """The version left stays where it is; it goes into the audit log. 409 if consumers read another version than `leaving`."""
    current = current_version(on.settings)
    if current != said.leaving:
        raise ApiError(
            HTTPStatus.CONFLICT, f"Consumers read {current or 'nothing yet'}, not {said.leaving}: look again."
        )
    return _ask(on, "roll-back", _body(said), who, key, answer)


@router.post(
    "/publications/withdraw-table", status_code=ACCEPTED, tags=["publication"], summary="Take a table from consumers"
)
def withdraw_table(
    on: OnGround,
    who: Annotated[Caller, by("withdraw-table")],
    said: asked.WithdrawAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> RunRequest:
    """The next version, which is published now, is without it. `POST /v1/resume` brings it back from the warehouse."""
    return _ask(on, "withdraw-table", _body(said), who, key, answer)
