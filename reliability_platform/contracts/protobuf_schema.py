"""The schema of records in Protocol Buffers: a set of descriptors, as `protoc --descriptor_set_out --include_imports` writes it."""

from base64 import b64decode, b64encode
from typing import Any


class SchemaError(ValueError):
    """Why a file is no schema of such a message, to stand behind its name."""


def protobuf_schema(content: bytes, message: object) -> str:
    """The content of the file as a text, once the message was found in it. Raises `SchemaError`."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.message import DecodeError

    try:
        files = FileDescriptorSet.FromString(content).file
    except DecodeError:
        files = []
    if not files:
        raise SchemaError("which is no set of descriptors: write it with protoc --descriptor_set_out --include_imports")
    known = [f"{file.package}.{one.name}".lstrip(".") for file in files for one in file.message_type]
    if message not in known:
        raise SchemaError(f"which has no message {message!r}: choose one of {', '.join(sorted(known)[:20])}")
    schema = b64encode(content).decode()
    try:
        message_class(schema, str(message))
    except (TypeError, KeyError):
        raise SchemaError("which lacks what it imports: write it with protoc --include_imports") from None
    return schema


def message_class(schema: str, message: str) -> Any:
    """The class of a message of a schema, of a pool of its own: two sources may mean different things by one name."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(b64decode(schema)).file:
        pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(message))
