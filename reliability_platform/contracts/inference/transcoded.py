"""Files in an encoding that DuckDB does not read, as copies in UTF-8 for the time of a look at them."""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from reliability_platform.contracts.file_format import FileFormat
from reliability_platform.errors import UsageError

READ_BY_DUCKDB = ("utf-8", "utf-16", "latin-1")
_PIECE = 8 * 2**20


def readable(found: FileFormat, files: Sequence[Path], folder: Path) -> tuple[FileFormat, Mapping[Path, Path]]:
    """How DuckDB reads some files, and what it reads for each: a copy below the folder, or the file itself."""
    if found.kind != "csv" or found.encoding in READ_BY_DUCKDB:
        return found, {path: path for path in files}
    copies = {path: folder / str(number) / "rows.csv" for number, path in enumerate(files)}
    for path, copy in copies.items():
        copy.parent.mkdir()
        _copy(path, copy, found)
    return replace(found, encoding="utf-8", compression="none"), copies


def _copy(path: Path, copy: Path, found: FileFormat) -> None:
    packed = None if found.compression == "none" else found.compression
    decoder = codecs.getincrementaldecoder(found.encoding)()
    try:
        with pa.input_stream(str(path), compression=packed) as stream, copy.open("wb") as file:
            while piece := stream.read(_PIECE):
                file.write(decoder.decode(piece).encode())
    except UnicodeError:
        raise UsageError(
            f"{path} is neither UTF-8 nor {found.encoding}: convert it to UTF-8, or name files of one encoding."
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())[:120]}.") from None
