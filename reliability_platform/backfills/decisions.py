"""One decision for each run, made by whichever of its steps comes first; the others obey it.

Later steps must not judge anew: what the run has landed itself is no longer what it began with.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.backfills.approvals import Approvals, reason
from reliability_platform.backfills.guard import GUARDS, Purpose, Rehearse, Request, objections
from reliability_platform.errors import UsageError
from reliability_platform.operations.tables import backfill_decisions
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

APPROVAL_TAG = "reliability/approve_backfill"
"""A run with this tag is let through; its value is the reason."""
KEPT_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Consent:
    """A person's approval that comes with the run itself."""

    actor: str
    why: str


def _in_words(request: Request, found: dict[str, str]) -> str:
    return f"Landing days {request.first} to {request.last} are not run: {'; '.join(found.values())}."


def _with_advice(message: str, request: Request, approvable: bool) -> str:
    command = "run" if request.purpose is Purpose.ROUTINE else "backfill"
    again = f"`reliability {command} --from {request.first} --to {request.last}"
    if not approvable:
        return message
    return (
        f"{message} To see what would change of what has landed: {again} --dry-run`. To run them all the same: "
        f"{again} --approve --why REASON`, or the reason in the run's tag {APPROVAL_TAG}."
    )


def _raise_refusal(row: Row[tuple[object, ...]], request: Request) -> None:
    if row.message is not None:
        raise GUARDS[row.guard].error(_with_advice(row.message, request, GUARDS[row.guard].approvable))


def admit_run(
    settings: Settings,
    engine: Engine,
    request: Request,
    run: str,
    rehearse: Rehearse | None = None,
    consent: Consent | None = None,
) -> None:
    """Let the run begin, or raise the error of the first guard that objects, before anything is written.

    `run` names the run: the decision stands for all who ask under this name. A refusal is in the journal of builds,
    whence it becomes an incident; an approval is kept, and noted on the incidents concerned.
    """
    query = select(backfill_decisions).where(
        backfill_decisions.c.run == run,
        backfill_decisions.c.first_day == request.first,
        backfill_decisions.c.last_day == request.last,
    )
    with engine.connect() as connection:
        known = connection.execute(query).first()
    if known is not None:
        return _raise_refusal(known, request)
    approvals = Approvals(engine)
    found = objections(settings, engine, request, rehearse)
    overruled = approvals.overruled(request.first, request.last, request.now) if found else set()
    left = {name: objection for name, objection in found.items() if name not in overruled}
    approvable = all(GUARDS[name].approvable for name in left)
    if consent is not None:
        reason(consent.why)  # an empty one lets nothing through
    message = None if not left or (consent is not None and approvable) else _in_words(request, left)
    try:
        with engine.begin() as connection:
            connection.execute(delete(backfill_decisions).where(backfill_decisions.c.at < request.now - KEPT_FOR))
            connection.execute(
                insert(backfill_decisions).values(
                    run=run,
                    first_day=request.first,
                    last_day=request.last,
                    guard=next(iter(left), None) if message is not None else None,
                    message=message,
                    at=request.now,
                )
            )
    except IntegrityError:  # another step of the run was quicker, or the name has been decided about for other days
        with engine.connect() as connection:
            known = connection.execute(query).first()
        if known is None:
            raise UsageError(f"The run {run!r} was let in for other days: give this one a name of its own.") from None
        return _raise_refusal(known, request)
    if message is not None:
        BuildJournal(engine, settings.builds).refused(request.first, request.last, request.now, message)
        raise GUARDS[next(iter(left))].error(_with_advice(message, request, approvable))
    if left and consent is not None:
        approvals.approve(request.first, request.last, left, consent.actor, consent.why, request.now)
    return None
