"""What assets, checks, sensors and schedules work on: Dagster gives it to those that ask for it by name."""

import dagster as dg
from sqlalchemy import Engine

from reliability_platform.operations import operations_engine
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.settings import Settings, load_settings


class Home(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The home that the environment of this process names, read when it is asked for: a daemon lives for weeks."""

    @property
    def settings(self) -> Settings:
        """Raises `UsageError` where a setting is wrong."""
        return load_settings()

    @property
    def engine(self) -> Engine:
        """The operations store."""
        return operations_engine(self.settings)

    def run(self, run: dg.DagsterRun) -> RunContext:
        """The context in which the steps of the pipeline do a run's work."""
        return RunContext.of(self.settings, run.run_id)


RESOURCES = {"home": Home()}
