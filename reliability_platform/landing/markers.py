"""Marks that well-known programs leave beside data: no deliveries, and nobody's failure. The one table of them.

A name alone makes no mark. What stands in the table must also look like one: be empty, begin as that program writes it,
or lie beside the file that it speaks of. A Parquet file called `_SUCCESS`, a `_SUCCESS` full of rows, a `.crc` of no
file are what they look like, and are refused as any other file that nobody announced.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.landing.entries import Entry, EntryKind, read_file

SMALL = 1_000_000
"""Bytes. The largest marks are the lists of files of a job; a delivery of so few bytes begins otherwise."""
_BEGINNING = 16


def _empty(_: Entry, __: bytes) -> bool:
    return False


def _begins(*beginnings: bytes) -> Callable[[Entry, bytes], bool]:
    return lambda entry, head: entry.size <= SMALL and head.startswith(beginnings)


def _anything(_: Entry, __: bytes) -> bool:
    return True


def _beside_its_file(entry: Entry, head: bytes) -> bool:
    name = entry.path.name.removesuffix(".crc")
    beside = [entry.path.with_name(one) for one in (name, name.removeprefix("."))]
    return entry.size <= SMALL and head.startswith(b"crc\0") and any(one.exists() for one in beside)


def _hexadecimal(entry: Entry, head: bytes) -> bool:
    """A checksum as the programs of its name print it, with or without the file that it is of."""
    return entry.size <= SMALL and bool(re.match(rb"[0-9A-Fa-f]{16}|(MD5|SHA[0-9-]*) ?\(", head))


def _has_no_rows_of_its_own(entry: Entry, head: bytes) -> bool:
    """A summary of Parquet files: each column that it counts lies in another file."""
    if not head.startswith(b"PAR1"):
        return False
    try:
        footer = pq.read_metadata(pa.BufferReader(read_file(entry.path)))
        groups = [footer.row_group(place) for place in range(footer.num_row_groups)]
        elsewhere = [group.num_rows == 0 or bool(group.column(0).file_path) for group in groups]
    except (pa.ArrowException, OSError, ValueError):
        return False
    return all(elsewhere) and (bool(groups) or footer.num_rows == 0)


@dataclass(frozen=True)
class Mark:
    """One kind of mark. An empty file of this name is always one."""

    name: str
    """A pattern for the whole name."""
    what: str
    """What it is, for people."""
    content: Callable[[Entry, bytes], bool] = _empty
    """Whether one that is not empty is such a mark, by what it is and how it begins."""
    kind: EntryKind = EntryKind.FILE


_JSON = _begins(b"{", b"[")

MARKS = (
    Mark(r"_SUCCESS", "the sign of Spark or Hadoop that a job has ended", _JSON),
    Mark(r"_started_[0-9]+", "the sign of Databricks that a job has begun", _JSON),
    Mark(r"_committed_(vacuum)?[0-9]+", "the list of files of a Databricks job", _JSON),
    Mark(r"_(common_)?metadata", "a summary of Parquet files without rows of its own", _has_no_rows_of_its_own),
    Mark(r"\.?.+\.crc", "a checksum of Hadoop for the file beside it", _beside_its_file),
    Mark(r".+_\$folder\$", "the sign of Hadoop for a folder in an object store"),
    Mark(
        r"(?i:.+\.(?:done|ok|ready|complete|completed|success|trg|trigger|fin|finished|eof)|_?(?:done|ready|complete|finished))",
        "the sign of a producer that a delivery is whole",
    ),
    Mark(r"(?i:.+\.(?:md5|sha1|sha256|sha512)|(?:md5|sha1|sha256|sha512)sums?(?:\.txt)?)", "checksums of files", _hexadecimal),
    Mark(r".+\.(?:asc|sig|minisig)", "a signature of a file", _begins(b"-----BEGIN PGP", b"untrusted comment")),
    Mark(r"_(delta_log|spark_metadata)|\.hoodie", "the log of a table format", kind=EntryKind.FOLDER),
    Mark(
        r"_temporary|\.hive-staging.*|\.spark-staging.*|_impala_insert_staging|\.rsync-partial|\.~tmp~",
        "the drafts of a job that has not ended",
        kind=EntryKind.FOLDER,
    ),
    Mark(r"(?i:thumbs\.db|ehthumbs\.db)", "thumbnails of Windows", _begins(b"\xd0\xcf\x11\xe0")),
    Mark(r"(?i:desktop\.ini)", "folder settings of Windows", _begins(b"[", b"\r\n[", b"\xff\xfe", b"\xef\xbb\xbf[", b";")),
    Mark(r"\.DS_Store", "folder settings of macOS", _begins(b"\0\0\0\1Bud1")),
    Mark(r"\._.+", "attributes of a file of macOS (AppleDouble)", _begins(b"\0\5\x16\7")),
    Mark(r"__MACOSX|\.(Trashes|Trash-\d+|fseventsd|Spotlight-V100)|@eaDir|lost\+found|\$RECYCLE\.BIN|System Volume Information", "a folder of the system", kind=EntryKind.FOLDER),
    Mark(r"\.directory|\.localized|\.keep|\.gitkeep|\.gitignore|\.placeholder", "a placeholder of a folder", _begins(b"[", b"*", b"#")),
    Mark(r"\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+", "a deleted file that a program still has open", _anything),
    Mark(
        r".+\.(?i:part|partial|filepart|crdownload|crswap|download|inprogress|tmp|temp|gstmp|aria2)|.+\._COPYING_|.+~",
        "the draft of a copy that has not ended",
        _anything,
    ),
    Mark(r"~\$.+|\.~lock\..+#|\..+\.sw[a-p]|#.+#|\.#.+", "the lock or the draft of an editor", _anything),
    Mark(
        r"\.[^.].*\.[^.]+\.(?:[0-9]+|(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{6})",
        "the draft of a file that is being written",
        _anything,
    ),
)  # fmt: skip
"""The first that fits counts. Drafts may hold anything: whoever was writing them has not said that they are whole."""


def is_mark_by_name(name: str, size: int) -> bool:
    """Whether a file that lies where a source delivers is no delivery, by its name: a draft whatever it holds, any other
    mark if nothing stands in it."""
    return any(
        mark.kind is EntryKind.FILE
        and (size == 0 or mark.content is _anything)
        and re.fullmatch(mark.name, name, re.DOTALL)
        for mark in MARKS
    )


def mark_of(entry: Entry) -> str | None:
    """What an entry is, if it is a mark; None for one that must be judged as a delivery."""
    for mark in MARKS:
        if mark.kind is entry.kind and re.fullmatch(mark.name, entry.path.name, re.DOTALL):
            if entry.kind is EntryKind.FOLDER or entry.size == 0:
                return mark.what
            try:
                head = read_file(entry.path, _BEGINNING)
            except OSError:
                continue
            if mark.content(entry, head):
                return mark.what
    return None
