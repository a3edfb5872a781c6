"""What dbt does in each process before its first node, kept from one process to the next, or left out.

Of a build of one landing day in a fresh process, which took 7.4 s of CPU:
- 0.6 s went into JSON schemas of dbt's own classes, against which it holds `dbt_project.yml` and the profile;
- 0.5 s into functions that turn its classes into JSON and back, made for all of them when they are imported, and half as
  much again where mashumaro makes stubs of these;
- 0.4 s into looking up which module has declared a flag, through the files of all that is imported.

`tests/dbt/test_dbt_start.py` compares with dbt's own ways.
"""

import json
import sys
from collections.abc import Callable
from functools import cache, lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.settings import load_settings

DECIDE = ("dbt-core", "dbt-common", "dbt-adapters", "dbt-duckdb", "mashumaro", "jinja2")
"""Their versions decide what a schema is, of what classes a parsed project, and what a translated text."""


class _MadeWhenUsed:
    """Stands for a conversion of a class until it is asked for."""

    def __init__(self, cls: type, name: str, make: Callable[[], None]) -> None:
        self._cls, self._name, self._make = cls, name, make

    def __get__(self, instance: object, owner: type) -> Any:
        if vars(self._cls)[self._name] is self:  # no other thread has made it meanwhile
            self._make()
        return vars(self._cls)[self._name].__get__(instance, owner)


@lru_cache(maxsize=1)
def compile_when_used() -> None:
    """Let classes that are imported from now on get their conversions when one is first needed.

    mashumaro's own `lazy_compilation`, which dbt sets for most of them, still writes and compiles a stub for each.
    """
    from mashumaro.config import BaseConfig
    from mashumaro.core.meta.code.builder import CodeBuilder
    from mashumaro.core.meta.mixin import compile_mixin_packer, compile_mixin_unpacker
    from mashumaro.mixins import dict as mixin

    def later(make: Callable[..., None], name_of: Callable[..., Any], coder: str) -> Callable[..., None]:
        def declare(cls: type, **how: Any) -> None:
            name = name_of(format_name=how.get("format_name", "dict"), **{coder: how.get(coder)})
            for one in (name, name.public):
                setattr(cls, one, _MadeWhenUsed(cls, one, partial(make, cls, **how)))

        return declare

    BaseConfig.lazy_compilation = True
    mixin.compile_mixin_packer = later(compile_mixin_packer, CodeBuilder.get_pack_method_name, "encoder")  # type: ignore[attr-defined]
    mixin.compile_mixin_unpacker = later(compile_mixin_unpacker, CodeBuilder.get_unpack_method_name, "decoder")  # type: ignore[attr-defined]


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
