"""A source that is a topic: `landing.stream` reads it from where the manifests in landing end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import EnvironmentUnusableError, SourceUnavailableError
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.kafka import opened
from reliability_platform.sources.source import Source


@dataclass(frozen=True)
class StreamSource:
    """One of them behind the interface of every source."""

    name: str

    def deliver(self, day: date) -> Sequence[Batch]:
        """Raises `EnvironmentUnusableError`: what a day holds is known once its topic has been read beyond it."""
        raise EnvironmentUnusableError(f"{self.name} is a stream: {day} is read from its topic.")

    def deliver_again(self, day: date, sequence: int, attempt: int) -> Batch:
        """Raises `EnvironmentUnusableError`, as `deliver`."""
        raise EnvironmentUnusableError(
            f"{self.name} is a stream: attempt {attempt} of batch {sequence} of {day} is read from its topic."
        )

    def troubles(self) -> list[str]:
        """Why its topic cannot be asked, in one line; none if it can."""
        contract = CONTRACTS[self.name]
        try:
            with opened(contract.servers[0], contract) as topic:
                topic.offsets()
        except (SourceUnavailableError, EnvironmentUnusableError) as error:
            return [str(error)]
        return []


class Stream:
    """The kind as `sources.source` asks for it."""

    can_be_asked = True

    def source(self, settings: Settings, name: str) -> Source:
        del settings
        return StreamSource(name)

    def reference_files(self, settings: Settings) -> Mapping[str, bytes]:
        """None: a project keeps its own."""
        del settings
        return {}


STREAM = Stream()
