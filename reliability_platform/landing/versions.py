"""A table that was read by one version of its contract, as bronze holds the rows of all versions.

A value that the newest type of its column cannot hold is null there and kept as text beside it, under a name that says by
which version it was read: it was right, and is no reason to reject its row.
"""

import pyarrow as pa

from reliability_platform.contracts.contract import Contract
from reliability_platform.in_memory import in_memory


def in_later_types(
    held: Contract, source: Contract, table: pa.Table
) -> tuple[list[pa.ChunkedArray], list[tuple[str, pa.ChunkedArray]]]:
    """The values of each column of `source`, in its types, out of a table that is of the version `held`; and, by name,
    the texts of what could not be brought there."""
    fitted, kept = [], []
    for column in source.columns:
        kind = source.arrow_schema.field(column.name).type
        if column.name not in table.column_names or column.name not in held.arrow_schema.names:
            fitted.append(pa.chunked_array([pa.nulls(table.num_rows, kind)]))
        elif held.arrow_schema.field(column.name).type.equals(kind):
            fitted.append(table[column.name])
        else:
            values, texts = _converted(table[column.name], column.type)
            fitted.append(values.cast(kind))
            kept += [(held.kept_as(column.name), texts)] if texts.null_count < len(texts) else []
    return fitted, kept


def _converted(values: pa.ChunkedArray, kind: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    with in_memory() as connection:
        connection.register("came", pa.table({"value": values}))
        found = connection.execute(
            f"select try_cast(value as {kind}) as fitted, "
            f"case when try_cast(value as {kind}) is null then cast(value as varchar) end as kept from came"
        ).to_arrow_table()
    return found["fitted"], found["kept"]
