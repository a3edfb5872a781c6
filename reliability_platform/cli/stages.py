"""What a run is doing, for whoever waits: its stages as they begin, with the seconds since it began."""

import time
from collections.abc import Callable

from reliability_platform.pipeline.stage_log import RunStage

STAGES = tuple(RunStage)
_STAGE_OF = {
    "reference": RunStage.LAND,
    "landing": RunStage.LAND,
    "bronze": RunStage.ADMIT,
    "dbt": RunStage.BUILD,
    "audit": RunStage.AUDIT,
    "published": RunStage.PUBLISH,
}
"""Beginning of the name of a step → its stage."""


class StageProgress:
    """Tells each stage of a run once. Steps of several sources mingle: what a later stage has begun is told no more."""

    def __init__(self, tell: Callable[[str], None], seconds: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._seconds = tell, seconds
        self._began, self._told = seconds(), -1

    def on_run(self, job: str) -> None:
        """A run begins."""
        self._began, self._told = self._seconds(), -1
        self._tell(f"run: {job}")

    def on_step(self, step: str) -> None:
        """A step of it begins; one of no stage says nothing."""
        stage = _STAGE_OF.get(step.partition("__")[0])
        place = -1 if stage is None else STAGES.index(stage)
        if place > self._told:
            self._told = place
            self._tell(f"  {place + 1}/{len(STAGES)} {STAGES[place]} ({self._seconds() - self._began:.0f} s)")
