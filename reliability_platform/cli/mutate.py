"""`reliability mutate`: which failures of its data would the tests of a dbt project notice?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reliability_platform.cli.options import echo, file_to_write, json_option, print_json, progress, write_or_print
from reliability_platform.cli.parameters import SEED, FilePath, Number, Whole
from reliability_platform.errors import ExitCode
from reliability_platform.formats import printable
from reliability_platform.mutation.warehouses.translation import DIALECTS

if TYPE_CHECKING:
    from reliability_platform.mutation.proof import Proof
    from reliability_platform.mutation.session import Tested
    from reliability_platform.mutation.trial import MutantOutcome


MAX_LINE = 300
FOLDER = FilePath(exists=True, file_okay=False, path_type=Path)
WAREHOUSES = tuple(sorted(DIALECTS))


def _variables(_: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Raises `click.BadParameter` where one is no `NAME=VALUE`."""
    wrong = next((one for one in given if not one.partition("=")[0].isidentifier() or "=" not in one), None)
    if wrong is not None:
        raise click.BadParameter(f"{wrong!r} is no NAME=VALUE.", param=parameter)
    return tuple((name, value) for name, _, value in (one.partition("=") for one in given))


@click.command()
@click.argument("project", type=FOLDER, default=".")
@click.option("--profiles-dir", type=FOLDER, help="Where profiles.yml is.")
@click.option("--profile", help="The profile to use instead of the project's own.")
@click.option("--target", help="The target of the profile to copy the database of.")
@click.option(
    "--warehouse", type=click.Choice(["duckdb", *WAREHOUSES]), metavar="KIND",
    help="What the project is written for, where no profile says so: snowflake, bigquery, redshift, ….",
)  # fmt: skip
@click.option(
    "--native", is_flag=True,
    help="Build in the warehouse of the profile itself (postgres, spark), in schemas of the run's own that are dropped afterwards.",
)  # fmt: skip
@click.option(
    "--inputs", type=FOLDER,
    help="A folder of files for tables of sources, as source.table.csv (or parquet, json), and in the place of seeds.",
)  # fmt: skip
@click.option(
    "--max-rows", "most_rows", type=Whole(1), default=200_000, show_default=True,
    help="Of an input with more rows a sample is taken, in which relationships hold.",
)  # fmt: skip
@click.option(
    "--reads", type=FOLDER, multiple=True,
    help="A folder that models read from, where their text does not name it. Can be given several times.",
)  # fmt: skip
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
@click.option(
    "--soda", type=FOLDER,
    help="A folder of SodaCL files: their checks count as tests.",
)  # fmt: skip
@click.option(
    "--soda-variable", "soda_variables", metavar="NAME=VALUE", multiple=True, callback=_variables,
    help="A variable of these files. Can be given several times.",
)  # fmt: skip
@click.option(
    "--gx", type=FOLDER,
    help="A folder with suites of Great Expectations: they count as tests.",
)  # fmt: skip
@click.option(
    "--propose", is_flag=True, help="Find tests that would have noticed, prove them on a copy, show the diff."
)
@click.option("--write", is_flag=True, help="Write the proposed tests into the project's yml once they are proved.")
@click.option("--diff", "since", metavar="COMMIT", help="Only inputs above what changed since this commit.")
@click.option(
    "--baseline", type=FilePath(exists=True, dir_okay=False, path_type=Path),
    help="A report of --json: exit with 1 if a mutant survives that was killed there.",
)  # fmt: skip
@click.option("--html", type=FilePath(dir_okay=False, path_type=Path), help="Write one HTML page, too.")
@click.option(
    "--markdown", type=FilePath(dir_okay=False, path_type=Path), help="Write Markdown, as for a pull request, too."
)
@click.option("--junit", type=FilePath(dir_okay=False, path_type=Path), help="Write JUnit XML, too.")
@json_option
def mutate(
    project: Path,
    profiles_dir: Path | None,
    profile: str | None,
    target: str | None,
    warehouse: str | None,
    native: bool,
    inputs: Path | None,
    most_rows: int,
    reads: tuple[Path, ...],
    variables: str | None,
    most: int,
    seed: int,
    max_minutes: float | None,
    fresh: bool,
    fail_under: float | None,
    soda: Path | None,
    soda_variables: tuple[tuple[str, str], ...],
    gx: Path | None,
    propose: bool,
    write: bool,
    since: str | None,
    baseline: Path | None,
    html: Path | None,
    markdown: Path | None,
    junit: Path | None,
    as_json: bool,
) -> ExitCode:
    """Break copies of what feeds a dbt project and say which of its tests notice.

    PROJECT is the folder with dbt_project.yml. Seeds, tables of sources and files that models read are copied and broken
    in every way that fits them: rows lost or doubled, nulls, wrong units, unknown labels, shifted dates, missing columns
    and others, one mutant at a time. What lies downstream is built, its tests run, and what consumers read is compared
    with a clean build. No home is needed; nothing of the project is written to, but with --write its yml.
    """
    from reliability_platform.mutation.baseline import killed_before, no_longer_killed
    from reliability_platform.mutation.document import document
    from reliability_platform.mutation.private_profile import ProfileChoice
    from reliability_platform.mutation.proof import prove
    from reliability_platform.mutation.session import Wanted
    from reliability_platform.mutation.session import mutate as run_mutation
    from reliability_platform.mutation.text_report import text_report
    from reliability_platform.mutation.yml_edit import write as write_edits

    if native and (warehouse or inputs or soda or gx):
        raise click.UsageError(
            "--native asks the warehouse of the profile: leave out --warehouse, --inputs, --soda and --gx."
        )
    wanted = Wanted(
        project,
        ProfileChoice(profiles_dir, profile, target, warehouse),
        variables,
        native=native,
        inputs=inputs,
        most_rows=most_rows,
        reads=reads,
        most=most,
        seed=seed,
        max_minutes=max_minutes,
        fresh=fresh,
        propose=propose or write,
        since=since,
        soda=soda,
        soda_variables=soda_variables,
        gx=gx,
    )
    before = frozenset() if baseline is None else killed_before(baseline)
    for file in (html, markdown, junit):
        if file is not None:
            file_to_write(file)  # refused before the work, not after it
    proof: Proof | None = None
    with progress.status("") as status:

        def tell(stage: str) -> None:
            status.update(stage)
            if not progress.is_terminal:
                progress.print(f"{stage} …", markup=False)

        def judged(done: int, planned: int) -> None:
            status.update(f"{done:,} of {planned:,} mutants judged")

        tested = run_mutation(wanted, tell, judged)
        if tested.proposals:
            proof = prove(wanted, tested, tell, judged)
    if wanted.propose and not tested.proposals:
        progress.print("There is no test to propose: none that is known here would notice more.", markup=False)
    if proof is not None and write and proof.holds:
        write_edits(proof.changes)
    if as_json:
        print_json(document(tested, proof))
    else:
        for line in text_report(tested, proof):
            echo(line)
        if proof is not None and write:
            written = (
                f"Written: {', '.join(one.path.name for one in proof.changes)}."
                if proof.holds
                else "Nothing was written."
            )
            progress.print(written, markup=False)
    _write_reports(tested, proof, html=html, markdown=markdown, junit=junit)
    return _exit_code(tested, fail_under, no_longer_killed(tested, before))


def _write_reports(
    tested: "Tested", proof: "Proof | None", *, html: Path | None, markdown: Path | None, junit: Path | None
) -> None:
    from reliability_platform.incidents.documents.render import markdown as as_markdown
    from reliability_platform.incidents.documents.web import page
    from reliability_platform.mutation.junit import junit as as_junit
    from reliability_platform.mutation.page_report import page_report

    if html is not None:
        write_or_print(page(page_report(tested, proof)), html)
    if markdown is not None:
        write_or_print(as_markdown(page_report(tested, proof)), markdown)
    if junit is not None:
        write_or_print(as_junit(tested), junit)


def _exit_code(tested: "Tested", fail_under: float | None, worse: "list[MutantOutcome]") -> ExitCode:
    from reliability_platform.mutation.messages import said

    for one in worse:
        progress.print(f"No longer noticed: {printable(said(one), MAX_LINE)}.", markup=False)
    if worse:
        return ExitCode.NOT_HEALED
    share = tested.score.share
    if fail_under is not None and share is not None and 100 * share < fail_under:
        progress.print(f"The score is below {fail_under:g} %.", markup=False)
        return ExitCode.NOT_HEALED
    return ExitCode.OK
