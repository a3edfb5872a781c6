"""The SodaCL files of the project, and which checks they hold."""

from functools import cache
from pathlib import Path

from reliability_platform.settings import SODA_CHECKS
from reliability_platform.strict_yaml import read_yaml


def check_files() -> list[Path]:
    """The SodaCL files, one per dataset."""
    return sorted(path for path in SODA_CHECKS.glob("*.yml") if path.name != "configuration.yml")


@cache
def names_in_files() -> frozenset[str]:
    """The names of all checks in the files, as they were when this process first asked."""
    documents = [read_yaml(path.read_text()) for path in check_files()]
    lists = [checks for one in documents for section, checks in one.items() if section.startswith("checks for")]
    return frozenset(body["name"] for checks in lists for check in checks for body in check.values())
