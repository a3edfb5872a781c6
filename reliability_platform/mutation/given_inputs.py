"""Inputs that are given as files: tables of sources that are not in the private copy, and seeds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.counted import counted
from reliability_platform.mutation.errors import NoInputsError, ProjectUnusableError
from reliability_platform.mutation.private_profile import PrivateProfile
from reliability_platform.mutation.sql_text import literal, quoted

READERS = {
    ".csv": "read_csv({}, sample_size = -1)",
    ".tsv": "read_csv({}, sample_size = -1)",
    ".parquet": "parquet_scan({})",
    ".json": "read_json({})",
    ".jsonl": "read_json({})",
    ".ndjson": "read_json({})",
}
PACKED = (".gz", ".zst")


@dataclass(frozen=True)
class GivenFile:
    """A file and the table that it stands for."""

    path: Path
    node: Any
    """The source or the seed, as dbt has parsed it."""

    @property
    def is_seed(self) -> bool:
        """Whether dbt would load the table from a file of its own."""
        return str(self.node.resource_type) == "seed"


def given_files(folder: Path, manifest: Any) -> tuple[list[GivenFile], list[str]]:
    """The files of a folder with the sources and seeds that they are named after, and the names of the other files.

    Raises `ProjectUnusableError` for a name that two tables have.
    """
    named: dict[str, list[Any]] = {}
    for source in manifest.sources.values():
        for name in {f"{source.source_name}.{source.name}", source.name, source.identifier}:
            named.setdefault(name.lower(), []).append(source)
    for node in manifest.nodes.values():
        if str(node.resource_type) == "seed":
            named.setdefault(node.name.lower(), []).append(node)
    found, others = [], []
    for path, name in _files(folder):
        meant = named.get(name.lower(), [])
        if len(meant) > 1:
            first = meant[0]
            raise ProjectUnusableError(
                f"{path.name} could be one of {counted(len(meant), 'table')}: name it after its source, as {first.source_name}.{first.name}{path.suffix}."
            )
        if meant:
            found.append(GivenFile(path, meant[0]))
        else:
            others.append(path.name)
    if not found:
        raise NoInputsError(
            f"No file in {folder} is named after a source or a seed of the project: name them as source.table.csv (or parquet, json)."
        )
    return found, others


def load(files: Iterable[GivenFile], profile: PrivateProfile) -> None:
    """Put the rows of the files into the private copy. Raises `ProjectUnusableError` for a file that cannot be read."""
    for one in files:
        schema = quoted(one.node.schema)
        table = f"{schema}.{quoted(getattr(one.node, 'identifier', None) or one.node.alias)}"
        with duckdb.connect(str(profile.catalog(one.node.database))) as connection:
            connection.execute(f"create schema if not exists {schema}")
            try:
                connection.execute(
                    f"create or replace table {table} as from {_reader(one.path).format(literal(str(one.path)))}"
                )
            except duckdb.Error as error:
                why = str(error).strip().partition("\n")[0]
                raise ProjectUnusableError(f"{one.path.name} cannot be read as a table: {why}") from None


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file with its name without endings."""
    for path in sorted(folder.iterdir()):
        plain = Path(path.stem) if path.suffix in PACKED else path
        if plain.suffix in READERS and path.is_file():
            yield path, plain.stem


def _reader(path: Path) -> str:
    return READERS[Path(path.stem).suffix if path.suffix in PACKED else path.suffix]
