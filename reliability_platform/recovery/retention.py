"""Which snapshots may be forgotten now: none while an incident of loss or damage is open, for one of them may be its cure."""

from collections.abc import Sequence
from contextlib import ExitStack

from sqlalchemy import Engine

from reliability_platform.audit_log import Destroys
from reliability_platform.clock import Clock
from reliability_platform.incidents.anchor import recorded
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.retention import Pruned, prune

BY_THE_RULE = "the rule of retention does not keep it"


def open_losses(engine: Engine) -> list[str]:
    """The open incidents for which a snapshot may be needed."""
    return [one.id for one in IncidentStore(engine).open() if CLASSES[one.failure_class].keeps_snapshots]


def forget_snapshots(settings: Settings, who: str, clock: Clock, why: str = BY_THE_RULE) -> Pruned:
    """Forget what the rule does not keep, unless an incident of loss or damage is open. What goes is recorded first."""
    engine = operations_engine(settings)
    with ExitStack() as stack:

        def before(snapshots: Sequence[str]) -> None:
            stack.enter_context(recorded(settings, engine, Destroys.PRUNE, ", ".join(snapshots), who, why, clock))

        return prune(settings, open_losses(engine), before)
