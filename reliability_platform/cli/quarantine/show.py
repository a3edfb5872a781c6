"""`reliability quarantine show`: the dead letters of one batch."""

import json
from datetime import date
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.actor import whoami
from reliability_platform.audit_log import Changes, note_act
from reliability_platform.cli.options import echo, home_option, json_option, print_json
from reliability_platform.cli.parameters import Whole
from reliability_platform.cli.quarantine.selection import refuse_unknown_batch
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.operations import operations_engine
from reliability_platform.parquet import read_table
from reliability_platform.service.queries.quarantine import shown_file
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader


def _as_it_came(value: pa.Scalar) -> Any:
    """A value as Python knows it; a moment that Python cannot hold (NaT, the year 290000) as numpy writes it."""
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return str(np.datetime64(value.value, value.type.unit))


def _as_delivered(settings: Settings, batch_id: str, letters: set[tuple[str, date, int]]) -> dict[int, dict[str, Any]]:
    """Rows of a batch in bronze by their number, every value as it came."""
    found: dict[int, dict[str, Any]] = {}
    numbers = pa.array(sorted({number for _, _, number in letters}), pa.int64())
    for source, day in {(source, day) for source, day, _ in letters}:
        file = bronze_folder(settings, source, day) / f"{batch_id}.parquet"
        if not file.exists():
            continue
        table = read_table(file)
        table = table.filter(pc.is_in(table["_row_number"].cast(pa.int64()), value_set=numbers))
        columns = {name: [*map(_as_it_came, table[name])] for name in table.column_names if name != "landing_date"}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        found |= {row["_row_number"]: row for row in rows}
    return found


@click.command()
@click.argument("batch_id")
@click.option("--limit", type=Whole(1, 1000), default=5, show_default=True, help="Rows at most.")
@click.option("--unmasked", is_flag=True, help="Show every value as it was delivered, from bronze: personal data too.")
@click.option("--why", default=None, help="What for, with --unmasked; it is recorded with your name.")
@home_option
@json_option
def show(batch_id: str, limit: int, unmasked: bool, why: str | None, settings: Settings, as_json: bool) -> None:
    """The dead letters of one batch, with their reasons. Who looked at them unmasked, and why, stands in the audit log."""
    refuse_unknown_batch(settings, batch_id)
    if why is not None and not unmasked:
        raise UsageError("--why is for --unmasked: what is masked needs no reason.")
    if unmasked:
        if why is None or not why.strip():
            raise UsageError("--unmasked shows personal data, and who looked is on record: say with --why what for.")
        note_act(operations_engine(settings), Changes.UNMASK, f"the batch {batch_id}", whoami(), why, utc_now())
    files = [shown_file(record) for record in quarantined_files(settings) if record["batch_id"] == batch_id]
    with warehouse_reader(settings) as connection:
        rows = connection.execute(
            "select source, landing_date, row_number, reject_reasons, attempts, first_failed_at, last_failed_at, state, "
            "original_row from qtn_rows where batch_id = ? order by row_number limit ?",
            [batch_id, limit],
        ).fetchall()
    delivered = _as_delivered(settings, batch_id, {(row[0], row[1], row[2]) for row in rows}) if unmasked else {}
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
    print_json({"files": files, "rows": letters}) if as_json else echo(
        json.dumps({"files": files, "rows": letters}, indent=2, default=str)
    )
