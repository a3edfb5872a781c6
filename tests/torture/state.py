"""What a home holds, in a form that two homes can be compared by: everything that must not depend on a crash.

Left out is what says when, by which run and under which number: times, run ids, the numbers of versions; and from what a day
was admitted last, which spares the next admission and changes with each build that finds dead letters.
"""

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import SOURCES
from reliability_platform.damage import what_is_wrong
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.discards import Discards
from reliability_platform.landing.unchanged import ADMITTED_FROM
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.ledger import ReplayLedger
from reliability_platform.settings import Settings
from reliability_platform.warehouse.built import ORIGIN
from reliability_platform.warehouse.publication import CURRENT, current_version, read_publication

State = dict[str, dict[str, Any]]
"""Part → key → value; all of it JSON."""

BY_BYTES = ("landing", "bronze", "quarantine", "reference", "decisions", "faults")
"""Folders whose files must be the same, byte for byte."""
OF_CRASHES = "run_killed"
"""The class of incident that a killed build rightly leaves; the uncrashed home has none."""
NUMBERED = re.compile(r"^v\d+$")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _files(settings: Settings) -> dict[str, str]:
    return {
        str(path.relative_to(settings.home)): _digest(path)
        for folder in BY_BYTES
        for path in sorted((settings.home / folder).rglob("*"))
        if path.is_file() and path.name != ADMITTED_FROM and not _is_draft(path, settings.home)
    }


def _is_draft(path: Path, home: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(home).parts)


def _tables(settings: Settings) -> dict[str, list[Any]]:
    """Rows of each table and two order-free digests of them."""
    if not settings.warehouse.exists():
        return {}
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        query = "select table_name from duckdb_tables() where table_name <> ? order by 1"
        names = connection.execute(query, [ORIGIN]).fetchall()  # says of which home, and by which build
        return {
            name: list(
                connection.execute(
                    f"select count(*), bit_xor(hash(t))::varchar, sum(hash(t)::hugeint)::varchar from {name} as t"
                ).fetchall()[0]
            )
            for (name,) in names
        }


def _published(settings: Settings) -> dict[str, Any]:
    version = current_version(settings)
    if version is None:
        return {}
    publication = read_publication(settings, version)
    found: dict[str, Any] = {"held": publication.held}
    for table in publication.tables:
        # A home that was killed has published more versions: since which one rows are there says nothing.
        dates = {day: [one.rows, one.digest] for day, one in table.dates.items()}
        found[table.name] = {**vars(table), "dates": dates}
    return found


def _results(settings: Settings) -> dict[str, list[Any]]:
    latest = CheckStore(operations_engine(settings)).latest()
    return {
        f"{one.check} {one.partition}": [one.status.value, one.value]
        for one in latest
        if one.check in CHECKS and CHECKS[one.check].engine != "run"
    }


def _incidents(settings: Settings) -> dict[str, Any]:
    """By name without its number; how often it is there, so that a doubled one shows."""
    found: dict[str, Any] = {}
    for one in IncidentStore(operations_engine(settings)).all():
        if one.failure_class == OF_CRASHES:
            continue
        name = one.id.split("-", 2)[2]
        signals = sorted({f"{signal.check} {signal.partition}" for signal in one.signals})
        days = [day.isoformat() for day in one.partitions]
        found.setdefault(name, []).append([one.state.value, one.severity.value, days, signals])
    return found


def _ledger(settings: Settings) -> dict[str, str]:
    replays = ReplayLedger(operations_engine(settings)).all()
    return {f"{one.source} {one.landing_date} {one.batch_id} {one.how}": one.fingerprint for one in replays}


def _discards(settings: Settings) -> dict[str, str]:
    days = [
        date.fromisoformat(path.name.removeprefix("landing_date="))
        for path in settings.landing.glob("*/landing_date=*")
    ]
    return {one.key: one.who for source in SOURCES for one in Discards(operations_engine(settings)).of(source, days)}


def state_of(settings: Settings) -> State:
    """Everything that must be equal."""
    return json.loads(  # type: ignore[no-any-return]
        json.dumps(
            {
                "files": _files(settings),
                "tables": _tables(settings),
                "published": _published(settings),
                "results": _results(settings),
                "incidents": _incidents(settings),
                "ledger": _ledger(settings),
                "discards": _discards(settings),
            },
            default=str,
        )
    )


def differences(actual: State, expected: State) -> list[str]:
    """In words, at most a few of each part."""
    found = []
    for part, wanted in expected.items():
        here = actual[part]
        keys = [key for key in sorted({*here, *wanted}) if here.get(key) != wanted.get(key)]
        found += [f"{part}: {key}: {here.get(key)} instead of {wanted.get(key)}"[:400] for key in keys[:4]]
        if len(keys) > 4:
            found.append(f"{part}: and {len(keys) - 4} more")
    return found


def broken(settings: Settings) -> list[str]:
    """What may be broken at no moment, not even right after a kill: the timeline's chain and what consumers read."""
    found = [f"timeline: {one}" for one in IncidentStore(operations_engine(settings)).broken_links()]
    version = current_version(settings)
    if version is None:
        return found
    for table in read_publication(settings, version).tables:
        files = {settings.published / CURRENT / name: expected for name, expected in table.files.items()}
        if any(what_is_wrong(path, expected) for path, expected in files.items()):
            found.append(f"published: {table.name} is not what its record says")
        elif sum(pq.read_metadata(path).num_rows for path in files) != table.rows:
            found.append(f"published: {table.name} has other rows than its record says")
    return found


def killed_builds(settings: Settings) -> list[str]:
    """The incidents of builds that were killed, by state."""
    incidents = IncidentStore(operations_engine(settings)).all()
    return [one.state.value for one in incidents if one.failure_class == OF_CRASHES]


def _names(home: Path) -> set[str]:
    """Every file, with the parts of names that are drawn or counted made alike."""
    found = set()
    for path in home.rglob("*"):
        parts = path.relative_to(home).parts
        drawn = parts[0] in ("dagster", "dbt", "incidents", "snapshots") or path.is_dir()
        if drawn and not path.name.startswith("."):
            continue
        found.add("/".join("version" if NUMBERED.match(part) else part for part in parts))
    return found


def leftovers(home: Path, clone: Path) -> list[str]:
    """Files that the crashed home has and its clone has not."""
    return sorted(_names(home) - _names(clone))
