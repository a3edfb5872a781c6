"""What a contract says of its servers: which one counts, what kind of source it makes, and that it holds no secret."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.contracts.servers import Server

CANARY = "hunter2canary"
CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "flights",
    "version": "1.0.0",
    "status": "active",
    "customProperties": [{"property": "eventTime", "value": "left_at"}],
    "schema": [
        {
            "name": "flights",
            "physicalName": "ops.flights",
            "properties": [
                {"name": "flight", "physicalType": "BIGINT", "primaryKey": True},
                {"name": "left_at", "physicalType": "TIMESTAMP", "required": True},
            ],
        }
    ],
}
POSTGRESQL = {
    "server": "shop",
    "type": "postgresql",
    "host": "db.example.com",
    "port": 5432,
    "database": "shop",
    "schema": "ops",
}
SQLITE = {"server": "till", "type": "custom", "database": "~/till.db", "engine": "sqlite"}
API = {"server": "api", "type": "api", "location": "https://api.example.com/v1"}
BUCKET = {"server": "drop", "type": "s3", "location": "s3://airline/*.csv", "endpointUrl": "https://minio.example.com"}


def read(tmp_path: Path, *servers: dict[str, Any], **custom: Any) -> Contract:
    """A contract with these servers; what the standard has no field for becomes a custom property."""
    content = json.loads(json.dumps(CONTRACT))
    content["customProperties"] += [{"property": name, "value": value} for name, value in custom.items()]
    content["servers"] = []
    for one in servers:
        own = {
            name: one[name]
            for name in one
            if name in ("engine", "user", "credentials", "caFile", "tls", "options", "fallback", "fallbak")
        }
        content["servers"].append(
            {name: value for name, value in one.items() if name not in own}
            | {"customProperties": [{"property": name, "value": value} for name, value in own.items()]}
        )
    path = tmp_path / "flights.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    [contract] = read_contracts(path)
    return contract


def test_the_type_of_a_server_says_what_kind_of_source_it_is(tmp_path: Path) -> None:
    """Whoever declares a database need not say twice that it is one."""
    assert [read(tmp_path, one).kind for one in (POSTGRESQL, SQLITE, API, BUCKET)] == [
        "database",
        "database",
        "http",
        "drop",
    ]
    found = read(tmp_path, POSTGRESQL | {"user": "reader", "credentials": "env:SHOP_PASSWORD"})
    assert found.servers == (
        Server("postgresql", "shop", "shop", "db.example.com", 5432, "ops", "reader", "env:SHOP_PASSWORD"),
    )
    assert (found.table, found.file_format.of_texts) == ("ops.flights", True)
    bucket = read(tmp_path, BUCKET | {"options": {"key": "env:KEY", "secret": "file:/run/secret"}}).servers[0]
    assert dict(bucket.options) == {
        "endpoint_url": "https://minio.example.com", "key": "env:KEY", "secret": "file:/run/secret",
    }  # fmt: skip


def test_the_first_server_counts_and_those_that_are_marked_as_its_fallback(tmp_path: Path) -> None:
    """A contract lists environments, too: a test system must not be asked where production is away."""
    replica = POSTGRESQL | {"server": "replica", "host": "replica.example.com", "fallback": True}
    test = POSTGRESQL | {"server": "test", "host": "test.example.com"}
    assert [one.name for one in read(tmp_path, POSTGRESQL, test, replica).servers] == ["shop", "replica"]


REFUSED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "a secret in place of its reference": ([POSTGRESQL | {"credentials": CANARY}], {}, "no secret: write env:NAME"),
    "a password in a URL": ([API | {"location": f"https://me:{CANARY}@api.example.com"}], {}, "a contract holds no secret"),
    "a token in a query": ([API | {"location": f"https://api.example.com/?token={CANARY}"}], {}, "a contract holds no secret"),
    "a password in a URL of a bucket": ([BUCKET | {"endpointUrl": f"https://me:{CANARY}@m.example.com"}], {}, "no secret"),
    "a secret among options": ([BUCKET | {"options": {"secret": CANARY}}], {}, "the option secret, which is no reference"),
    "a connection string": ([POSTGRESQL | {"database": f"dbname=shop password={CANARY}"}], {}, "say host, port and database"),
    "verification switched off": ([BUCKET | {"options": {"verify": False}}], {}, "always verified"),
    "credentials in the clear": (
        [API | {"location": "http://api.example.com", "credentials": "env:TOKEN"}], {}, "plain http to another machine"
    ),
    "credentials of a bucket in their own field": ([BUCKET | {"credentials": "env:KEY"}], {}, "under `options`"),
    "a type that the standard does not have": ([SQLITE | {"type": "sqlite"}], {}, "say type: custom"),
    "a fallback of another kind": ([POSTGRESQL, API | {"fallback": True}], {}, "of several kinds"),
    "a misspelt property": ([POSTGRESQL | {"fallbak": True}], {}, "did you mean fallback?"),
    "a database without its name": ([{"server": "x", "type": "duckdb"}], {}, "says no database"),
    "a kind that its server is not": ([POSTGRESQL], {"sourceKind": "drop"}, "its server makes it 'database'"),
    "a database without a server": ([], {"sourceKind": "database"}, "no server says"),
    "a file format in a database": ([POSTGRESQL], {"fileFormat": {"format": "csv"}}, "it is in a database"),
    "a query of files": ([BUCKET], {"query": "select 1 where :day"}, "asked of databases"),
    "a query without the day": ([POSTGRESQL], {"query": "select * from flights"}, "does not use the day"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_meant_is_refused_without_being_repeated(what: str, tmp_path: Path) -> None:
    """An error is copied into tickets, and a contract into a repository."""
    servers, custom, words = REFUSED[what]
    with pytest.raises(ContractError) as refused:
        read(tmp_path, *servers, **custom)
    assert words in str(refused.value)
    assert CANARY not in str(refused.value)
