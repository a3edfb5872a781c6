"""Records in Avro, as the JSON of what they say."""

import io
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from reliability_platform.contracts.contract import Contract
from reliability_platform.errors import EnvironmentUnusableError


def avro_as_json(values: pa.ChunkedArray, contract: Contract) -> pa.Array:
    """Each value as the JSON of what it says; null where it does not follow the schema. Raises `EnvironmentUnusableError`."""
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
    skip = contract.file_format.skip

    def read(value: bytes | None) -> bytes | None:
        if value is None or len(value) < skip:
            return None
        stream = io.BytesIO(value)
        stream.seek(skip)
        try:
            said = json.dumps(schemaless_reader(stream, schema), default=_plain, allow_nan=False)
        except Exception:  # whatever bytes that follow another schema make of a reader
            return None
        return None if stream.read(1) else said.encode()

    return pa.array(
        map(read, values.to_pylist()), pa.binary(), size=len(values)
    )  # a decoder of columns is none of ours


def _plain(value: Any) -> str:
    """A value of Avro's logical types as the text that contracts read."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value).__name__)
