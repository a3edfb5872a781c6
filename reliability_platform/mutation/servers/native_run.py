"""One run in the project's own warehouse: from the parsed project to its copied inputs, and away with all of it in the end."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

import duckdb

from reliability_platform.ending import finish
from reliability_platform.mutation.errors import ProjectUnusableError, ServerStatementError
from reliability_platform.mutation.private_copy import PrivateFolder
from reliability_platform.mutation.private_profile import PrivateProfile, attached
from reliability_platform.mutation.project import Project
from reliability_platform.mutation.sampling import sample_tables
from reliability_platform.mutation.servers.native_build import NativeBuild
from reliability_platform.mutation.servers.postgresql.postgresql import Postgresql
from reliability_platform.mutation.servers.run_schemas import RunSchemas, move
from reliability_platform.mutation.servers.server import NativeServer
from reliability_platform.mutation.servers.spark.spark import Spark
from reliability_platform.mutation.servers.tables_to_sample import TablesToSample
from reliability_platform.mutation.sql_text import literal, quoted

SERVERS: Mapping[str, type[NativeServer]] = {"postgres": Postgresql, "spark": Spark}
PACKAGES = {"postgres": "dbt-postgres==1.11.*", "spark": "dbt-spark==1.11.*"}
LOCAL = "inputs.duckdb"


def refuse_unknown(kind: str) -> None:
    """Raise `ProjectUnusableError` for a warehouse that no project can be built in here, or whose adapter lacks."""
    if kind not in SERVERS:
        raise ProjectUnusableError(
            f"--native builds in {', '.join(SERVERS)}, and the profile is for {kind}: leave it out, the project is built in DuckDB then."
        )
    if find_spec(f"dbt.adapters.{kind}") is None:
        raise ProjectUnusableError(f"--native needs dbt's adapter for {kind}: pip install '{PACKAGES[kind]}'.")


@dataclass
class NativeRun:
    """What a run has in the server."""

    folder: PrivateFolder
    profile: PrivateProfile
    most_rows: int
    seed: int
    schemas: RunSchemas = field(init=False)
    _notes: list[str] = field(default_factory=list)
    _open: ExitStack = field(default_factory=ExitStack)
    _server: NativeServer | None = None

    def __post_init__(self) -> None:
        self.schemas = RunSchemas(uuid4().hex[:8], self.folder.claim)

    @property
    def notes(self) -> list[str]:
        """What came up on the way, for people."""
        return [*self._notes, *(f"a statement was refused: {one}" for one in self.server.refused)]

    @property
    def server(self) -> NativeServer:
        """Once the project is parsed."""
        assert self._server is not None
        return self._server

    def begin(self, manifest: Any) -> None:
        """Have schemas of the run's own in the place of all that a parsed project names, with copies of the tables of its sources."""
        from dbt.adapters.factory import FACTORY

        adapter = FACTORY.lookup_adapter(self.profile.warehouse)
        self._server = server = SERVERS[self.profile.warehouse](adapter, self.schemas)
        self._notes += [*server.sweep(), *server.prepare(manifest)]
        self._open.enter_context(server.guarding())
        tables = move(manifest, adapter, self.schemas)
        server.create(self.schemas.own.values())
        self.profile.catalogs[server.catalog] = self.folder.databases / LOCAL
        unreadable = {one.name: why for one in tables if (why := server.unreadable(one.original))}
        self._notes += [f"{name} cannot be read in the server ({why})" for name, why in unreadable.items()]
        present = {one.copy: one for one in tables if one.name not in unreadable}
        names = {copy: one.name for copy, one in present.items()}
        place = TablesToSample(server, {copy: one.original for copy, one in present.items()})
        sampled, said = sample_tables(names, place, self.most_rows, self.seed)
        self._notes += said
        for copy, one in present.items():
            try:
                if copy not in sampled:
                    server.copy_in(one.original, copy)
                self._take(copy)
            except ServerStatementError as error:
                self._notes.append(f"{one.name} cannot be copied in the server ({error})")

    def take_seeds(self, manifest: Any) -> None:
        """Have the rows of the seeds here, once dbt has loaded them."""
        for node in manifest.nodes.values():
            if str(node.resource_type) == "seed" and not self.server.unreadable(node.relation_name):
                self._take(node.relation_name)

    def build(self, project: Project) -> NativeBuild:
        """The project, with room for mutants."""
        return NativeBuild(project, self.profile.catalogs, self.folder.path, self.server)

    def close(self) -> None:
        """Drop all of it. Raises `ProjectUnusableError` naming what cannot be dropped."""
        self._open.close()
        if self._server is not None:
            try:
                left = self._server.close()
            except ProjectUnusableError as error:
                raise ProjectUnusableError(
                    f"{error} The schemas of this run are left: the next run drops them."
                ) from None
            if left:
                raise ProjectUnusableError(f"{'; '.join(left)}: drop it by hand.")

    def _take(self, relation: str) -> None:
        """Copy a table of the run into our DuckDB, under the same name."""
        types = {name: self.server.duckdb_type(kind) for name, kind in self.server.columns(relation).items()}
        with attached({}) as connection:
            for name, path in self.profile.catalogs.items():
                connection.execute(f"attach {literal(str(path))} as {quoted(name)}")
            connection.execute(f"use {quoted(self.server.catalog)}")
            connection.execute(f"create schema if not exists {relation.rpartition('.')[0]}")
            connection.register("taken", self.server.rows(relation))
            try:
                connection.execute(_created(relation, types))
            except duckdb.Error:  # a value that DuckDB's type has not, as a decimal that is no number
                connection.execute(_created(relation, dict.fromkeys(types, "varchar")))


def _created(relation: str, types: Mapping[str, str]) -> str:
    columns = ", ".join(f"{quoted(name)}::{kind} as {quoted(name)}" for name, kind in types.items())
    return f"create table {relation} as select {columns} from taken"


@contextmanager
def native_run(folder: PrivateFolder, profile: PrivateProfile, most_rows: int, seed: int) -> Iterator[NativeRun]:
    """A run whose schemas are gone afterwards, however it ends."""
    run = NativeRun(folder, profile, most_rows, seed)
    try:
        yield run
    finally:
        finish(run.close)
