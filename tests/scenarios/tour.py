"""A tour through a home with the real command line, in a process of its own: whatever it says and logs can be searched.

`python -m tests.scenarios.tour whole|short HOME FIRST LAST BATCH…`
"""

import logging
import sys
import time
from collections.abc import Collection
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.atomic import parquet_bytes
from reliability_platform.cli.main import main
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.reference import load_reference
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.source import reference_files
from tests.scenarios.planted import CARD, MAIL, NAME, PHONE


def say(*words: str, home: Path) -> None:
    """Run one command; whatever becomes of it is part of the tour."""
    print(f"$ reliability {' '.join(words[:3])} at {time.monotonic():.0f} s", flush=True)  # noqa: T201
    try:
        main([*words, "--home", str(home)])
    except SystemExit as stop:
        print("exit", stop.code, flush=True)  # noqa: T201


def look(settings: Settings, batches: list[str], seen: Collection[str] = ()) -> list[str]:
    """Every command that shows something, in both forms; the incidents that it looked at: one of each class, not of `seen`."""
    new = [one for one in IncidentStore(operations_engine(settings)).all() if one.id not in seen]
    incidents = list({one.failure_class: one.id for one in new}.values())
    commands = [["checks", "--all"], ["quarantine", "list"], ["incidents", "list"]]
    commands += [
        ["slo"],
        ["incidents", "actions"],
        ["incidents", "metrics"],
        ["alerts", "list"],
        ["openlineage", "status"],
    ]
    commands += [["incidents", what, one] for one in incidents for what in ("show", "runbook", "timeline")]
    commands += [
        ["incidents", what, one] for one in incidents[:4] for what in ("assess", "message", "postmortem", "impact")
    ]
    commands += [["quarantine", "show", one, "--limit", "1000"] for one in batches if one.count("-") >= 2]
    for words in commands:
        say(*words, home=settings.home)
        say(*words, "--json", home=settings.home)
    return incidents


def retype(settings: Settings) -> None:
    """Behind the pipeline's back: numbers become text, and somebody's name stands in it. Soda and dbt fail over it."""
    customers = pq.read_table(settings.reference / "customers.parquet")
    place = customers.column_names.index("customer_id")
    names = pa.array([NAME] * customers.num_rows)
    named = parquet_bytes(customers.set_column(place, "customer_id", names))
    load_reference(settings, {**reference_files(settings), "customers": named})
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("alter table stg_orders alter quantity type varchar")
        connection.execute("update stg_orders set quantity = ? where disposition = 'valid'", [NAME])


def tour(home: Path, first: str, last: str, batches: list[str], *, whole: bool) -> None:
    """Run, look, break tables so that engines quote what they cannot convert, look. The whole tour heals all incidents,
    with approval, proves and grades.
    """
    settings = load_settings(home)
    window = ["--from", first, "--to", last]
    say("run", *window, home=home)
    seen = look(settings, batches)
    leaks = [one.id for one in IncidentStore(operations_engine(settings)).all() if one.failure_class == "pii_leak"]
    if whole:
        say("heal", home=home)
        say("heal", "--incident", leaks[0], home=home)
    say("incidents", "note", leaks[0], "--why", f"{MAIL} has paid with {CARD}; ask {PHONE}", home=home)
    say("hold", "--source", "orders", "--date", first, "--why", f"{MAIL} called", home=home)
    if whole:
        say("verify", home=home)
    retype(settings)
    from reliability_platform.cli.session import driving
    from reliability_platform.errors import PlatformError

    with driving(settings, healing=False) as (_, daemon):
        for job in ("audit", "reprocess"):
            day = date.fromisoformat(last)
            try:
                daemon.run(job, first=day, last=day)
            except PlatformError as error:
                print(error)  # noqa: T201
        daemon.settle()
    look(settings, [], set(seen) - {leaks[0]})
    if whole:
        say("scorecard", home=home)
    say("doctor", home=home)


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    length, home, first, last, *batches = sys.argv[1:]
    tour(Path(home), first, last, batches, whole=length == "whole")
