"""Whether an event is what the specification says, without the network.

The official JSON schemas are the source of the client's classes; from the classes of the installed client the same
schemas are made here again, under the same addresses: required fields, types, formats. With the specification's own
files at hand (the folder `spec` of an OpenLineage checkout) these are used instead.
"""

import enum
import importlib
import inspect
import json
import pkgutil
import types
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit
from uuid import UUID

import attr
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from openlineage.client import generated
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable

from reliability_platform.errors import UsageError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FORMATS = {
    "eventTime": "date-time",
    "nominalStartTime": "date-time",
    "nominalEndTime": "date-time",
    "lastUpdated": "date-time",
    "runId": "uuid",
    "producer": "uri",
    "schemaURL": "uri",
    "_producer": "uri",
    "_schemaURL": "uri",
}
ALWAYS_SET = frozenset({"producer", "schemaURL", "_producer", "_schemaURL"})
"""Fields that the classes fill in by themselves, and the specification requires."""
PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
}

_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


@_formats.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value.lower()


@_formats.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


class Specification:
    """Schemas by their address."""

    def __init__(self, documents: Mapping[str, dict[str, Any]]) -> None:
        resources = [(address, Resource.from_contents(document)) for address, document in documents.items()]
        self._registry: Registry[Any] = Registry().with_resources(resources)
        self._validators: dict[str, Draft202012Validator] = {}

    @classmethod
    @cache
    def of_the_client(cls) -> "Specification":
        """The schemas behind the classes of the installed client."""
        return cls(_documents_of_the_client())

    @classmethod
    def from_folder(cls, folder: Path) -> "Specification":
        """The official schemas. Raises `UsageError` if the folder does not hold them."""
        documents = {}
        try:
            for path in sorted(folder.rglob("*.json")):
                document = json.loads(path.read_bytes())
                if isinstance(document, dict) and "$id" in document:
                    documents[document["$id"]] = document
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder} holds what is no JSON schema ({type(error).__name__}).") from None
        if not any(address.endswith("/OpenLineage.json") for address in documents):
            raise UsageError(f"{folder} does not hold OpenLineage.json: give the `spec` folder of OpenLineage.")
        return cls(documents)

    def problems(self, event: dict[str, Any]) -> list[str]:
        """What is wrong with an event, the event itself and each of its facets; empty if it is valid."""
        found = self._problem("event", event, str(event.get("schemaURL")))
        for place, facet in _facets(event, "event"):
            found += self._problem(place, facet, str(facet["_schemaURL"]))
        return found

    def _problem(self, place: str, thing: dict[str, Any], address: str) -> list[str]:
        try:
            validator = self._validators.get(address)
            if validator is None:
                self._registry.resolver().lookup(address)
                validator = Draft202012Validator({"$ref": address}, registry=self._registry, format_checker=_formats)
                self._validators[address] = validator
            problem = best_match(validator.iter_errors(thing))
        except Unresolvable:
            return [f"{place}: no schema is known at {address[:200]!r}"]
        if problem is None:
            return []
        where = "".join(f".{part}" for part in problem.absolute_path)
        return [f"{place}{where}: {problem.message[:200]}"]


def _facets(value: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        if "_schemaURL" in value:
            yield place, value
        for name, inner in value.items():
            yield from _facets(inner, f"{place}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _facets(inner, f"{place}[{number}]")


def _documents_of_the_client() -> dict[str, dict[str, Any]]:
    documents: dict[str, dict[str, Any]] = {}
    for found in pkgutil.iter_modules(generated.__path__):
        module = importlib.import_module(f"{generated.__name__}.{found.name}")
        for one in _classes(module):
            address = _address(one).split("#")[0]
            document = documents.setdefault(address, {"$schema": DIALECT, "$id": address, "$defs": {}})
            document["$defs"][one.__name__] = _schema_of_class(one)
    return documents


def _classes(module: types.ModuleType) -> list[type]:
    """The classes that a module itself defines."""
    return [
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if one.__module__ == module.__name__ and attr.has(one)
    ]


def _address(one: type) -> str:
    """The address of a class; one that has none of its own lies in the document of its module."""
    if "_get_schema" in vars(one):
        address: str = vars(one)["_get_schema"].__func__()
        return address
    module = inspect.getmodule(one)
    assert module is not None
    own = next(other for other in _classes(module) if "_get_schema" in vars(other))
    return f"{_address(own).split('#')[0]}#/$defs/{one.__name__}"


def _schema_of_class(one: type) -> dict[str, Any]:
    hints = get_type_hints(one)
    properties, required = {}, []
    for field in attr.fields(one):
        properties[field.name] = _schema_of(hints[field.name])
        if field.name in FORMATS:
            properties[field.name] = {**properties[field.name], "format": FORMATS[field.name]}
        if field.default is attr.NOTHING or field.name in ALWAYS_SET:
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required}


def _schema_of(hint: Any) -> dict[str, Any]:
    """The schema of a type. None never appears in an event: the serializer leaves such fields out."""
    if hint in PLAIN:
        return PLAIN[hint]
    arguments = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        inner = [_schema_of(one) for one in arguments if one is not type(None)]
        return inner[0] if len(inner) == 1 else {"anyOf": inner}
    if get_origin(hint) is Literal:
        return {"enum": list(arguments)}
    if get_origin(hint) is list:
        return {"type": "array", "items": _schema_of(arguments[0])}
    if get_origin(hint) is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1])}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    return {"$ref": _address(hint)}
