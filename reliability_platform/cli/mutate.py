"""`reliability mutate`: which failures of its data would the tests of a dbt project notice?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reliability_platform.cli.options import echo, json_option, print_json, progress
from reliability_platform.cli.parameters import SEED, FilePath, Number, Whole
from reliability_platform.errors import ExitCode

if TYPE_CHECKING:
    from reliability_platform.mutation.session import Tested


@click.command()
@click.argument("project", type=FilePath(exists=True, file_okay=False, path_type=Path), default=".")
@click.option(
    "--profiles-dir", type=FilePath(exists=True, file_okay=False, path_type=Path), help="Where profiles.yml is."
)
@click.option("--profile", help="The profile to use instead of the project's own.")
@click.option("--target", help="The target of the profile to copy the database of.")
@click.option("--vars", "variables", metavar="YAML", help="Variables for dbt, as its own --vars.")
@click.option(
    "--mutants", "most", type=Whole(1), default=1000, show_default=True,
    help="At most so many; of more, a sample that is fair to every input and kind of fault.",
)  # fmt: skip
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Which rows are hit, and which mutants are drawn."
)
@click.option("--max-minutes", type=Number(0, min_open=True), help="Begin no mutant after that; the next run goes on.")
@click.option("--fresh", is_flag=True, help="Judge again what a run that was cut off has judged.")
@click.option("--fail-under", type=Number(0, 100), metavar="PERCENT", help="Exit with 1 if the score is lower.")
@json_option
def mutate(
    project: Path,
    profiles_dir: Path | None,
    profile: str | None,
    target: str | None,
    variables: str | None,
    most: int,
    seed: int,
    max_minutes: float | None,
    fresh: bool,
    fail_under: float | None,
    as_json: bool,
) -> ExitCode:
    """Break copies of what feeds a dbt project and say which of its tests notice.

    PROJECT is the folder with dbt_project.yml. Seeds, tables of sources and files that models read are copied and broken
    in every way that fits them: rows lost or doubled, nulls, wrong units, unknown labels, shifted dates, missing columns
    and others, one mutant at a time. What lies downstream is built, its tests run, and what consumers read is compared
    with a clean build. Nothing of the project and none of its databases is written to; no home is needed.
    """
    from reliability_platform.mutation.document import document
    from reliability_platform.mutation.private_profile import ProfileChoice
    from reliability_platform.mutation.session import Wanted
    from reliability_platform.mutation.session import mutate as run_mutation
    from reliability_platform.mutation.text_report import text_report

    wanted = Wanted(
        project,
        ProfileChoice(profiles_dir, profile, target),
        variables,
        most=most,
        seed=seed,
        max_minutes=max_minutes,
        fresh=fresh,
    )
    with progress.status("") as status:

        def tell(stage: str) -> None:
            status.update(stage)
            if not progress.is_terminal:
                progress.print(f"{stage} …", markup=False)

        def judged(done: int, planned: int) -> None:
            status.update(f"{done:,} of {planned:,} mutants judged")

        tested = run_mutation(wanted, tell, judged)
    if as_json:
        print_json(document(tested))
    else:
        for line in text_report(tested):
            echo(line)
    return _exit_code(tested, fail_under)


def _exit_code(tested: "Tested", fail_under: float | None) -> ExitCode:
    share = tested.score.share
    if fail_under is not None and share is not None and 100 * share < fail_under:
        progress.print(f"The score is below {fail_under:g} %.", markup=False)
        return ExitCode.NOT_HEALED
    return ExitCode.OK
