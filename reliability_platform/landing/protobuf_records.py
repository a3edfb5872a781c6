"""Records in Protocol Buffers, as the JSON of what they say (its mapping is proto3's, with the names of the schema)."""

import json
from collections.abc import Callable

from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.protobuf_schema import message_class


def protobuf_reader(contract: Contract) -> Callable[[bytes], str]:
    """What makes the JSON of a record, fields without a value of their own at their defaults and those that the schema does not
    have yet left out, and raises for one that does not follow the schema."""
    from google.protobuf.json_format import MessageToDict

    message = message_class(contract.file_format.schema, contract.file_format.message)
    pool = message.DESCRIPTOR.file.pool

    def read(record: bytes) -> str:
        found = message.FromString(record)
        if record and not found.ListFields():
            raise ValueError("all that it has are fields that are not known")
        if not found.IsInitialized():
            raise ValueError("a required field is missing")
        said = MessageToDict(
            found,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
            descriptor_pool=pool,
        )
        return json.dumps(said)

    return read
