"""What a run is doing, for whoever waits: its stages as they begin, with the seconds since it began."""

import time
from collections.abc import Callable

STAGES = ("land", "admit", "build", "audit", "publish")
"""As `reliability metrics` calls them, in their order."""
_STAGE_OF = {"reference": 0, "landing": 0, "bronze": 1, "dbt": 2, "audit": 3, "published": 4}
"""Beginning of the name of a step → the place of its stage."""


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
        place = _STAGE_OF.get(step.partition("__")[0], -1)
        if place > self._told:
            self._told = place
            self._tell(f"  {place + 1}/{len(STAGES)} {STAGES[place]} ({self._seconds() - self._began:.0f} s)")
