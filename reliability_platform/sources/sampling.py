"""A table of a database as a sample file, for whoever proposes a contract of it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from reliability_platform.contracts.contract import Cadence, Contract
from reliability_platform.contracts.servers import DATABASES, Server
from reliability_platform.credentials import HOW, is_reference
from reliability_platform.errors import UsageError
from reliability_platform.sources.engines import opened, table_in

SAMPLE_ROWS = 200_000
SECONDS = 300


def is_database(url: str) -> bool:
    """Whether an address is that of a database."""
    return url.partition("://")[0] in (*DATABASES, "postgres") and "://" in url


def server_of(url: str, credentials: str | None) -> Server:
    """The server of an address, as `postgresql://reader@host:5432/shop` or `sqlite:///data/till.db`. Raises `UsageError`,
    which does not repeat it."""
    scheme, _, rest = url.partition("://")
    if credentials is not None and not is_reference(credentials):
        raise UsageError(f"--credentials is no reference, and a contract holds no secret: {HOW}.")
    if scheme in ("duckdb", "sqlite"):
        # Others write an absolute path with four slashes; SQLite would take the name behind two for that of a host.
        return Server(scheme, f"/{rest.lstrip('/')}" if rest.startswith("//") else rest, "database")
    parts = urlsplit(url)
    if parts.password or parts.query:
        raise UsageError(f"--from holds a password or a query: say where the secret is with --credentials ({HOW}).")
    try:
        port = parts.port or 5432
    except ValueError:
        raise UsageError("--from has a port that is no number.") from None
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise UsageError("--from names no database: write postgresql://user@host:5432/database.")
    user = unquote(parts.username) if parts.username else None
    return Server("postgresql", name, "database", parts.hostname or "", port, "public", user, credentials)


def sample_of(server: Server, table: str, folder: Path, full: bool) -> Path:
    """Rows of a table as a file: Parquet, or CSV where the database knows texts alone, so that their types are found as
    those of CSV files are. Raises `SourceUnavailableError`."""
    asked = Contract(table, ("",), "", (), Cadence(), 0, "", critical=False, servers=(server,), table=table)
    with opened(server, asked, SECONDS) as ask:
        limit = "" if full else f" limit {SAMPLE_ROWS}"
        found = ask(f"select * from {table_in(server, table)}{limit}", {})
        if all(pa.types.is_string(one) for one in found.schema.types):
            path = folder / "rows.csv"
            with pa_csv.CSVWriter(path, found.schema) as texts:
                for piece in found.pieces:
                    texts.write_batch(piece)
        else:
            path = folder / "rows.parquet"
            with pq.ParquetWriter(path, found.schema) as rows:
                for piece in found.pieces:
                    rows.write_batch(piece)
    return path
