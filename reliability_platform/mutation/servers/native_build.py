"""Builds what lies below a broken input in the project's own warehouse, from the queries that dbt has compiled for it.

Inputs are copied into a DuckDB of ours, under the same names: there they are learned and broken, in the same rows as in
every other project. What is broken is loaded into the server, into tables of one mutant; all else is read from the clean build.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.mutation.direct_build import CLEAN, DirectBuild, MutantBuild, MutantRoom
from reliability_platform.mutation.project import VIEW, Model, Project, ProjectInput
from reliability_platform.mutation.readings import Fingerprint, columns_of
from reliability_platform.mutation.servers.server import NativeServer, ServerSession
from reliability_platform.mutation.sql_text import quoted


class NativeBuild(DirectBuild):
    """A project in a server, with room for mutants there."""

    def __init__(self, project: Project, catalogs: Mapping[str, Path], folder: Path, server: NativeServer) -> None:
        super().__init__(project, catalogs, (), folder)
        self.server = server
        # Where queries name no database, inputs are found in the one that holds them.
        self.connection.execute(f"use {quoted(server.catalog)}")

    @contextmanager
    def room_in(self, name: str) -> Iterator[MutantRoom]:
        """For one mutant: its input in a database in memory, its models in a transaction."""
        with super().room_in(name) as local, self.server.session(name) as session:
            yield ServerRoom(self, local.cursor, name, session)

    @contextmanager
    def clean_room(self) -> Iterator[MutantRoom]:
        """The room in which the clean build is made again."""
        with self.room(CLEAN) as room:
            yield room

    def keep_views(self, cursor: duckdb.DuckDBPyConnection, built: MutantBuild) -> None:
        """Views stay views: what a transaction has made of them is gone with it."""


class ServerRoom(MutantRoom):
    """The tables of one mutant in the server."""

    _build: NativeBuild

    def __init__(
        self, build: NativeBuild, cursor: duckdb.DuckDBPyConnection, name: str, session: ServerSession
    ) -> None:
        super().__init__(build, cursor, name)
        self._session = session

    def replace_input(self, given: ProjectInput, sql: str, built: MutantBuild) -> None:
        """Break it in DuckDB and load what came of it."""
        super().replace_input(given, sql, built)
        local, _ = built.changed[given.relation]
        server, found = self._build.server, columns_of(self.cursor, local)
        clean, types = dict(columns_of(self.cursor, given.relation)), server.columns(given.relation)
        columns = {name: types[name] if clean.get(name) == kind else server.server_type(kind) for name, kind in found}
        texts = ", ".join(f"{quoted(name)}::varchar as {quoted(name)}" for name in columns)
        rows = self.cursor.execute(f"select {texts} from {local}").to_arrow_table()
        place = self._session.place("input", given.relation.rpartition(".")[2].strip('"'))
        self._session.load(place, columns, rows)
        self._instead[given.relation] = place

    def place(self, schema: str, identifier: str) -> str:
        return self._session.place(schema, identifier)

    def create(self, model: Model, place: str, query: str) -> None:
        has_contract = model.has_contract and model.materialized != VIEW
        self._session.create(place, query, model.relation, has_contract=has_contract)

    def drop(self, place: str) -> None:
        self._session.drop(place)

    def row(self, query: str) -> Any:
        return self._session.row(query)

    def fingerprint(self, place: str, without: Iterable[str] = ()) -> Fingerprint:
        return self._session.fingerprint(place, without)

    def comparable(self, column: str) -> str:
        return self._session.comparable(column)

    def total(self, column: str) -> str:
        return self._session.total(column)

    def interrupt(self) -> None:
        super().interrupt()
        self._session.interrupt()
