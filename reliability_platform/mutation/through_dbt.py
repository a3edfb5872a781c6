"""Builds by dbt itself what cannot be built from a compiled query: Python models, functions of plugins, Jinja that asks the data.

What lies above them is built directly. Only if something of it has changed, dbt gets a fresh copy of the databases with the
changed tables in it, and builds these models and all below them there. The process is the same all the time and nothing is
parsed again; dbt runs one command at a time, so mutants wait for each other here.
"""

import re
import shutil
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property

import duckdb

from reliability_platform.mutation.dbt_commands import DbtCommands, said_of
from reliability_platform.mutation.files_as_tables import reading_tables
from reliability_platform.mutation.private_copy import PrivateFolder
from reliability_platform.mutation.private_profile import PrivateProfile, another_copy
from reliability_platform.mutation.project import Model
from reliability_platform.mutation.sql_text import literal, quoted

WITHOUT = tuple(f"--exclude-resource-type={one}" for one in ("seed", "test", "unit_test"))
MAX_REASON = 300
BUILT = "success"
FILES = "mutation_inputs"
"""The schema of the private copy in which the broken rows of files are; dbt builds in that database, so it needs no other name."""


class ThroughDbt:
    """dbt on a copy of its own for each mutant that needs it."""

    def __init__(self, dbt: DbtCommands, folder: PrivateFolder, profile: PrivateProfile) -> None:
        self._dbt, self._folder, self._profile = dbt, folder, profile
        self._alone = threading.Lock()

    @cached_property
    def _mutant(self) -> DbtCommands:
        return self._dbt.for_one_mutant()

    def build(
        self, cursor: duckdb.DuckDBPyConnection, name: str, changed: Mapping[str, str], models: Sequence[Model]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Build these models where `changed` relations hold what other tables do. Returns relations → where they are now, attached
        to the cursor, and the names of those that failed → why. `forget` removes it all.
        """
        there, copied = another_copy(self._folder, self._profile, name)
        files = {one: f"{FILES}.files_{at}" for at, one in enumerate(one for one in changed if "'" in one)}
        main = quoted(next(iter(copied)))
        for relation, place in changed.items():
            in_copy = f"{main}.{'.'.join(map(quoted, files[relation].split('.')))}" if relation in files else relation
            _put(cursor, copied, f"{name}_written", in_copy, place)
        names = sorted({one.name for one in models})
        with self._alone, reading_tables(files):
            results = self._mutant.elsewhere(there).results("build", "--full-refresh", "--select", *names, *WITHOUT)
        status = {one.node.unique_id: one for one in results}
        failed = {}
        for model in models:
            result = status.get(model.key)
            if result is None or str(result.status) != BUILT:
                failed[model.name] = said_of(result)[:MAX_REASON] or "skipped"
        aliases = {catalog: f"{name}_{catalog}" for catalog in copied}
        for catalog, path in copied.items():
            cursor.execute(f"attach {literal(str(path))} as {quoted(aliases[catalog])} (read_only)")
        places = {
            one.relation: ".".join(map(quoted, (aliases[one.database], one.schema, one.identifier)))
            for one in models
            if one.name not in failed
        }
        return places, failed

    def forget(self, cursor: duckdb.DuckDBPyConnection, name: str) -> None:
        """Detach and remove what was built for one mutant."""
        for catalog in self._profile.catalogs:
            with suppress(duckdb.Error):
                cursor.execute(f"detach {quoted(f'{name}_{catalog}')}")
        shutil.rmtree(self._folder.path / name, ignore_errors=True)


def _put(
    cursor: duckdb.DuckDBPyConnection, copied: Mapping[str, object], alias: str, relation: str, place: str
) -> None:
    """Let a relation of the copy hold the rows of another table, whether it was a table or a view.

    The `alias` of the copy meanwhile is seen by all cursors: each mutant has its own.
    """
    catalog, schema, identifier = (part.replace('""', '"') for part in re.findall(r'"((?:[^"]|"")*)"', relation))
    cursor.execute(f"attach {literal(str(copied[catalog]))} as {quoted(alias)}")
    try:
        target = ".".join(map(quoted, (alias, schema, identifier)))
        cursor.execute(f"create schema if not exists {quoted(alias)}.{quoted(schema)}")
        for kind in ("view", "table"):
            with suppress(duckdb.CatalogException):  # it is of the other kind
                cursor.execute(f"drop {kind} if exists {target}")
        cursor.execute(f"create table {target} as from {place}")
    finally:
        cursor.execute(f"detach {quoted(alias)}")
