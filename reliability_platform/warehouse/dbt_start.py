"""What dbt does in each process before its first node, kept from one process to the next, or left out.

Of a build of one landing day in a fresh process, which took 7.4 s of CPU:
- 0.6 s went into JSON schemas of dbt's own classes, against which it holds `dbt_project.yml` and the profile;
- 0.5 s into functions that turn its classes into JSON and back, made for all of them when they are imported;
- 0.4 s into looking up which module has declared a flag, through the files of all that is imported.

`tests/dbt/test_dbt_start.py` compares with dbt's own ways.
"""

import json
import sys
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.settings import load_settings

DECIDE = ("dbt-core", "dbt-common", "dbt-adapters", "dbt-duckdb", "mashumaro", "jinja2")
"""Their versions decide what a schema is, of what classes a parsed project, and what a translated text."""


def compile_when_used() -> None:
    """Let classes that are imported from now on get their conversions when one is first needed, as most of dbt's do."""
    from mashumaro.config import BaseConfig

    BaseConfig.lazy_compilation = True


@lru_cache(maxsize=1)
def spare_start() -> None:
    """From now on dbt starts so in this process."""
    from dbt_common import behavior_flags
    from dbt_common.dataclass_schema import dbtClassMixin

    make = dbtClassMixin.json_schema.__func__  # type: ignore[attr-defined]

    @cache
    def kept(cls: type[dbtClassMixin]) -> dict[str, Any]:
        return _kept(cls, make)

    dbtClassMixin.json_schema = classmethod(kept)  # type: ignore[method-assign,assignment,arg-type]
    behavior_flags.BehaviorFlagRendered._default_source = staticmethod(_declaring_module)  # type: ignore[method-assign]


@cache
def made_with() -> str:
    """The versions of what decides about the form of what is kept, to be part of its name."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return "-".join([*(version(name) for name in DECIDE), python])


def schemas_folder() -> Path:
    """Where the schemas are kept, one file a class; other versions have other places."""
    return load_settings().cache / "dbt_schemas" / made_with()


def _kept(cls: type, make: Any) -> dict[str, Any]:
    """The schema of a class as an earlier process has made it; else made and kept, if that can be."""
    place = schemas_folder() / f"{cls.__module__}.{cls.__qualname__}.json"
    try:
        found: dict[str, Any] = json.loads(place.read_bytes())
        return found
    except (OSError, ValueError):
        schema: dict[str, Any] = make(cls)
    try:
        text = json.dumps(schema)
        if json.loads(text) == schema:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(place, text.encode())
    except (OSError, TypeError, ValueError):
        pass  # there is no place, or it is no JSON: the next process makes it again
    return schema


def _declaring_module() -> str:
    """The first module on the way here that is not that of flags. By the names of frames: dbt reads the source of each."""
    flags, frame = "dbt_common.behavior_flags", sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if name not in (None, flags, __name__):
            return str(name)
        frame = frame.f_back  # type: ignore[assignment]
    return "Unknown"
