"""`reliability generate`: write into the project what follows from its contracts."""

from typing import TYPE_CHECKING

import click

from reliability_platform.cli.options import json_option, people, print_json
from reliability_platform.cli.tables import Table
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.settings import CONTRACTS_FOLDER, PROJECT

if TYPE_CHECKING:
    from reliability_platform.contracts.generation import Planned


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if anything is not as the contracts say.")
@click.option("--overwrite", is_flag=True, help="Replace files that somebody has edited by hand, too.")
@json_option
def generate(check: bool, overwrite: bool, as_json: bool) -> ExitCode:
    """Write dbt sources, staging, silver, their yml and Soda checks as the contracts of the project say.

    A file that somebody has edited by hand is left alone, and nothing else is written either; to keep it, take it over:
    add its name to the contract's custom property takenOver.
    """
    from reliability_platform.contracts import CONTRACTS
    from reliability_platform.contracts.generation import Change, planned, write

    if not CONTRACTS:
        raise UsageError(
            f"{CONTRACTS_FOLDER} declares no source, and generating would remove all that was generated: write a contract first."
        )
    files = planned(PROJECT, CONTRACTS)
    changes = [one for one in files if one.change is not Change.SAME]
    edited = [one.path for one in changes if one.change is Change.EDITED]
    if edited and not (overwrite or check):
        raise UsageError(
            f"{', '.join(edited[:3])}{' and others' if len(edited) > 3 else ''} in {PROJECT} {'was' if len(edited) == 1 else 'were'} "
            "edited by hand, line 1 says what it is generated from: make the change in the contract, list the name without its "
            "ending under takenOver there to write it yourself, or replace it with --overwrite. Nothing was written."
        )
    if not check:
        write(PROJECT, changes)
    if as_json:
        print_json({"project": str(PROJECT), "written": not check, "files": [_document(one) for one in files]})
    else:
        _show(changes, len(files), check)
    return ExitCode.NOT_HEALED if check and changes else ExitCode.OK


def _document(one: "Planned") -> dict[str, str]:
    return {"path": one.path, "change": one.change.value}


def _show(changes: "list[Planned]", files: int, check: bool) -> None:
    if not changes:
        people.print(f"As the contracts say: {counted(files, 'generated file')}.")
        return
    said = (
        counted(len(changes), "file would change", "files would change")
        if check
        else counted(len(changes), "file changed", "files changed")
    )
    table = Table(title=f"{said}, of {files}")
    for column in ("file", "change"):
        table.add_column(column)
    for one in changes:
        table.add_row(one.path, one.change.value)
    people.print(table)
