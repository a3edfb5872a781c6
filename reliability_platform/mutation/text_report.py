"""The report as text for a terminal: the score, the worst survivors first, then the parts."""

from collections import Counter
from collections.abc import Iterator

from reliability_platform.counted import counted
from reliability_platform.formats import printable
from reliability_platform.mutation.messages import said
from reliability_platform.mutation.proof import Proof
from reliability_platform.mutation.score import Score, by, by_build, by_tool, column_of, unguarded, worth_of_tests
from reliability_platform.mutation.session import Tested
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus

SHOWN_SURVIVORS, SHOWN_PARTS, SHOWN_NAMES = 10, 8, 12
MAX_LINE = 400


def text_report(tested: Tested, proof: Proof | None = None) -> Iterator[str]:
    """Line by line; with the proposals, if they were asked for, and the files that they change."""
    for line in _lines(tested):
        yield printable(line, MAX_LINE)
    if proof is not None:
        for line in _proposed(tested, proof):
            yield printable(line, MAX_LINE)


def worst_survivors(tested: Tested) -> list[MutantOutcome]:
    """Those that changed what consumers read: first the worst of each column, then the second of each, and so on.

    Of one fault on one column its worst size alone.
    """
    found = sorted(
        (one for one in tested.outcomes if one.status is MutantStatus.SURVIVED_CHANGED),
        key=lambda one: (-one.size, one.mutant.key),
    )
    first: dict[tuple[str, str, str], MutantOutcome] = {}
    for one in found:
        first.setdefault((one.mutant.input.key, one.mutant.column, one.mutant.fault), one)
    places: Counter[tuple[str, str]] = Counter()
    placed = []
    for one in first.values():
        where = (one.mutant.input.key, one.mutant.column)
        placed.append((places[where], -one.size, one.mutant.key, one))
        places[where] += 1
    return [one for _, _, _, one in sorted(placed, key=lambda each: each[:3])]


def score_text(score: Score) -> str:
    """`57 % (95 % interval 50 to 64 %), 112 of 196`."""
    if score.share is None or score.interval is None:
        return "nothing to score"
    low, high = score.interval
    return f"{100 * score.share:.0f} % ({score.killed} of {score.counted}; 95 % interval {100 * low:.0f} to {100 * high:.0f} %)"


def _lines(tested: Tested) -> Iterator[str]:
    project, outcomes = tested.project, tested.outcomes
    yield (
        f"{project.name}: {counted(len(project.models), 'model')}, {counted(len(project.tests), 'test')}, "
        f"{counted(len(tested.inputs), 'input')}"
    )
    for note in project.notes:
        yield f"Note: {note}."
    if project.left_out:
        yield f"Left out: {counted(len(project.left_out), 'part')} of the project."
        for out in project.left_out[:SHOWN_PARTS]:
            yield f"  {out.name}: {out.why}"
        if len(project.left_out) > SHOWN_PARTS:
            yield f"  … and {len(project.left_out) - SHOWN_PARTS} more (--json names all)"
    statuses = Counter(one.status for one in outcomes)
    yield ""
    if not tested.planned:
        yield "The change touches nothing that an input feeds: no mutant."
        return
    yield f"Score: {score_text(tested.score)} of the faults that tests could notice, they noticed."
    yield f"{counted(len(outcomes), 'mutant')}: {', '.join(f'{statuses[one]} {one.value}' for one in MutantStatus if statuses[one])}."
    if tested.possible > tested.planned:
        yield f"A sample of {tested.planned:,} of {tested.possible:,} possible ones, seed {tested.seed} (--mutants for more)."
    if len(outcomes) < tested.planned:
        yield f"{tested.planned - len(outcomes):,} were not judged in the time given: run again to go on."
    warned = sum(all(how == "warn" for _, how in one.tests) for one in outcomes if one.status is MutantStatus.KILLED)
    if warned:
        yield f"{warned} of the killed ones only by warnings."
    by_dbt = [one.dbt_seconds for one in outcomes if one.dbt_seconds]
    slow = [f"{one.name}: {one.through_dbt}" for one in project.models if one.through_dbt]
    if slow:
        each = f", {sum(by_dbt) / len(by_dbt):.1f} s each" if by_dbt else ""
        yield f"{counted(len(by_dbt), 'mutant')} went through dbt itself{each}, for {counted(len(slow), 'model')}:"
        yield from (f"  {one}" for one in slow[:SHOWN_PARTS])
    tools = by_tool(project, outcomes)
    if len(tools) > 1:
        yield from (f"With the tests of {name} alone: {score_text(score)}." for name, score in tools.items())
    yield from _survivors(tested)
    builds = by_build(outcomes)
    yield from _parts("Built anew, and on the increment of what grows", builds, len(builds))
    yield from _parts("By kind of fault", by(outcomes, lambda one: [one.mutant.family]), len(outcomes))
    yield from _parts("Least guarded columns", by(outcomes, column_of), SHOWN_PARTS)
    yield from _parts("Least guarded models", by(outcomes, lambda one: one.models), SHOWN_PARTS)
    owners = {one.name: one.owner for one in project.models if one.owner}
    if owners:
        yield from _parts(
            "By owner", by(outcomes, lambda one: {owners.get(name, "nobody") for name in one.models}), SHOWN_PARTS
        )
    yield from _names("Columns that nothing guards", unguarded(outcomes))
    worth = worth_of_tests(project, outcomes)
    yield from _names("Tests that killed nothing", [one.test.name for one in worth if not one.killed])
    yield from _names(
        "Tests that killed only what others kill", [one.test.name for one in worth if one.killed and not one.alone]
    )


