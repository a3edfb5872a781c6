"""Whether the layers below gold, and tables of an own dbt project, are as the last build left them: asked before each publication, recorded as a check."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.checks.catalogue import OWN_TABLES
from reliability_platform.checks.monitor_result import monitor_result
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import major_of
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.in_memory import in_memory
from reliability_platform.landing.all_admissions import gather_admissions
from reliability_platform.operations.identity import home_id
from reliability_platform.parquet import scan
from reliability_platform.settings import Settings
from reliability_platform.warehouse.built import changed_since_built, is_anothers
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.own_built import own_changed_since_built
from reliability_platform.warehouse.published import Partition

_OF_OWN_TABLES = {one.name: f"{one.name}__as_built" for one in OWN_TABLES}
_OF_LAYERS = {source: f"stg_{source}__as_built" for source in SOURCES}


def changed_partitions(settings: Settings, engine: Engine) -> dict[Partition, list[str]]:
    """The tables of each source and landing day that somebody has changed since they were built.

    Raises `EnvironmentUnusableError` if the warehouse is not the one that was built here last.
    """
    found: dict[Partition, list[str]] = {}
    journal = BuildJournal(engine, settings.builds)
    with warehouse_reader(settings) as connection:
        words = is_anothers(connection, home_id(settings), journal.last_success())
        if words is not None:
            raise EnvironmentUnusableError(
                f"Nothing is published: {settings.warehouse.name} {words}; put it back with `reliability restore`."
            )
        changed = changed_since_built(settings, connection)
        changed += own_changed_since_built(settings, connection, OWN_TABLES)
        for table, source, day in changed:
            found.setdefault((source, day), []).append(table)
    return found


def _admissions(settings: Settings) -> str:
    """The records of all admissions with their landing day, as a part of a query."""
    return f"admissions as (from {scan(*(gather_admissions(settings, source) for source in SOURCES))})"


def admitted_versions(settings: Settings) -> dict[Partition, str]:
    """The version of its contract by which each landing day was admitted; releases before 0.4 do not say."""
    with in_memory() as connection:
        found = connection.execute(
            f"with {_admissions(settings)} "
            "select distinct source, contract_version, landing_date from admissions where contract_version is not null order by all"
        ).fetchall()
    return {(source, day): version for source, version, day in found if source in CONTRACTS}


def fallbacks_used(settings: Settings) -> dict[Partition, list[str]]:
    """The servers from which the deliveries of a landing day came that count, where those are not the first of their source.
    A later attempt from the first one ends that; releases before 0.4 do not say."""
    if not any(contract.fallbacks for contract in CONTRACTS.values()):
        return {}
    with in_memory() as connection:
        found = connection.execute(
            f"with {_admissions(settings)}, "
            "counting as (select * from admissions where status = 'admitted' qualify batch_attempt = max(batch_attempt) "
            "over (partition by source, landing_date, batch_sequence)) "
            "select distinct source, landing_date, fallback from counting where fallback is not null order by all"
        ).fetchall()
    used: dict[Partition, list[str]] = {}
    for source, day, fallback in found:
        if source in CONTRACTS:
            used.setdefault((source, day), []).append(fallback)
    return used


def outdated_partitions(admitted: Mapping[Partition, str]) -> dict[Partition, str]:
    """The landing days that were admitted under another first number of their contract's version than is theirs now: why
    each is held. Rows of two readings would add up to nothing that anybody has promised."""
    return {
        (
            source,
            day,
        ): f"it was admitted under version {version} of its contract, and version {now.version} is for it now: "
        f"`reliability backfill --from {day} --to {day}` reads it anew"
        for (source, day), version in admitted.items()
        if major_of(version) != (now := CONTRACTS[source].on(day)).major
    }


def record_changed(
    engine: Engine, changed: Mapping[Partition, Sequence[str]], now: datetime, run_id: str
) -> dict[Partition, str]:
    """Record each change once, and that a day is as it was built again; by partition, why it must be held."""
    store = CheckStore(engine)
    failing = {
        (one.check, one.partition): one.message
        for one in store.latest(checks=[*_OF_LAYERS.values(), *_OF_OWN_TABLES.values()])
        if one.status is CheckStatus.FAILED
    }
    found: dict[tuple[str, date], set[str]] = {}
    for (source, day), tables in changed.items():
        for table in tables:
            found.setdefault((_OF_OWN_TABLES.get(table, _OF_LAYERS[source]), day), set()).add(table)
    messages = {one: _message(tables) for one, tables in found.items()}
    store.record(
        [
            *(
                monitor_result(check, day, CheckStatus.FAILED, message, run_id, now)
                for (check, day), message in messages.items()
                if failing.get((check, day)) != message
            ),
            *(
                monitor_result(check, day, CheckStatus.PASSED, "its rows are as built", run_id, now)
                for check, day in failing
                if (check, day) not in messages
            ),
        ]
    )
    return {partition: _message(tables) for partition, tables in changed.items()}


def _message(tables: Iterable[str]) -> str:
    return f"{', '.join(sorted(tables))} was changed after it was built"
