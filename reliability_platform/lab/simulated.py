"""The kind of source that the lab offers: the simulation, with the home's fault plan as a source in front of it."""

from collections.abc import Mapping

from reliability_platform.lab.faults.injected import InjectedSource
from reliability_platform.lab.faults.plan import ActivePlan
from reliability_platform.lab.simulation import reference
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import SimulatedSource
from reliability_platform.settings import Settings
from reliability_platform.sources.source import Source


class Simulated:
    """The kind as `sources.source` asks for it."""

    def source(self, settings: Settings, name: str) -> Source:
        behind = SimulatedSource(Simulation.load(settings), name)
        return InjectedSource(behind, ActivePlan.load(settings), settings)

    def reference_files(self, settings: Settings) -> Mapping[str, bytes]:
        return reference.reference_files(Simulation.load(settings))


SIMULATED = Simulated()
