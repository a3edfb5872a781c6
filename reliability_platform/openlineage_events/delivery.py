"""Sends what waits in the spool: in order, at least once, one process at a time, until the endpoint fails.

An event leaves the spool only after its delivery: killed in between, it is sent again, and the receiver knows it by
run id, type and time.
"""

from dataclasses import dataclass

from reliability_platform.errors import HomeBusyError
from reliability_platform.locks import take
from reliability_platform.openlineage_events.endpoint import Answer, Endpoint
from reliability_platform.openlineage_events.spool import EventSpool
from reliability_platform.settings import Settings

BATCH = 100


@dataclass(frozen=True)
class Delivery:
    """What one attempt to empty the spool came to."""

    delivered: int = 0
    set_aside: int = 0
    problem: str | None = None
    """Why it ended with events left; None if the spool is empty."""


def deliver(settings: Settings, spool: EventSpool) -> Delivery:
    """Send all waiting events. Stops at the first that the endpoint does not answer; refused ones are set aside.

    Raises `UsageError` if no endpoint is set.
    """
    endpoint = Endpoint(settings)
    # Whoever holds it sends our events too; so much patience is enough unless its endpoint hangs.
    lock, patience = settings.lineage_events.with_name(".sending.lock"), settings.openlineage_timeout_seconds
    try:
        held = take(lock, "another process is sending", wait_seconds=patience)
    except HomeBusyError as busy:
        return Delivery(problem=str(busy))
    try:
        return _empty(spool, endpoint)
    finally:
        held.release()
        endpoint.close()


def _empty(spool: EventSpool, endpoint: Endpoint) -> Delivery:
    delivered = set_aside = 0
    while batch := spool.next(BATCH):
        for number, event in batch:
            reply = endpoint.post(event)
            if reply.answer is Answer.UNREACHED:
                return Delivery(delivered, set_aside, reply.why)
            if reply.answer is Answer.REFUSED:
                spool.dead_letter(number, reply.why)
                set_aside += 1
            else:
                spool.remove(number)
                delivered += 1
    return Delivery(delivered, set_aside)
