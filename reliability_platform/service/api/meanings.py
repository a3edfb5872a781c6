"""What each field of an answer means, from the docstrings under the fields, for the schema of the API."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from reliability_platform.service.queries.answer import QueryAnswer


def add_meanings(schemas: dict[str, Any]) -> None:
    """Give every field of every answer, and of the records in them, its description."""
    for one in _described(QueryAnswer, set()):
        schema = schemas.get(re.sub(r"[^\w.-]", "_", one.__name__))
        if schema is None:
            continue
        for name, text in _meanings(one).items():
            schema["properties"][_shown(one, name)].setdefault("description", text)


def _described(answer: type[QueryAnswer], met: set[type]) -> Iterator[type]:
    """All answers below one, and the records that are in their fields."""
    for one in answer.__subclasses__():
        yield from _described(one, met)
        yield one
        for field in one.model_fields.values():
            yield from _records(field.annotation, met)


def _records(annotation: Any, met: set[type]) -> Iterator[type]:
    if isinstance(annotation, type) and is_dataclass(annotation) and annotation not in met:
        met.add(annotation)
        yield annotation
        for inner in get_type_hints(annotation).values():
            yield from _records(inner, met)
    for inner in get_args(annotation):
        yield from _records(inner, met)


def _shown(answer: type, field: str) -> str:
    """The name that a field has in JSON."""
    return (answer.model_fields[field].serialization_alias if issubclass(answer, QueryAnswer) else None) or field


def _meanings(answer: type) -> dict[str, str]:
    """By field, what its docstring says; of one that is inherited, what stands where it is declared."""
    own = {one.name for one in fields(answer)} if is_dataclass(answer) else set(getattr(answer, "model_fields", ()))
    found: dict[str, str] = {}
    for one in answer.__mro__:
        if one.__module__.startswith("reliability_platform") and "[" not in one.__name__:
            found = {name: text for name, text in _docstrings(one).items() if name in own} | found
    return found


def _docstrings(declared: type) -> dict[str, str]:
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(declared))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(said.value.value)
        for field, said in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(said, ast.Expr)
        and isinstance(said.value, ast.Constant)
        and isinstance(said.value.value, str)
    }
