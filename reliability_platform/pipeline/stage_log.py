"""How long each stage of a run took, in the operations store: of those that ended well, for metrics alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from sqlalchemy import Engine, insert

from reliability_platform.clock import Clock
from reliability_platform.errors import PlatformError
from reliability_platform.log_lines import log_event
from reliability_platform.operations.tables import stage_durations


class RunStage(StrEnum):
    """The stages in their order."""

    LAND = "land"
    ADMIT = "admit"
    BUILD = "build"
    AUDIT = "audit"
    PUBLISH = "publish"


@contextmanager
def timed(engine: Engine, clock: Clock, stage: RunStage, source: str | None = None) -> Iterator[None]:
    """Write down how long the block took, if it ends well. What cannot be written down costs the stage nothing."""
    began = time.perf_counter()
    yield
    row = {"stage": stage.value, "source": source, "seconds": round(time.perf_counter() - began, 3)}
    with suppress(PlatformError), engine.begin() as connection:
        connection.execute(insert(stage_durations).values(**row, ended_at=clock()))
    log_event("stage ended", **row)
