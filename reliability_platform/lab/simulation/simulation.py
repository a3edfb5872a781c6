"""The parameters of the simulated world, kept with the home so that every command asks the same source."""

import json
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import Settings

MAX_EVENTS_PER_DAY = 50_000_000
"""Keys leave room for 100 million rows of a source a day; seasons go above the mean."""


@dataclass(frozen=True)
class Simulation:
    """A seed and a size. `events_per_day` is the mean over all four sources together."""

    seed: int = 7
    events_per_day: int = 8400

    @classmethod
    def load(cls, settings: Settings) -> "Simulation":
        """The home's simulation; the default one if none was saved."""
        if not settings.simulation_file.exists():
            return cls()
        try:
            simulation = cls(**json.loads(settings.simulation_file.read_text()))
            if type(simulation.seed) is not int or type(simulation.events_per_day) is not int:
                raise TypeError
            if not 1 <= simulation.events_per_day <= MAX_EVENTS_PER_DAY:
                raise ValueError
            return simulation
        except (ValueError, TypeError):
            raise EnvironmentUnusableError(
                f"{settings.simulation_file} is not a simulation: delete it to use the default seed and size."
            ) from None

    def save(self, settings: Settings) -> None:
        """Write it to the home in one step."""
        write_atomically(settings.simulation_file, (json.dumps(asdict(self)) + "\n").encode())

    def generator(self, stream: str, day: date | None = None) -> np.random.Generator:
        """A random generator of its own for each named stream and day, the same on every machine."""
        key = int.from_bytes(stream.encode(), "big") % (2**61 - 1)
        ordinal = day.toordinal() if day is not None else 0
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed % 2**63, key, ordinal])))
