"""What can be wrong with a project that is to be tested, each with the mend."""

from reliability_platform.errors import EnvironmentUnusableError, UsageError


class ProjectUnusableError(EnvironmentUnusableError):
    """The project does not parse or build, or nothing feeds it."""


class NoChecksError(UsageError):
    """A folder of checks of another tool holds none."""


class NoInputsError(UsageError):
    """A folder of inputs holds none that the project has."""


class NoProjectError(UsageError):
    """There is no dbt project where one was named."""


class ServerStatementError(Exception):
    """A statement that the server of a project refuses, or that fails there. Met by the mutant, not by the user."""


class ServerInterruptedError(ServerStatementError):
    """A statement that was ended since its time was over."""
