"""The kind of source that the lab offers: the simulation, with the home's fault plan as a source in front of it.

Whoever asks whether its sources can be asked again imports neither simulation nor faults: 0.3 s.
"""

from collections.abc import Mapping

from reliability_platform.settings import Settings
from reliability_platform.sources.source import Source


class Simulated:
    """The kind as `sources.source` asks for it."""

    can_be_asked = True

    def source(self, settings: Settings, name: str) -> Source:
        from reliability_platform.lab.faults.injected import InjectedSource
        from reliability_platform.lab.faults.plan import ActivePlan
        from reliability_platform.lab.simulation.simulation import Simulation
        from reliability_platform.lab.simulation.system import SimulatedSource

        behind = SimulatedSource(Simulation.load(settings), name)
        return InjectedSource(behind, ActivePlan.load(settings), settings)

    def reference_files(self, settings: Settings) -> Mapping[str, bytes]:
        from reliability_platform.lab.simulation import reference
        from reliability_platform.lab.simulation.simulation import Simulation

        return reference.reference_files(Simulation.load(settings))


SIMULATED = Simulated()
