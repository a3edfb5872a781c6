"""The report as a document: blocks, which are rendered to Markdown for a pull request and to one HTML page."""

from collections import Counter
from collections.abc import Iterable

from reliability_platform.counted import counted
from reliability_platform.formats import printable
from reliability_platform.incidents.documents.blocks import Block, Bullets, Commands, Grid, Heading, Paragraph
from reliability_platform.mutation.messages import said
from reliability_platform.mutation.proof import Proof
from reliability_platform.mutation.score import Score, by, by_build, by_tool, column_of, unguarded, worth_of_tests
from reliability_platform.mutation.session import Tested
from reliability_platform.mutation.text_report import killable_lines, score_text, worst_survivors
from reliability_platform.mutation.trial import MutantStatus

SHOWN_SURVIVORS, SHOWN_PARTS = 50, 30
MAX_CELL = 300


def page_report(tested: Tested, proof: Proof | None = None) -> list[Block]:
    """The score, the worst survivors, the parts, the proposals with their diff."""
    project, outcomes = tested.project, tested.outcomes
    statuses = Counter(one.status for one in outcomes)
    blocks: list[Block] = [
        Heading(1, f"Mutation test of {project.name}"),
        Paragraph(f"Score: {score_text(tested.score)} of the faults that tests could notice, they noticed."),
        Grid(["mutants", "number"], [[one.value, f"{statuses[one]:,}"] for one in MutantStatus if statuses[one]]),
        Paragraph(
            f"{counted(len(project.models), 'model')}, {counted(len(project.tests), 'test')}, {counted(len(tested.inputs), 'input')}; "
            f"{len(outcomes):,} of {tested.possible:,} possible mutants, seed {tested.seed}."
        ),
    ]
    blocks += [Paragraph(f"Note: {note}.") for note in project.notes]
    tools = by_tool(project, outcomes)
    if len(tools) > 1:
        blocks += _scores("With the tests of one tool alone", tools)
    worst = worst_survivors(tested)
    if worst:
        rows = [[one.mutant.input.name, printable(said(one), MAX_CELL)] for one in worst[:SHOWN_SURVIVORS]]
        blocks += [Heading(2, "No test notices"), Grid(["input", "what consumers would read"], rows)]
    if tested.proposals:
        blocks += _proposed(tested, proof)
    blocks += _scores("Built anew, and on the increment of what grows", by_build(outcomes))
    blocks += _scores("Kinds of fault", by(outcomes, lambda one: [one.mutant.family]))
    blocks += _scores("Columns, the least guarded first", by(outcomes, column_of))
    blocks += _scores("Models, the least guarded first", by(outcomes, lambda one: one.models))
    worth = worth_of_tests(project, outcomes)
    blocks += _listed("Columns that nothing guards", unguarded(outcomes))
    blocks += _listed("Tests that killed nothing", (one.test.name for one in worth if not one.killed))
    blocks += _listed(
        "Tests that killed only what others kill", (one.test.name for one in worth if one.killed and not one.alone)
    )
    blocks += _listed("Left out", (printable(f"{one.name}: {one.why}", MAX_CELL) for one in project.left_out))
    return blocks


def _proposed(tested: Tested, proof: Proof | None) -> list[Block]:
    rows = [
        [
            one.candidate.place.name,
            one.candidate.column,
            one.candidate.test,
            ", ".join(f"{name}: {value}" for name, value in one.candidate.arguments.items()),
            one.candidate.severity,
            f"{len(one.kills)}",
        ]
        for one in tested.proposals
    ]
    blocks: list[Block] = [
        Heading(2, "Tests that would have noticed"),
        Grid(["input", "column", "test", "limits", "severity", "kills"], rows),
    ]
    if proof is None:
        return blocks
    if proof.holds:
        blocks.append(
            Paragraph(
                f"Proved on a copy: they pass on the clean data, and the score is {score_text(proof.with_them.score)}."
            )
        )
        blocks += [Paragraph(line) for line in killable_lines(tested, proof)]
    else:
        blocks.append(Paragraph("Not proved, so not to be taken as they are."))
        blocks.append(Bullets([*proof.failing, *proof.missed]))
    blocks += [Commands(one.diff(proof.folder).splitlines(), "diff") for one in proof.changes]
    return blocks


def _scores(heading: str, scores: dict[str, Score]) -> list[Block]:
    rows = [
        [name, f"{100 * (one.share or 0):.0f} %", f"{one.killed} of {one.counted}"]
        for name, one in list(scores.items())[:SHOWN_PARTS]
    ]
    return [Heading(2, heading), Grid(["", "score", "killed"], rows)] if rows else []


def _listed(heading: str, names: Iterable[str]) -> list[Block]:
    found = list(names)
    more = [f"and {len(found) - SHOWN_PARTS} more"] if len(found) > SHOWN_PARTS else []
    return [Heading(2, heading), Bullets([*found[:SHOWN_PARTS], *more])] if found else []
