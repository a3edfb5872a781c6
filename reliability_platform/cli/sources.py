"""`reliability sources`: how each source stands, a contract for a new one, and a real one on loopback for drills."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from reliability_platform.atomic import write_atomically
from reliability_platform.cli.options import echo, home_option, json_option, people, print_json, progress
from reliability_platform.cli.parameters import SEED, Number, Whole
from reliability_platform.cli.pauses import missed_words, pause_source, resume_source
from reliability_platform.cli.tables import Table
from reliability_platform.clock import FIRST_DAY, utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.formats import NOTHING
from reliability_platform.settings import (
    CONTRACTS_FOLDER,
    OWN_DBT_PROJECT,
    PROJECT,
    PROJECT_ROOT,
    SETTINGS_FILE,
    Settings,
    variable,
)

if TYPE_CHECKING:
    from reliability_platform.contracts.inference.references import DeclaredSource
    from reliability_platform.contracts.servers import Server

HEADER = (
    "source",
    "comes by",
    "breaker",
    "next probe (UTC)",
    "last fetch",
    "refusals",
    "missing",
    "deadline (UTC)",
    "at risk",
)


def _row(one: dict[str, Any]) -> list[str]:
    def clock(moment: datetime | None) -> str:
        return NOTHING if moment is None else f"{moment:%m-%d %H:%M:%S}"

    fetch, deadline = one["last_fetch"] or {}, one["next_deadline"]
    return [
        one["source"],
        one["comes_by"],
        one["breaker"].replace("_", "-"),
        clock(one["next_probe_at"]),
        f"{clock(fetch['fetched_at'])}, of {fetch['landing_date']:%m-%d}" if fetch else NOTHING,
        str(fetch.get("refusals", NOTHING)),
        NOTHING if one["missing"] is None else str(one["missing"]),
        clock(deadline["at"]),
        "paused" if one["paused"] else "yes" if one["at_risk"] else "no",
    ]


def _show(settings: Settings, as_json: bool) -> None:
    from reliability_platform.operations import operations_engine
    from reliability_platform.service.queries.sources import source_standings

    found = source_standings(settings, operations_engine(settings), utc_now())
    documents = [one.model_dump() for one in found]
    if as_json:
        print_json(documents)
        return
    table = Table(title="Sources")
    for column in HEADER:
        table.add_column(column)
    for one in documents:
        style = "red" if one["at_risk"] else None if one["breaker"] == "closed" else "yellow"
        table.add_row(*map(escape, _row(one)), style=style)
    people.print(table)
    for one in documents:
        if one["at_risk"] or one["paused"]:
            people.print(f"{one['source']}: {one['paused'] or one['outlook']}.", markup=False, soft_wrap=True)
        if missed := one["missed_while_paused"]:
            people.print(f"{one['source']}: {missed_words(missed)}", markup=False, soft_wrap=True)


@click.group(invoke_without_command=True)
@home_option
@json_option
@click.pass_context
def sources(context: click.Context, settings: Settings, as_json: bool) -> None:
    """Per source: breaker, last fetch, what is missing, next deadline; the same as `list`.

    A source is fetched over HTTP if its contract, RELIABILITY_SOURCE_URL or RELIABILITY_SOURCE_URLS says where; `serve`
    starts one for drills.
    """
    if context.invoked_subcommand is None:
        _show(settings, as_json)


sources.add_command(pause_source)
sources.add_command(resume_source)


@sources.command("list")
@home_option
@json_option
def list_sources(settings: Settings, as_json: bool) -> None:
    """Per source: its circuit breaker, its last fetch, what is missing, the next deadline and whether it is at risk."""
    _show(settings, as_json)


@sources.command()
@click.option("--port", type=Whole(0, 65535), default=8470, show_default=True, help="0 takes a free one.")
@click.option(
    "--misbehave", "names", multiple=True, help="A kind of misbehaviour, several times for several. [default: all]"
)
@click.option("--share", type=Number(0, 1), default=0.0, show_default=True, help="Share of requests that meet it.")
@click.option("--seed", type=SEED, default=7, show_default=True, help="Draws which ones; the same seed draws the same.")
@click.option("--seconds", type=Number(min=0), default=None, help="End after so long. [default: Ctrl-C]")
@home_option
def serve(
    port: int, names: tuple[str, ...], share: float, seed: int, seconds: float | None, settings: Settings
) -> None:
    """Serve the sources of a home of the lab, simulated or recorded, over HTTP on loopback, and answer a share of requests badly.

    Then run the pipeline in another shell with RELIABILITY_SOURCE_URL set to the address that is printed.
    """
    from reliability_platform.lab.clean import clean_sources
    from reliability_platform.lab.simulation.misbehaviour import MISBEHAVIOURS, seeded
    from reliability_platform.lab.simulation.server import serving

    unknown = sorted(set(names) - MISBEHAVIOURS.keys())
    if unknown:
        raise UsageError(f"There is no misbehaviour {unknown[0]!r}: choose of {', '.join(MISBEHAVIOURS)}.")
    kinds = [MISBEHAVIOURS[name] for name in names or MISBEHAVIOURS]
    sources = clean_sources(settings)
    try:
        with serving(sources, seeded(seed, share, kinds), port) as server:
            echo(server.url)
            for kind in kinds if share else ():
                progress.print(f"{kind.name}: {kind.description}")
            began = time.monotonic()
            while seconds is None or time.monotonic() - began < seconds:
                time.sleep(0.1)
    except OSError as error:
        raise EnvironmentUnusableError(
            f"Port {port} cannot be used ({error.strerror}): choose another with --port."
        ) from None


class _Patterns(click.Command):
    """Takes `--from a b c` for `--from a --from b --from c`: the shell makes many words of one pattern."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Every word after `--from` up to the next option is one more file."""
        spread: list[str] = []
        after = None
        for word in args:
            if word.startswith("--"):
                after = word if word in ("--from", "--reference") else None
                spread.append(word)
            elif after is not None and spread[-1] != after:
                spread += [after, word]
            else:
                spread.append(word)
        return super().parse_args(ctx, spread)


