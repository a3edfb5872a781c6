"""Which versions of the models have built the warehouse. Older ones, as of a stale checkout, must not build it again."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from sqlalchemy import Column, Connection, DateTime, Engine, String, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations import metadata

model_versions = Table(
    "model_versions",
    metadata,
    Column("version", String(50), primary_key=True),
    Column("first_built_at", DateTime, nullable=False),
)


@dataclass(frozen=True, order=True)
class Version:
    """A version as numbers, so that 0.10.0 is newer than 0.9.0."""

    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers))


def version_of(project: Path) -> Version:
    """The version that a dbt project declares. Raises `EnvironmentUnusableError` if it is no project or declares none."""
    try:
        declared = str(yaml.safe_load((project / "dbt_project.yml").read_text())["version"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        raise EnvironmentUnusableError(
            f"{project} is no dbt project with a version: set RELIABILITY_DBT_PROJECT to one, or unset it."
        ) from None
    return _parsed(declared)


def _parsed(text: str) -> Version:
    return Version(tuple(int(number) for number in re.findall(r"[0-9]+", text)))


def _known(connection: Connection) -> list[str]:
    return [str(row.version) for row in connection.execute(select(model_versions.c.version))]


class VersionsBuilt:
    """The versions in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def newest(self) -> Version | None:
        """The newest version that has built something; None before the first build."""
        with self._engine.connect() as connection:
            return max(map(_parsed, _known(connection)), default=None)

    def built(self, version: Version, now: datetime) -> None:
        """Say that a version has built; newer ones are forgotten, for whoever went back did so on purpose."""
        # Of two first builds that end at once, the second finds the version there.
        with suppress(IntegrityError), self._engine.begin() as connection:
            known = _known(connection)
            newer = [one for one in known if _parsed(one) > version]
            if newer:
                connection.execute(delete(model_versions).where(model_versions.c.version.in_(newer)))
            if str(version) not in known:
                moment = now.astimezone(UTC).replace(tzinfo=None)
                connection.execute(insert(model_versions).values(version=str(version), first_built_at=moment))
