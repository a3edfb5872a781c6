"""The SodaCL files of the project, and which checks they hold."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from reliability_platform.errors import UsageError
from reliability_platform.settings import SODA_CHECKS
from reliability_platform.strict_yaml import StrictYaml


def check_files() -> list[Path]:
    """The SodaCL files, one per dataset."""
    return sorted(path for path in SODA_CHECKS.glob("*.yml") if path.name != "configuration.yml")


class SodaFileError(UsageError):
    """A file of checks cannot be read."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"{said} Correct it there; one that follows from a contract is written anew by `reliability generate --overwrite`."
        )


@cache
def names_in_files() -> frozenset[str]:
    """The names of all checks in the files, as they were when this process first asked. Raises `SodaFileError`."""
    return frozenset(name for path in check_files() for name in names_in_file(path))


def names_in_file(path: Path) -> Iterator[str]:
    """The names of the checks of one file. Raises `SodaFileError`, with the line."""
    file = StrictYaml.of_file(path, error=SodaFileError)
    if not isinstance(file.content, dict):
        raise file.problem((), "sections `checks for …:` are expected here.")
    for section, checks in file.content.items():
        if not str(section).startswith("checks for"):
            continue
        if not isinstance(checks, list):
            raise file.problem((section,), "a list of checks is expected here.")
        for number, check in enumerate(checks):
            for body in check.values() if isinstance(check, dict) else (None,):
                if not isinstance(body, dict) or not isinstance(body.get("name"), str):
                    raise file.problem((section, number), "a check with a `name` is expected here.")
                yield body["name"]
