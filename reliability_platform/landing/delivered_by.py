"""By what a source is delivered, for people: asked of the settings alone, so that a list need not load what asks a source."""

from reliability_platform.settings import Settings
from reliability_platform.sources.endpoint import endpoints_of
from reliability_platform.sources.source import kind_of


def comes_by(settings: Settings, source: str) -> str:
    """How a source is delivered, for people."""
    if endpoints_of(settings, source):
        return "HTTP"
    kind = kind_of(settings, source)
    return "simulation" if kind == "simulated" else kind
