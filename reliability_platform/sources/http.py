"""A source behind HTTP, which `landing.fetch` asks page by page: with retries, a breaker, and where it was stopped before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.source import Source


@dataclass(frozen=True)
class HttpSource:
    """One of them behind the interface of every source: what it is asked goes over its endpoint."""

    name: str

    def deliver(self, day: date) -> Sequence[Batch]:
        """Raises `EnvironmentUnusableError`: a day comes in pages, not as a whole."""
        raise EnvironmentUnusableError(f"{self.name} answers over HTTP: {day} is fetched from its endpoint.")

    def deliver_again(self, day: date, sequence: int, attempt: int) -> Batch:
        """Raises `EnvironmentUnusableError`, as `deliver`."""
        raise EnvironmentUnusableError(
            f"{self.name} answers over HTTP: attempt {attempt} of batch {sequence} of {day} is fetched from its endpoint."
        )


class Http:
    """The kind as `sources.source` asks for it."""

    can_be_asked = True

    def source(self, settings: Settings, name: str) -> Source:
        del settings
        return HttpSource(name)

    def reference_files(self, settings: Settings) -> Mapping[str, bytes]:
        """None: a project keeps its own."""
        del settings
        return {}


HTTP = Http()