def _survivors(tested: Tested) -> Iterator[str]:
    worst = worst_survivors(tested)
    if not worst:
        return
    yield ""
    yield "No test notices, the worst first:"
    for at, one in enumerate(worst[:SHOWN_SURVIVORS], 1):
        yield f" {at:>2}. {said(one)}"
    if len(worst) > SHOWN_SURVIVORS:
        yield f"     … and {len(worst) - SHOWN_SURVIVORS} more (--json names all)"


def _proposed(tested: Tested, proof: Proof) -> Iterator[str]:
    yield ""
    yield f"{counted(len(tested.proposals), 'test')} would have noticed {counted(sum(len(one.kills) for one in tested.proposals), 'survivor')}:"
    for one in tested.proposals:
        where = one.candidate.place.name + (f".{one.candidate.column}" if one.candidate.column else "")
        said = ", ".join(f"{name}: {value}" for name, value in one.candidate.arguments.items())
        yield f"  {len(one.kills):>4}  {where}: {one.candidate.test}{f' ({said})' if said else ''}, {one.candidate.severity}"
    if proof.holds:
        yield f"Proved on a copy: they pass on the clean data, and with them the score is {score_text(proof.with_them.score)}."
        yield from killable_lines(tested, proof)
    else:
        yield "Not proved, so not to be taken as they are:"
        yield from (f"  {name} does not pass on the clean data" for name in proof.failing[:SHOWN_PARTS])
        yield from (f"  {key} still survives" for key in proof.missed[:SHOWN_PARTS])
    for change in proof.changes:
        yield ""
        yield from change.diff(proof.folder).splitlines()


def killable_lines(tested: Tested, proof: Proof) -> Iterator[str]:
    """The score of what is killable, before and after, and what is not."""
    killable = tested.killable
    yield f"Of what is killable: {score_text(killable.before)} before, {score_text(proof.killable)} with them."
    if killable.beyond:
        named = ", ".join(f"{fault} {count}" for fault, count in killable.beyond[:SHOWN_PARTS])
        beyond = counted(sum(count for _, count in killable.beyond), "survivor")
        yield f"Beyond every test known here that earlier days do not refute: {beyond} ({named})."
    if killable.unread:
        yield f"Read by no consumer, and no test is proposed for them: {counted(killable.unread, 'survivor')}."


def _parts(heading: str, scores: dict[str, Score], most: int) -> Iterator[str]:
    if scores:
        yield ""
        yield f"{heading}:"
        for name, score in list(scores.items())[:most]:
            yield f"  {100 * (score.share or 0):>4.0f} %  {score.killed:>4} of {score.counted:<4}  {name}"


def _names(heading: str, names: list[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        yield ""
        yield f"{heading} ({len(names)}): {', '.join(names[:SHOWN_NAMES])}{more}"
