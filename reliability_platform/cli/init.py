"""`reliability init`: a project of one's own."""

from pathlib import Path

import click

from reliability_platform.cli.options import json_option, people, print_json
from reliability_platform.counted import counted
from reliability_platform.masking import printable


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Begin a project of your own in FOLDER: contracts, dbt models, Soda checks, without the shop that comes along.

    Declare its sources in contracts/NAME.yml, then `reliability generate` writes what follows from them. Commands serve
    the project of the folder in which they are typed.
    """
    from reliability_platform.contracts.skeleton import make_project

    files = make_project(folder)
    if as_json:
        print_json({"project": str(folder.absolute()), "files": files})
        return
    named = printable(str(folder), 200)
    people.print(f"{named} is a project with {counted(len(files), 'file')}.", markup=False)
    people.print(
        "Next: cd there, `reliability sources add NAME --from FILES` (or write contracts/NAME.yml), `reliability generate`, "
        "then `reliability run`.",
        markup=False,
    )
