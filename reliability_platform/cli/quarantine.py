"""`reliability quarantine`: what was refused or rejected, and what becomes of it."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import click
import duckdb
from rich.markup import escape
from rich.table import Table

from reliability_platform.cli.options import DAY, home_option, json_option, people, print_json, progress
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.masking import MASK
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources import SOURCES
from reliability_platform.warehouse.lease import warehouse_reader


@click.group()
def quarantine() -> None:
    """List, show and replay what was refused or rejected."""


def _check_source(source: str | None) -> None:
    if source is not None and source not in SOURCES:
        raise UsageError(f"There is no source {source!r}: choose one of {', '.join(SOURCES)}.")


def _rows(settings: Settings, source: str | None, first: date, last: date) -> list[dict[str, Any]]:
    with warehouse_reader(settings) as connection:
        cursor = connection.execute(
            "select source, landing_date, batch_id, reject_reasons as reason, state, count(*) as rows from qtn_rows "
            "where (? is null or source = ?) and landing_date between cast(? as date) and cast(? as date) "
            "group by all order by all",
            [source, source, first.isoformat(), last.isoformat()],
        )
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    """A refused file as it may be shown: a file that is known by a digest may bear somebody's name."""
    path = str(record["file"])
    return record if record["batch_id"] in path else record | {"file": f"{path.rpartition('/')[0]}/{MASK}"}


def _as_delivered(
    connection: duckdb.DuckDBPyConnection, settings: Settings, batch_id: str, places: set[tuple[str, date]]
) -> dict[int, dict[str, Any]]:
    """The rows of a batch in bronze by their number, every value as it came."""
    found: dict[int, dict[str, Any]] = {}
    for source, day in places:
        files = str(bronze_folder(settings, source, day) / "*.parquet")
        cursor = connection.execute("select * from read_parquet(?) where _batch_id = ?", [files, batch_id])
        names = [column[0] for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        found |= {row["_row_number"]: {name: row[name] for name in names if name != "landing_date"} for row in rows}
    return found


@quarantine.command(name="list")
@click.option("--source", default=None, help="Only this source.")
@click.option("--from", "first", type=DAY, default="2026-01-01", show_default=True, help="First landing day.")
@click.option("--to", "last", type=DAY, default=None, help="Last landing day. [default: yesterday]")
@home_option
@json_option
def list_quarantine(source: str | None, first: date, last: date | None, home: Path | None, as_json: bool) -> None:
    """Refused files, and rejected rows by batch and reason."""
    _check_source(source)
    settings = load_settings(home)
    until = last or date.max
    files = [
        _shown(record)
        for record in quarantined_files(settings)
        if (source is None or record["source"] == source)
        and first.isoformat() <= record["landing_date"] <= until.isoformat()
    ]
    rows = _rows(settings, source, first, until)
    if as_json:
        print_json({"files": files, "rows": rows})
        return
    table = Table(title="Quarantine")
    for column in ("source", "landing day", "batch", "what", "reason", "state"):
        table.add_column(column)
    for record in files:
        table.add_row(
            record["source"],
            record["landing_date"],
            escape(record["batch_id"]),
            "whole file",
            record["reason"],
            record["state"],
        )
    for row in rows:
        table.add_row(
            row["source"],
            str(row["landing_date"]),
            row["batch_id"],
            f"{row['rows']:,} rows",
            row["reason"],
            row["state"],
        )
    people.print(table if files or rows else "The quarantine is empty.")


@quarantine.command()
@click.argument("batch_id")
@click.option("--limit", type=click.IntRange(1, 1000), default=5, show_default=True, help="Rows at most.")
@click.option("--unmasked", is_flag=True, help="Show every value as it was delivered, from bronze: personal data too.")
@home_option
@json_option
def show(batch_id: str, limit: int, unmasked: bool, home: Path | None, as_json: bool) -> None:
    """The dead letters of one batch, with their reasons."""
    settings = load_settings(home)
    files = [_shown(record) for record in quarantined_files(settings) if record["batch_id"] == batch_id]
    with warehouse_reader(settings) as connection:
        rows = connection.execute(
            "select source, landing_date, row_number, reject_reasons, attempts, first_failed_at, last_failed_at, state, "
            "original_row from qtn_rows where batch_id = ? order by row_number limit ?",
            [batch_id, limit],
        ).fetchall()
        places = {(row[0], row[1]) for row in rows}
        delivered = _as_delivered(connection, settings, batch_id, places) if unmasked else {}
    if not files and not rows:
        raise UsageError(f"Nothing of {batch_id!r} is in quarantine: see `reliability quarantine list`.")
    names = (
        "source",
        "landing_date",
        "row_number",
        "reasons",
        "attempts",
        "first_failed_at",
        "last_failed_at",
        "state",
        "row",
    )
    letters = []
    for row in rows:
        letter = dict(zip(names, row, strict=True))
        letter["row"] = delivered.get(letter["row_number"]) if unmasked else json.loads(letter["row"])
        letters.append(letter)
    print_json({"files": files, "rows": letters}) if as_json else click.echo(
        json.dumps({"files": files, "rows": letters}, indent=2, default=str)
    )


@quarantine.command()
@click.option("--source", required=True, help="The source to ask again.")
@click.option("--date", "day", type=DAY, required=True, help="The landing day.")
@home_option
def replay(source: str, day: date, home: Path | None) -> int:
    """Heal the incidents of one source and day: replay refused files, ask again for rejected rows, re-run, verify."""
    _check_source(source)
    from reliability_platform.cli.session import driving
    from reliability_platform.clock import utc_now
    from reliability_platform.incidents.model import ENDED
    from reliability_platform.incidents.store import IncidentStore
    from reliability_platform.operations import operations_engine
    from reliability_platform.remediation.due import may_act
    from reliability_platform.remediation.heal import act

    with driving(home, healing=True) as (settings, daemon):
        daemon.tick()
        engine = operations_engine(settings)
        store = IncidentStore(engine)
        wanted = [one for one in store.all() if one.source == source and day in one.partitions]
        if not wanted:
            raise UsageError(f"No incident concerns {source} on {day}: there is nothing to replay.")
        for incident in wanted:
            if may_act(settings, engine, incident, utc_now(), approved=True):
                done = act(settings, engine, incident.id, utc_now(), "command line")
                progress.print(done.summary, highlight=False, markup=False)
        daemon.settle()
        left = [
            one.id for one in store.all() if one.source == source and day in one.partitions and one.state not in ENDED
        ]
    for incident_id in left:
        people.print(f"{incident_id} is still open: see `reliability incidents show {incident_id}`.", highlight=False)
    if not left:
        people.print(f"Nothing of {source} on {day} waits any more.")
    return ExitCode.NOT_HEALED if left else ExitCode.OK
