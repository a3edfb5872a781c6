"""Which models have built the warehouse, in their order. Older ones, as of a stale checkout, must not build it again.

Models are known by the release that their dbt project declares and a digest of what they are written in, contracts too,
so that a change is one without anybody raising a number. Older are

- models of an older release than the newest that has built this home, whether this home has seen them or not, and
- models that have built this home and were replaced by others: a checkout that was not updated or was rolled back, the
  other one of two checkouts on one home, an edit that was undone.

Comments, white space and the order of keys in YAML are no change. A release never seen before, or a digest never seen
before of the same release, is newer. Going back on purpose (`allow_older_models`) makes the older one the newest.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import yaml
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations.tables import models_built
from reliability_platform.strict_yaml import read_yaml
from reliability_platform.warehouse.own_project import own_project

WRITTEN = ("models", "macros", "seeds", "snapshots")
"""The folders of a dbt project that decide what is built. Tests only judge it."""
_COMMENT = re.compile(
    r"""(?P<kept> ' (?:[^']|'')* ' | " (?:[^"]|"")* ")
      | \{\# .*? \#\} | /\* (?:(?!\{[{%]).)*? \*/ | -- (?:(?!\{[{%])[^\n])* $ | \s+""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
"""Strings, which stay, and what says nothing. A comment of SQL with Jinja in it is none for dbt."""


@dataclass(frozen=True)
class Models:
    """The models of a dbt project."""

    release: tuple[int, ...]
    """The version that the project declares, as numbers, so that 0.10.0 is newer than 0.9.0."""
    digest: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.release))}+{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "Models":
        """What `str` gave."""
        release, _, digest = text.partition("+")
        return cls(_numbers(release), digest)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", text))


@lru_cache(maxsize=1024)
def _content(suffix: str, text: str) -> str:
    """A file's text without what changes nothing; as it is where it cannot be understood. Remembered: 70 files took 0.2 s of
    each build, of which a process makes many.
    """
    if suffix in (".yml", ".yaml"):
        with suppress(yaml.YAMLError, TypeError):  # a key that is no text cannot be put in order with others
            return json.dumps(read_yaml(text), sort_keys=True, default=str)
    if suffix == ".sql":
        return _COMMENT.sub(lambda found: found["kept"] or " ", text).strip()
    return text


def _written(project: Path) -> Iterator[tuple[str, Path]]:
    yield "dbt_project.yml", project / "dbt_project.yml"
    for folder in WRITTEN:
        for path in sorted((project / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(project).as_posix(), path
    own = own_project()
    if own is not None:
        yield from ((f"own/{name}", path) for name, path in own.building_files())


def models_of(project: Path) -> Models:
    """The models of a dbt project as its files are now. Raises `EnvironmentUnusableError` if it is none or declares no
    version.
    """
    try:
        declared = str(read_yaml((project / "dbt_project.yml").read_text())["version"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        raise EnvironmentUnusableError(
            f"{project} is no dbt project with a version: set RELIABILITY_DBT_PROJECT to one, or unset it."
        ) from None
    # Where a source is reached and who is told change no row.
    contracts = [
        replace(one, servers=(), table="", query=None, owner="", critical=False) for _, one in sorted(CONTRACTS.items())
    ]
    digest = hashlib.sha256(repr(contracts).encode())
    for name, path in _written(project):
        text = path.read_text(errors="surrogateescape")
        content = _content(path.suffix, text).encode(errors="surrogateescape")
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return Models(_numbers(declared), digest.hexdigest()[:12])


class ModelsBuilt:
    """The models that have built this home, in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _known(self) -> list[tuple[int, Models]]:
        order = select(models_built.c.number, models_built.c.version).order_by(models_built.c.number)
        with self._engine.connect() as connection:
            return [(int(row.number), Models.parse(row.version)) for row in connection.execute(order)]

    def newest(self) -> Models | None:
        """The newest models that have built something; None before the first build."""
        known = self._known()
        return known[-1][1] if known else None

    def older(self, models: Models) -> str | None:
        """Why these models are older than those that built the warehouse, and what to do; None if they are not."""
        known = self._known()
        if not known or models == known[-1][1]:
            return None
        newest = known[-1][1]
        if models in [one for _, one in known]:
            why = f"models {models} have built this home before, and were replaced by {newest}"
        elif models.release < max(one.release for _, one in known):
            why = f"models {models} are of an older release than {newest}, which built the warehouse"
        else:
            return None
        return f"{why}: deploy those, or set RELIABILITY_ALLOW_OLDER_MODELS=true to go back on purpose."

    def built(self, models: Models, now: datetime) -> None:
        """Say that these models have built; newer ones are forgotten, for whoever went back did so on purpose."""
        number_of = {models: number for number, models in self._known()}
        # Of two first builds that end at once, the second finds the models there.
        with suppress(IntegrityError), self._engine.begin() as connection:
            if models in number_of:
                connection.execute(delete(models_built).where(models_built.c.number > number_of[models]))
                return
            newer = [number for one, number in number_of.items() if one.release > models.release]
            if newer:
                connection.execute(delete(models_built).where(models_built.c.number.in_(newer)))
            connection.execute(insert(models_built).values(version=str(models), first_built_at=now))
