"""The metrics as text: OpenMetrics for whoever asks for it, else the older format of Prometheus, by its own library."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from reliability_platform.errors import PlatformError
from reliability_platform.service.metrics.declared import METRICS, PREFIX, DeclaredMetric, MetricSample
from reliability_platform.service.metrics.reading import MetricReading
from reliability_platform.settings import Settings

TEXT = ("text/plain", "application/openmetrics-text")
"""The media types of the two formats."""
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
UNANSWERED = f"{PREFIX}unanswered"
"""The one metric about the metrics: 1 for each that could not be read."""


class _Answers(Collector):
    """All metrics of one reading. One that cannot be read costs only itself, and is said."""

    def __init__(self, reading: MetricReading) -> None:
        self._reading = reading

    def collect(self) -> Iterable[Metric]:
        unanswered = Metric(UNANSWERED, "Whether a metric could not be read, 1 or 0.", "gauge")
        for declared in METRICS.values():
            try:
                samples = list(declared.read(self._reading))
            except (PlatformError, SQLAlchemyError, OSError, ValueError):
                unanswered.add_sample(UNANSWERED, {"metric": declared.name}, 1)
            else:
                yield _family(declared, samples)
        yield unanswered


def _family(declared: DeclaredMetric, samples: list[MetricSample]) -> Metric:
    family = Metric(declared.name, declared.help, declared.type.value, declared.unit)
    for sample in samples:
        labels = dict(zip(declared.labels, sample.labels, strict=True))
        family.add_sample(declared.series, labels, float(sample.value))
    return family


def _registry(settings: Settings, engine: Engine, now: datetime) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Answers(MetricReading(settings, engine, now)))
    return registry


def exposition(settings: Settings, engine: Engine, now: datetime, accept: str) -> tuple[bytes, str]:
    """The text in the format that the `Accept` header asks for, and its media type."""
    encode, media_type = choose_encoder(accept)
    return encode(_registry(settings, engine, now)), media_type
