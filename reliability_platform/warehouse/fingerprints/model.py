"""The fingerprint of a build: one entry for each thing that it was made with."""

import hashlib
import json
from dataclasses import astuple, dataclass
from enum import StrEnum
from functools import cached_property


class InputKind(StrEnum):
    """What a build is made with, the most suspicious first where something fails."""

    MODEL = "model"
    CONTRACT = "contract"
    MACRO = "macro"
    SEED = "seed"
    PROJECT_FILE = "project file"
    """`dbt_project.yml` and its like: they say something of every model."""
    DBT_PACKAGE = "dbt package"
    CHECK = "check"
    """What judges: SodaCL, dbt's tests."""
    REFERENCE = "reference table"
    SETTING = "setting"
    PLATFORM_CODE = "platform code"
    VERSION = "version"


class Part(StrEnum):
    """Where an input lies; paths in it count from there, so that a copy of a project that is deployed has the same ones."""

    DBT_PROJECT = "dbt_project"
    OWN_PROJECT = "own_dbt_project"
    CONTRACTS = "contracts"
    SODA_CHECKS = "soda_checks"
    REFERENCE = "reference"
    SETTINGS = "settings"
    ENVIRONMENT = "environment"
    """Variables that an own dbt project asks for."""
    INSTALLATION = "installation"


@dataclass(frozen=True, order=True)
class BuildInput:
    """One thing that a build was made with."""

    part: str
    name: str
    """A path below its part, else the name of a setting, a table or a distribution."""
    kind: str
    digest: str
    """Of its content, in hexadecimal."""
    value: str = ""
    """Its value where that is a number, a day, a switch or a version; empty for all else, which may be a secret."""

    @property
    def key(self) -> tuple[str, str]:
        """What it is, whatever its content."""
        return self.part, self.name


@dataclass(frozen=True)
class BuildFingerprint:
    """Everything that a build was made with."""

    inputs: tuple[BuildInput, ...]

    @cached_property
    def content(self) -> str:
        """As the operations store has it: the same inputs give the same text."""
        return json.dumps([astuple(one) for one in sorted(self.inputs)], separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @classmethod
    def read(cls, content: str) -> "BuildFingerprint":
        """What `content` gave."""
        return cls(tuple(BuildInput(*one) for one in json.loads(content)))
