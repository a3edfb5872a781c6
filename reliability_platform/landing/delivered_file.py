"""Reads a delivered file in the format of its contract."""

import pyarrow as pa

from reliability_platform.contracts.contract import Contract
from reliability_platform.counted import counted
from reliability_platform.landing.parquet_file import NotReadableError, read_content, read_footer
from reliability_platform.landing.text_file import read_texts, unpacked
from reliability_platform.sources.kafka import RECORDS


class RowCountError(Exception):
    """Another number of rows than was declared."""

    def __init__(self, found: int) -> None:
        super().__init__(counted(found, "row"))
        self.found = found


def rows_in(contract: Contract, name: str, content: bytes) -> int:
    """The rows of a file of which nobody has said how many they are; 0 for one that cannot be read."""
    try:
        return read_footer(unpacked(content)).rows if _is_parquet(name) else read_texts(content, contract).num_rows
    except NotReadableError:
        return 0


def read_delivered(contract: Contract, name: str, content: bytes, declared: int | None = None) -> pa.Table:
    """The table of a file, by its name and its bytes: columns of CSV and JSON lines are texts.

    Raises `NotReadableError`, and `RowCountError` if it has not the rows that were declared.
    """
    if not _is_parquet(name):
        if not contract.file_format.of_texts:
            raise NotReadableError("it is no Parquet file, which the contract of its day says it is")
        table = read_texts(content, contract)
        if declared is not None and table.num_rows != declared:
            raise RowCountError(table.num_rows)
        return table
    plain = unpacked(content)
    footer = read_footer(plain)
    if declared is not None and footer.rows != declared:  # the others never came
        raise RowCountError(footer.rows)
    if contract.is_stream and footer.names == RECORDS.names:  # a recording replays rows
        from reliability_platform.landing.stream_records import decoded

        return decoded(plain, contract)
    return read_content(plain, list(contract.meant_by(footer.names)))


def _is_parquet(name: str) -> bool:
    return name.removesuffix(".gz").removesuffix(".zst").endswith(".parquet")
