"""`reliability checks import`: results of other tools' tests are handed in, so that what fails there is an incident here."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from reliability_platform.checks.catalogue import MART_SOURCES
from reliability_platform.cli.options import DAY, echo, hint, home_option, json_option, print_json
from reliability_platform.cli.parameters import FilePath
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.incidents.imported_tests import Imported, import_file
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, suggestion

SHOWN = 20
"""Lines of one kind: a file of 2,000 tests of an unknown table says it 2,000 times."""


def _dataset(name: str) -> str:
    known = [*SOURCES, *MART_SOURCES]
    if name not in known:
        raise UsageError(f"There is no source or published table {name!r}{suggestion(name, known)}")
    return name


def _names(said: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in said:
        name, separator, dataset = one.rpartition("=")
        if not separator:
            raise UsageError(f"--as is written as NAME=DATASET, and {one!r} is not.")
        found[name] = _dataset(dataset)
    return found


def _document(one: Imported) -> dict[str, Any]:
    results = [
        {name: getattr(result, name) for name in ("check", "dataset", "partition", "status", "message")}
        for result in one.results
    ]
    return {**vars(one), "results": results}


def _tell(one: Imported) -> None:
    judged = f"{one.failed} failed, {one.not_evaluated} not evaluated" if one.tests else "none"
    echo(f"{one.file}: {counted(one.tests, 'test')} of {one.tool}, {judged}.")
    for result in one.results:
        echo(f"  {result.partition} {result.dataset}: {result.message}")
    if not one.results:
        echo("  Nothing is new.")
    for lines in (one.unplaced, one.remarks):
        for line in lines[:SHOWN]:
            echo(f"  {line}.")
        if len(lines) > SHOWN:
            echo(f"  and {len(lines) - SHOWN} more of this kind.")
    for incident in one.incidents:
        echo(f"  {incident}: `{hint(f'incidents show {incident}')}`")


@click.command()
@click.argument("files", nargs=-1, required=True, type=FilePath(dir_okay=False, path_type=Path))
@click.option(
    "--manifest",
    type=FilePath(dir_okay=False, path_type=Path),
    default=None,
    help="dbt's manifest.json of the run. [default: the one beside the file]",
)
@click.option("--dataset", default=None, help="The source or published table, where the file names none.")
@click.option(
    "--as",
    "names",
    multiple=True,
    metavar="NAME=DATASET",
    help="What a table of the tool is called here; may be given several times.",
)
@click.option(
    "--day",
    type=DAY,
    default=None,
    help="The landing day that was tested, where the file names none. [default: the whole table]",
)
@home_option
@json_option
def import_results(
    files: tuple[Path, ...],
    manifest: Path | None,
    dataset: str | None,
    names: tuple[str, ...],
    day: date | None,
    settings: Settings,
    as_json: bool,
) -> int:
    """Hand in what other tools' tests said: validation results of Great Expectations, run_results.json of dbt or dbt Cloud.

    A test that fails opens an incident, and the next result that passes lets it end. The last result of each test counts: the
    same file twice changes nothing. Nothing is held for them, and a test that broke off is neither passed nor failed.
    """
    called = _names(names)
    about = None if dataset is None else _dataset(dataset)
    engine = operations_engine(settings)
    done = [
        import_file(settings, engine, path, utc_now(), manifest=manifest, dataset=about, names=called, day=day)
        for path in files
    ]
    if as_json:
        print_json([_document(one) for one in done])
    else:
        for one in done:
            _tell(one)
    return ExitCode.NOT_HEALED if any(one.unplaced for one in done) else ExitCode.OK
