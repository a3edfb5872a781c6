"""`reliability init`: a project of one's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reliability_platform.cli.options import json_option, people, print_json
from reliability_platform.counted import counted
from reliability_platform.formats import printable

if TYPE_CHECKING:
    from reliability_platform.warehouse.own_project import OwnProject


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--dbt-project",
    type=click.Path(path_type=Path),
    default=None,
    help="The folder of a dbt-duckdb project of yours, to be built behind the platform's models.",
)
@json_option
def init(folder: Path, dbt_project: Path | None, as_json: bool) -> None:
    """Begin a project of your own in FOLDER: contracts, dbt models, Soda checks, without the shop that comes along.

    Declare its sources in contracts/NAME.yml, then `reliability generate` writes what follows from them. Commands serve
    the project of the folder in which they are typed.

    With --dbt-project, your dbt project stays where it is and as it is: its models keep their names, its tests become
    checks, and contracts say which of its sources they feed.
    """
    from reliability_platform.contracts.skeleton import make_project
    from reliability_platform.warehouse.own_lacks import refuse_before_parsing
    from reliability_platform.warehouse.own_project import OwnProject

    own = OwnProject(dbt_project) if dbt_project is not None else None
    if own is not None:
        refuse_before_parsing(own, None)
    profile = own.profile() if own is not None else None
    files = make_project(folder, dbt_project, profile)
    feeds = {"sources": list(own.sources()), "seeds": own.seeds()} if own is not None else {}
    if as_json:
        print_json({"project": str(folder.absolute()), "files": files, **feeds})
        return
    named = printable(str(folder), 200)
    people.print(f"{named} is a project with {counted(len(files), 'file')}.", markup=False)
    if own is not None:
        _show_own(own, profile)
    people.print(
        "Next: cd there, `reliability sources add NAME --from FILES` (or write contracts/NAME.yml), `reliability generate`, "
        "then `reliability run`.",
        markup=False,
    )


def _show_own(own: "OwnProject", profile: Mapping[str, Any] | None) -> None:
    """What a dbt project of somebody's has that contracts can feed, and what of its profile was not taken over."""
    people.print(f"It stands around the dbt project {own.name} in {printable(str(own.folder), 200)}.", markup=False)
    for what, names in (("source", list(own.sources())), ("seed", own.seeds())):
        if names:
            people.print(
                f"It has {counted(len(names), what)} that a contract can feed: {', '.join(names)}.", markup=False
            )
    if profile is None:
        people.print("Its profile was not found: dbt_project/profiles.yml has that of the platform.", markup=False)
    left = sorted(set(profile or {}) - {"type", "path", "target", "schema", "extensions", "threads"})
    if left:
        people.print(
            f"Not taken from its profile: {', '.join(left)}. What models need of it goes into dbt_project/profiles.yml.",
            markup=False,
        )
