"""What the records of a topic say: each value decoded as the contract says it is written, into columns of texts.

A record that cannot be decoded costs itself alone. It becomes a row without values, and what came stands beside its event
time as a text that is none: staging rejects the row with its reasons, and a mended contract or schema reads it again.
"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts.contract import Contract
from reliability_platform.in_memory import in_memory
from reliability_platform.landing.avro_records import avro_reader
from reliability_platform.landing.parquet_file import NotReadableError, read_content
from reliability_platform.landing.protobuf_records import protobuf_reader
from reliability_platform.landing.text_file import LONG_FRACTION, NO_JSON, WITHOUT_STRINGS, columns_of_lines
from reliability_platform.sources.kafka import RECORDS

UNDECODED = "record that cannot be decoded"
"""The column that holds such records as texts, null for all others; it has a name that no column of a contract can have."""
_BESIDE = {"kafka_partition": "partition", "kafka_offset": "offset", "kafka_timestamp": "timestamp", "kafka_key": "key"}
"""What a record has beside its value, for contracts with a column of that name."""
_READERS = {"avro": avro_reader, "protobuf": protobuf_reader}
"""By the format of records with a schema."""
_JUDGED = f"""
    create temp table judged as
    with parsed as (
        select value, delivered, try_cast(try(decode(value)) as json) as json from records
    ), bared as (
        select *, {WITHOUT_STRINGS} as bare from parsed
    ), judged as (
        select
            *,
            json_type(json) = 'OBJECT' and not regexp_matches(bare, $loose)
                and len(json_keys(json)) = len(list_distinct(json_keys(json))) as is_object
        from bared
    )
    select
        case when is_object then json end as json,
        is_object and regexp_matches(bare, $long) as is_long,
        case when is_object is not true
            then coalesce(try(decode(delivered)), 'bytes ' || hex(delivered), 'no value') end as undecoded
    from judged
"""


def decoded(content: bytes, contract: Contract) -> pa.Table:
    """As `decoded_records`, of the Parquet file in which they landed. Raises `NotReadableError`."""
    return decoded_records(read_content(content, RECORDS.names), contract)


def decoded_records(records: pa.Table, contract: Contract) -> pa.Table:
    """A row for each record, in their order: the names in their values as columns of texts, and `UNDECODED`.

    Raises `NotReadableError` for what are no records, and where the names in them cannot be columns.
    """
    if not records.schema.equals(RECORDS):
        raise NotReadableError("it does not hold the records of a topic")
    reader = _READERS.get(contract.file_format.kind)
    said = _as_json(records["value"], contract.file_format.skip, reader(contract)) if reader else records["value"]
    with in_memory() as connection:
        connection.register("records", pa.table({"value": said, "delivered": records["value"]}))
        connection.execute(_JUDGED, {"loose": NO_JSON, "long": LONG_FRACTION})
        connection.execute("create temp view lines as select rowid, coalesce(json, '{}'::json) as json from judged")
        [(objects, long)] = connection.execute(
            "select count(json), coalesce(bool_or(is_long), false) from judged"
        ).fetchall()
        columns = _by_name(columns_of_lines(connection, contract, long)) if objects else {}
        undecoded = connection.execute("select undecoded from judged order by rowid").to_arrow_table()["undecoded"]
    if not objects:  # nothing says which columns there are
        columns = {one.name: pa.nulls(records.num_rows, pa.string()) for one in contract.columns}
    wanted = contract.meant_by(_BESIDE)
    columns |= {name: _text(records[beside]) for name, beside in _BESIDE.items() if name in wanted}
    return pa.table({**columns, UNDECODED: undecoded})


def _as_json(values: pa.ChunkedArray, skip: int, read: Callable[[bytes], str]) -> pa.Array:
    """Each value as the JSON of what stands behind the bytes that are skipped; null where it does not follow the schema."""

    def one(value: bytes | None) -> bytes | None:
        if value is None or len(value) < skip:
            return None
        try:
            return read(value[skip:]).encode()
        except Exception:  # whatever bytes that follow another schema make of a reader
            return None

    return pa.array(map(one, values.to_pylist()), pa.binary(), size=len(values))  # a decoder of columns is none of ours


def _by_name(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {} if table.column_names == [""] else dict(zip(table.column_names, table.columns, strict=True))


def undecodable(records: pa.Table, contract: Contract) -> pa.Table:
    """Those of some records that cannot be decoded."""
    return records.filter(pc.is_valid(decoded_records(records, contract)[UNDECODED]))


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers, moments and keys as texts; a key that is none has no value."""
    if not pa.types.is_binary(values.type):
        return values.cast(pa.string())
    with in_memory() as connection:
        connection.register("keys", pa.table({"key": values}))
        return connection.execute("select try(decode(key)) as key from keys").to_arrow_table()["key"]