@sources.command("add", cls=_Patterns)
@click.argument("name")
@click.option(
    "--from", "patterns", multiple=True, required=True, help="Deliveries to look at: files, folders, patterns."
)
@click.option("--reference", "references", multiple=True, help="Tables whose keys the values may refer to, one a file.")
@click.option("--key", default=None, help="Columns that identify a row, with commas. [default: searched for]")
@click.option("--event-time", default=None, help="The column that says when a row happened. [default: searched for]")
@click.option(
    "--feeds",
    default=None,
    help="What of your dbt project it stands for: source.table, or a seed. [default: what is called NAME there]",
)
@click.option(
    "--table",
    default=None,
    help="The table of a database, or the topic where --from is kafka://broker:9092. [default: NAME]",
)
@click.option("--credentials", default=None, help="Where its secret is: env:NAME, file:/path or command:program.")
@click.option("--yes", is_flag=True, help="Take everything as proposed; the file says so.")
@click.option("--full", is_flag=True, help="Read every row of every file, not a sample.")
@json_option
def add(
    name: str,
    patterns: tuple[str, ...],
    references: tuple[str, ...],
    key: str | None,
    event_time: str | None,
    feeds: str | None,
    table: str | None,
    credentials: str | None,
    yes: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Propose a contract for a new source by what its deliveries hold, and write it into the project.

    Deliveries are files, or a table of a database: postgresql://user@host:5432/database, duckdb:///path, sqlite:///path.
    Each line has its evidence as a comment. What is uncertain is asked, or marked in the file with `# ?`.
    """
    from reliability_platform.contracts import SOURCES
    from reliability_platform.contracts.first_mart import write_first_mart
    from reliability_platform.contracts.inference.document import contract_text
    from reliability_platform.contracts.inference.files import files_of
    from reliability_platform.contracts.inference.session import proposed
    from reliability_platform.contracts.inference.tables import keep_tables
    from reliability_platform.contracts.odcs import name_refusal, read_contracts
    from reliability_platform.sources.sampling import SAMPLE_ROWS

    if (refused := name_refusal(name)) is not None:
        raise UsageError(f"{refused[:1].upper()}{refused[1:]}: give it another name.")
    path = CONTRACTS_FOLDER / f"{name}.yml"
    asks = sys.stdin.isatty() and not (yes or as_json)
    if path.exists() and not (asks and click.confirm(f"{path} is there already. Replace it?")):
        raise UsageError(f"{path} is there already: give the source another name, or remove the file.")
    if not path.exists() and name in SOURCES:
        raise UsageError(
            f"The source {name!r} is declared in another file of {CONTRACTS_FOLDER}: give this one another name."
        )
    feeds = _feeds(name, feeds)
    named = {one.stem.partition(".")[0]: [one] for one in files_of(references)} if references else {}
    known = {one.stem: [one] for one in sorted((CONTRACTS_FOLDER.parent / "reference").glob("*.parquet"))}
    keys = tuple(one.strip() for one in key.split(",")) if key else ()
    with _sample(name, patterns, table, credentials, full) as (files, server):
        proposal = proposed(name, files, known | named, full, keys, event_time, _ask if asks else None, _declared(name))
    if server is not None:
        proposal.in_database(server, table or name, full or proposal.sample.rows < SAMPLE_ROWS)
    written = contract_text(proposal, yes, feeds).encode()
    with TemporaryDirectory(prefix="sources-add-") as folder:
        draft = Path(folder) / path.name
        draft.write_bytes(written)
        [contract] = read_contracts(draft)
    kept = keep_tables(path.parent.parent, named)
    mart = write_first_mart(path.parent.parent, contract) if OWN_DBT_PROJECT is None else []
    first_day = _know_days_since(proposal.first_day)
    write_atomically(path, written)  # last: with the contract there, a call after one that was killed would be refused
    if as_json:
        print_json(
            {
                "source": name, "path": str(path), "rows": proposal.sample.rows, "whole": proposal.sample.whole,
                "columns": len(proposal.columns), "key": proposal.key.value, "event_time": proposal.event_time.value,
                "format": proposal.sample.format.declared, "questions": proposal.questions, "taken_as_proposed": yes, "feeds": feeds, "mart": mart, "reference": kept, "first_day": proposal.first_day,
            }
        )  # fmt: skip
        return
    people.print(f"{path}, from {proposal.sample.read}.", markup=False, soft_wrap=True)
    people.print(f"Key: {', '.join(proposal.key.value)}. Event time: {proposal.event_time.value}.", markup=False)
    if feeds is not None:
        people.print(f"It stands for {feeds} of the dbt project {OWN_DBT_PROJECT}.", markup=False, soft_wrap=True)
    for one in kept:
        people.print(f"{one}: a reference table of the project, replace it when it changes.", markup=False)
    for one in mart:
        people.print(f"{one}: a first table to publish, yours to change.", markup=False)
    if first_day:
        people.print(first_day, markup=False)
    told = "taken as proposed" if yes else "to look at"
    people.print(f"{counted(proposal.questions, 'line')} marked `# ?` {told}.", markup=False)
    people.print(
        f"Next: `reliability generate`, then `reliability run --from {proposal.first_day} --to {proposal.first_day}`.",
        markup=False,
    )


@contextmanager
def _sample(
    name: str, patterns: tuple[str, ...], table: str | None, credentials: str | None, full: bool
) -> Iterator[tuple[tuple[str, ...], "Server | None"]]:
    """The files to look at, and the database of which they are a sample."""
    from reliability_platform.sources.sampling import is_server, sample_of, server_of

    if not is_server(patterns[0]):
        if table is not None or credentials is not None:
            raise UsageError(
                "--table and --credentials are of a database or a topic: name one as --from, as duckdb:///path."
            )
        yield patterns, None
        return
    if len(patterns) > 1:
        raise UsageError("A source has one table or topic: name one database or cluster with --from.")
    server = server_of(patterns[0], credentials)
    with TemporaryDirectory(prefix="sources-add-") as folder:
        yield (str(sample_of(server, table or name, Path(folder), full)),), server


def _declared(name: str) -> "list[DeclaredSource]":
    """The other sources of the project, with what of them has landed in its home."""
    from reliability_platform.contracts import CONTRACTS
    from reliability_platform.contracts.inference.references import DeclaredSource
    from reliability_platform.parquet import scan_days
    from reliability_platform.settings import load_settings

    bronze = load_settings().bronze
    return [
        DeclaredSource(one, scan_days(bronze / source) if any((bronze / source).glob("*/*.parquet")) else None)
        for source, one in CONTRACTS.items()
        if source != name
    ]


def _feeds(name: str, said: str | None) -> str | None:
    """What of an own dbt project a source stands for: what is said, else what is called like it."""
    from reliability_platform.warehouse.own_project import own_project

    own = own_project()
    if own is None:
        if said is not None:
            raise UsageError("--feeds is for projects around a dbt project of your own: see `reliability init --help`.")
        return None
    if said is None:
        return own.called(name)
    names = [*own.sources(), *own.seeds()]
    if said not in names:
        raise UsageError(f"{own.name} has no source and no seed {said!r}: {', '.join(names) or 'it has none at all'}.")
    return said


def _know_days_since(first: date) -> str:
    """Let the project know landing days from the first one of a new source on; what was done for it, or must be."""
    if first >= FIRST_DAY:
        return ""
    name, said = variable("first_day"), first.replace(day=1)
    line = f"{name}={said}"
    if PROJECT == PROJECT_ROOT or (name in os.environ and said != FIRST_DAY):
        return f"Its first day is {first}: set {line} to have it."
    lines = SETTINGS_FILE.read_text().splitlines() if SETTINGS_FILE.is_file() else []
    kept = [one for one in lines if not one.strip().startswith(f"{name}=")]
    write_atomically(SETTINGS_FILE, ("\n".join([*kept, line]) + "\n").encode())
    return f"{SETTINGS_FILE.name}: {line}, for its first day is {first}."


def _ask(question: str, proposal: str) -> str:
    return str(click.prompt(question, default=proposal, err=True))
