"""Records in Avro, as the JSON of what they say."""

import io
import json
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from reliability_platform.contracts.contract import Contract
from reliability_platform.errors import EnvironmentUnusableError


def avro_reader(contract: Contract) -> Callable[[bytes], str]:
    """What makes the JSON of a record, and raises for one that does not follow the schema. Raises `EnvironmentUnusableError`."""
    try:
        from fastavro import parse_schema, schemaless_reader
        from fastavro.schema import SchemaParseException
    except ImportError:
        raise EnvironmentUnusableError(
            "Records in Avro need fastavro: install the platform with its extra `kafka`."
        ) from None
    try:
        schema = parse_schema(json.loads(contract.file_format.schema))
    except (SchemaParseException, ValueError, KeyError, TypeError):
        raise EnvironmentUnusableError(
            f"The Avro schema of {contract.source} is none: look at the file that its contract names."
        ) from None

    def read(record: bytes) -> str:
        stream = io.BytesIO(record)
        said = json.dumps(schemaless_reader(stream, schema), default=_plain, allow_nan=False)
        if stream.read(1):
            raise ValueError("more than the schema describes")
        return said

    return read


def _plain(value: Any) -> str:
    """A value of Avro's logical types as the text that contracts read."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value).__name__)
