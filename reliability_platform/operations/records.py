"""From a row to the dataclass that it is one of, field by field under the same name."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Row

T = TypeVar("T")


def record(kind: type[T], row: Row[Any], **convert: Callable[[Any], Any]) -> T:
    """The row as `kind`; `convert` says what makes a field of its column where they are not the same."""
    values = {field.name: getattr(row, field.name) for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**values | {name: how(values[name]) for name, how in convert.items()})
