"""A table of a database or the records of a topic as a sample file, for whoever proposes a contract of it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from reliability_platform.contracts.contract import Cadence, Contract
from reliability_platform.contracts.servers import DATABASES, KAFKA, Server
from reliability_platform.credentials import HOW, is_reference
from reliability_platform.errors import UsageError
from reliability_platform.in_memory import in_memory
from reliability_platform.sources.engines import opened, table_in
from reliability_platform.sources.kafka import RECORDS
from reliability_platform.sources.kafka import opened as opened_topic

SAMPLE_ROWS = 200_000
SECONDS = 300


def is_server(url: str) -> bool:
    """Whether an address is that of a database or of a Kafka cluster."""
    return url.partition("://")[0] in (*DATABASES, "postgres", KAFKA) and "://" in url


def server_of(url: str, credentials: str | None) -> Server:
    """The server of an address, as `postgresql://reader@host:5432/shop` or `sqlite:///data/till.db`. Raises `UsageError`,
    which does not repeat it."""
    scheme, _, rest = url.partition("://")
    if credentials is not None and not is_reference(credentials):
        raise UsageError(f"--credentials is no reference, and a contract holds no secret: {HOW}.")
    if scheme in ("duckdb", "sqlite"):
        # Others write an absolute path with four slashes; SQLite would take the name behind two for that of a host.
        return Server(scheme, f"/{rest.lstrip('/')}" if rest.startswith("//") else rest, "database")
    if scheme == KAFKA:
        asker, at, brokers = rest.rstrip("/").rpartition("@")
        if ":" in asker or not brokers:
            raise UsageError(
                "--from names no brokers alone: write kafka://user@one:9092,two:9092, the secret with --credentials."
            )
        return Server(KAFKA, brokers, "cluster", user=unquote(asker) if at else None, credentials=credentials)
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
    if server.engine == KAFKA:
        return _records_of(server, asked, folder, full)
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


def _records_of(server: Server, asked: Contract, folder: Path, full: bool) -> Path:
    """The oldest records of a topic that are JSON, as lines of a file. Raises as `sources.kafka`, and `UsageError` for none."""
    found, rows = list[pa.Table](), 0
    with opened_topic(server, asked) as topic:
        starts = {partition: there.start for partition, there in topic.offsets().items()}
        for one in topic.read(starts, SECONDS):
            if one.records is not None:
                found.append(one.records.select(["value"]))
                rows += one.records.num_rows
                if rows >= SAMPLE_ROWS and not full:
                    break
    path = folder / "records.jsonl"
    with in_memory() as connection:
        connection.register("records", pa.concat_tables([RECORDS.empty_table().select(["value"]), *found]))
        said = "cast(try_cast(try(decode(value)) as json) as varchar)"
        lines = f"select replace(replace({said}, chr(10), ' '), chr(13), ' ') as line from records where json_type({said}) = 'OBJECT'"
        objects = connection.execute(lines).to_arrow_table()["line"]
    if not len(objects):
        raise UsageError(f"The topic {asked.table} holds no JSON objects: write its contract by hand.")
    path.write_text("\n".join(objects.to_pylist()) + "\n")
    return path
