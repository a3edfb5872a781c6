"""The steps of a tick are kept apart: one that fails is a failed check of the home, and the others are taken.

What fails for one incident stands on its timeline (`incidents/apart.py`); here is what fails before there is one, or for
none alone: a monitor, a cause that could not become an incident, a channel.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.checks.monitor_result import change
from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import UsageError
from reliability_platform.masking import error_text

INCIDENTS_NOTICED, ALERTS_TOLD = "home__incidents_noticed", "home__alerts_told"
"""The checks of the home that say whether all steps of a tick ended well."""
MAX_STEPS = 10
"""So many of the steps that failed are named."""

Step = Callable[[str], AbstractContextManager[None]]
"""Guards one step; its argument says in words what could not be done if it raises."""


class Steps:
    """The steps of one tick, and what those raised that failed. A wrong setting concerns all: that is raised."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        try:
            yield
        except UsageError:
            raise
        except Exception as error:
            self.failed.append(f"{what}: {error_text(error)}")

    @property
    def words(self) -> str | None:
        """What failed; None if nothing did."""
        return "; ".join(self.failed[:MAX_STEPS]) or None


@contextmanager
def steps(engine: Engine, check: str, now: datetime, *, whole: bool = True) -> Iterator[Steps]:
    """Steps of which the check of the home says once that some failed, and once that all end well again: that, only a
    `whole` tick can say.
    """
    taken = Steps()
    yield taken
    if not (whole or taken.failed):
        return
    with suppress(Exception):  # a store that cannot be written keeps nothing from being done
        store = CheckStore(engine)
        last = store.latest(checks=[check])
        one = change(last[-1] if last else None, check, taken.words, now)
        store.record([] if one is None else [one])
