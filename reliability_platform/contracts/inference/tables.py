"""The reference tables that were named for a sample, kept in the project as Parquet."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from reliability_platform.contracts.inference.sample import take_sample
from reliability_platform.contracts.names import ORIGINAL_NAMES
from reliability_platform.parquet import literal


def keep_tables(project: Path, tables: Mapping[str, Sequence[Path]]) -> list[str]:
    """Write each table into `reference/` of the project, unless one of its name is there; returns the files."""
    written = []
    for name, files in sorted(tables.items()):
        path = project / "reference" / f"{name}.parquet"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.draft")
        with duckdb.connect() as connection:
            sample = take_sample(connection, [str(one) for one in files], full=True)
            # An own dbt project asks for the columns as whoever wrote the files calls them.
            original = literal(json.dumps({one.name: one.original for one in sample.columns}))
            connection.execute(
                f"copy (select * exclude (_file) from sample) to {literal(draft)} "
                f"(format parquet, kv_metadata {{{ORIGINAL_NAMES}: {original}}})"
            )
        draft.replace(path)
        written.append(path.relative_to(project).as_posix())
    return written
