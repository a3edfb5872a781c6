"""A source that delivers by itself: its producer puts batches with their manifests into landing.

It cannot be asked. What is missing or wrong comes when its owner sends the next attempt of the slot, and is taken in then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.source import Source


@dataclass(frozen=True)
class DropSource:
    """One of them behind the interface of every source."""

    name: str

    def deliver(self, day: date) -> Sequence[Batch]:
        """Nothing: what the producer has put into landing is there already."""
        del day
        return ()

    def deliver_again(self, day: date, sequence: int, attempt: int) -> Batch:
        """Raises `EnvironmentUnusableError`: nobody is there to be asked."""
        raise EnvironmentUnusableError(
            f"{self.name} sends by itself and cannot be asked: ask its owner for batch {sequence} of {day} as attempt {attempt}."
        )


class Drop:
    """The kind as `sources.source` asks for it."""

    can_be_asked = False

    def source(self, settings: Settings, name: str) -> Source:
        del settings
        return DropSource(name)

    def reference_files(self, settings: Settings) -> Mapping[str, bytes]:
        """None: whoever has reference data puts them into the home."""
        del settings
        return {}


DROP = Drop()
