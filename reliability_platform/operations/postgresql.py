"""The operations store in a PostgreSQL server: one schema for each installation, so that no query can see another's rows.

An installation is a home, wherever it is mounted. The path of each connection has its schema alone: a query names its
tables as it does on SQLite, and the next one that somebody writes is apart from other installations by itself.
"""

import uuid
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection, insert, select, text
from sqlalchemy.schema import CreateSchema

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations.identity import given_identity, has_published, home_id
from reliability_platform.operations.tables import homes, metadata, operations_version
from reliability_platform.settings import Settings, variable

FORMER = "public"
"""Where earlier releases had the tables of the one home that a database could have."""
FORMER_TABLES = (*metadata.tables, "model_versions")


class LostStoreError(EnvironmentUnusableError):
    """The server has no tables of a home that should have some."""


@dataclass(frozen=True)
class Installation:
    """A home whose operations store is in a server."""

    settings: Settings
    home: str

    @classmethod
    def of(cls, settings: Settings) -> "Installation":
        """That of a home, which gets an identity where it has none."""
        return cls(settings, home_id(settings) or given_identity(settings, str(uuid.uuid4())))

    @cached_property
    def schema(self) -> str:
        """The schema that has its tables."""
        try:
            return f"reliability_{uuid.UUID(self.home).hex}"
        except ValueError:
            raise EnvironmentUnusableError(
                f"{self.settings.identity} does not say which home this is: put it back from a snapshot."
            ) from None

    def begin(self, connection: Connection) -> None:
        """Make the schema where it is missing, in the transaction that makes or migrates its tables.

        Tables of an earlier release come along if they are of this home alone. Raises `EnvironmentUnusableError` for those
        that it shared with others: whose a row is, none of them says.
        """
        if connection.scalar(text("select 1 from pg_namespace where nspname = :name"), {"name": self.schema}):
            return
        connection.execute(CreateSchema(self.schema))
        owners = _former_homes(connection)
        if owners is None or not (self.home in owners or (not owners and has_published(self.settings))):
            return
        if len(owners) > 1:
            raise EnvironmentUnusableError(
                f"{len(owners)} homes have shared the tables in the schema {FORMER} of the operations store, and nothing "
                "tells their rows apart: give that schema another name to keep them, and move what is published of this "
                "home away to begin with a new store."
            )
        for table in FORMER_TABLES:
            connection.exec_driver_sql(f'alter table if exists "{FORMER}"."{table}" set schema "{self.schema}"')

    def refuse_new(self) -> None:
        """Raise `LostStoreError` if the store of this home should be there: a new one knows no incident of it."""
        if has_published(self.settings):
            raise LostStoreError(
                f"The operations store that {variable('operations_url')} names has no schema {self.schema} with the tables "
                "of this home, which has published: `reliability restore --damaged` puts it back from a snapshot; a store "
                "that is still in the home's folder counts while that variable is unset."
            )

    def claim(self, connection: Connection) -> None:
        """Write down whose the tables are, in the transaction that made them."""
        if connection.scalar(select(homes.c.id).where(homes.c.id == self.home)) is None:
            connection.execute(insert(homes).values(id=self.home))


def _former_homes(connection: Connection) -> set[str] | None:
    """The homes that the tables of an earlier release are of, as far as they say; None where there are no such tables."""
    there = {
        name: connection.scalar(text("select to_regclass(:name)"), {"name": f"{FORMER}.{name}"}) is not None
        for name in (operations_version.name, homes.name)
    }
    if not there[operations_version.name]:
        return None
    return set(connection.scalars(text(f"select id from {FORMER}.{homes.name}"))) if there[homes.name] else set()
