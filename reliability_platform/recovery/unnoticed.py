"""What is wrong with a home though no incident says so: who says that nothing is wrong asks here first."""

from dataclasses import dataclass
from typing import Any

from reliability_platform.damage import Damage
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.stores import SNAPSHOTS, examine_home
from reliability_platform.recovery.unjudged import unjudged_words
from reliability_platform.settings import Settings
from reliability_platform.warehouse.published_integrity import OPERATIONS


@dataclass(frozen=True)
class Unnoticed:
    """Files that are not what was written, and landing days that are held for want of a result."""

    damaged: list[Damage]
    unjudged: str | None

    def __bool__(self) -> bool:
        return bool(self.damaged or self.unjudged)

    @property
    def lines(self) -> list[str]:
        """Each with what to do about it."""
        return [*map(str, self.damaged), *([self.unjudged] if self.unjudged else [])]

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"damaged": [one.document() for one in self.damaged], "unjudged": self.unjudged}


def unnoticed(settings: Settings) -> Unnoticed:
    """Compare every file but those of the snapshots, which may be far away, and ask for the results of every landed day."""
    damaged = examine_home(settings, without=(SNAPSHOTS,))
    knows = all(one.store != OPERATIONS for one in damaged)
    return Unnoticed(damaged, unjudged_words(settings, operations_engine(settings)) if knows else None)
