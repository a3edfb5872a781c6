"""Records in Protocol Buffers, as the JSON of what they say (its mapping is proto3's, with the names of the schema)."""

import json

import pyarrow as pa

from reliability_platform.contracts.contract import Contract


def protobuf_as_json(values: pa.ChunkedArray, contract: Contract) -> pa.Array:
    """Each value as the JSON of what it says, fields without a value of their own at their defaults; null where it does not
    follow the schema. Fields that the schema does not have yet are left out."""
    from google.protobuf.json_format import MessageToDict

    from reliability_platform.contracts.protobuf_schema import message_class

    message = message_class(contract.file_format.schema, contract.file_format.message)
    pool, skip = message.DESCRIPTOR.file.pool, contract.file_format.skip

    def read(value: bytes | None) -> bytes | None:
        if value is None or len(value) < skip:
            return None
        try:
            found = message.FromString(value[skip:])
            said = MessageToDict(
                found,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
                descriptor_pool=pool,
            )
        except Exception:  # whatever bytes that follow another schema make of a reader
            return None
        is_of_another = len(value) > skip and not found.ListFields()  # all that it has are fields that are not known
        return None if is_of_another or not found.IsInitialized() else json.dumps(said).encode()

    return pa.array(
        map(read, values.to_pylist()), pa.binary(), size=len(values)
    )  # a decoder of columns is none of ours
