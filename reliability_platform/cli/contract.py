"""`reliability contract`: what a producer can ask before he sends, and what the past says that a contract could promise."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

import click

from reliability_platform.cli.options import home_option, json_option, people, print_json
from reliability_platform.cli.parameters import check_source
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.formats import printable

MAX_NAME = 300
"""Letters of a path in a message."""

if TYPE_CHECKING:
    from reliability_platform.contracts.contract import Contract
    from reliability_platform.landing.judgement import Judgement
    from reliability_platform.settings import Settings
    from reliability_platform.suggestions.proposals import Suggestions


@click.group()
def contract() -> None:
    """Judge files by a contract, and a contract by the one before it, before anything is sent; propose rules for it."""


@contract.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--contract",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A contract file; again for each further version of it. [default: the project's]",
)
@click.option("--source", default=None, help="Which source the files are of, where several are declared.")
@click.option("--strict", is_flag=True, help="A single row that would be rejected is too many, too.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write the result as JUnit XML, too.")
@json_option
def check(
    files: tuple[Path, ...],
    paths: tuple[Path, ...],
    source: str | None,
    strict: bool,
    junit: Path | None,
    as_json: bool,
) -> ExitCode:
    """Say of each file what the platform would: admitted, or refused and why, and how many rows would be rejected.

    A file is judged by the version of the contract that holds on the day in its name, or today.

    Needs no home, so a producer can ask it in his own CI. What only a home knows is not judged: reference data, the past,
    other batches.
    """
    from reliability_platform.landing.judgement import judge

    chosen = _contract(paths, source)
    gone = [one for one in files if not one.is_file()]
    if gone:
        raise UsageError(f"There is no file {str(gone[0])!r}: name the files to judge.")
    found = [judge(chosen, one, utc_now().date()) for one in files]
    bad = [one for one in found if not one.is_good or (strict and one.rejected)]
    if junit is not None:
        _write_junit(junit, chosen.source, found, bad)
    if as_json:
        documents = [_document(one, one not in bad) for one in found]
        print_json({"source": chosen.source, "good": not bad, "files": documents})
    else:
        for one in found:
            people.print(_words(one, one not in bad), markup=False, soft_wrap=True)
    return ExitCode.NOT_HEALED if bad else ExitCode.OK


@contract.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@json_option
def diff(old: Path, new: Path, as_json: bool) -> ExitCode:
    """Say what is other in the contract file NEW than in OLD, and whether each change is compatible.

    Compatible is what takes nothing back: whatever OLD admits is admitted by NEW, and read as the same. Needs no home.
    """
    from reliability_platform.contracts.changes import all_changes, short_notice
    from reliability_platform.contracts.odcs import read_contracts

    before, after = ({one.source: one for one in read_contracts(path)} for path in (old, new))
    found = all_changes(before, after)
    broken = sorted({one.source for one in found if not one.is_compatible})
    owed = [
        said
        for source in broken
        if source in before and source in after and (said := short_notice(before[source], after[source])) is not None
    ]
    if as_json:
        documents = [one.document for one in found]
        print_json({"compatible": not broken, "changes": documents, "short_notice": owed})
    else:
        for one in found:
            people.print(f"{'✓' if one.is_compatible else '✗'} {one.line}", markup=False, soft_wrap=True)
        for said in owed:
            people.print(f"{said}.", markup=False, soft_wrap=True)
        if not found:
            people.print("Nothing that the platform reads is other.")
    return ExitCode.NOT_HEALED if broken else ExitCode.OK


class _Numbers(click.ParamType[tuple[int, ...]]):
    """Numbers of proposals, as `1,3`."""

    name = "N[,M]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers."""
        parts = [one.strip() for one in str(value).split(",")]
        if not all(one.isascii() and one.isdigit() and len(one) < 6 for one in parts):
            self.fail(f"{value!r} is no list of numbers: write them as 1,3.", param, ctx)
        return tuple(map(int, parts))


@contract.command()
@click.argument("source")
@click.option("--days", type=click.IntRange(1, 3_660), default=90, show_default=True, help="So many landing days back.")
@click.option(
    "--take", "numbers", type=_Numbers(), default=None, help="Write these proposals into the contract, as 1,3."
)
@home_option
@json_option
def suggest(source: str, days: int, numbers: tuple[int, ...] | None, settings: "Settings", as_json: bool) -> None:
    """Propose rules that the past of SOURCE has kept without exception, each with what speaks for it.

    Order of times and numbers, sums, columns that are empty together or with a label, columns that determine others, at most one
    row of a kind, columns that are those of another source. Looked at are landing days on which no check failed that holds a day
    or compares it with the past. A proposal that is taken stands in the contract; `reliability generate` makes a check of it.
    """
    from reliability_platform.contracts import CONTRACTS
    from reliability_platform.settings import CONTRACTS_FOLDER
    from reliability_platform.suggestions.into_contract import file_of, take
    from reliability_platform.suggestions.proposals import chosen, suggestions

    check_source(source)
    found = suggestions(settings, source, days)
    taken = chosen(found, numbers) if numbers is not None else []
    path = file_of(CONTRACTS_FOLDER, CONTRACTS[source]) if taken else None
    if path is not None:
        take(path, source, taken)
    names = [one.relation.name for one in taken]
    if as_json:
        print_json(
            {
                "source": source,
                "first": found.first,
                "last": found.last,
                "days": found.days,
                "days_left_out": found.left_out,
                "rows": found.rows,
                "candidates": found.candidates,
                "notes": list(found.notes),
                "proposals": [one.document for one in found.proposals],
                "taken": names,
            }
        )
        return
    _show_suggestions(found)
    if path is not None:
        people.print(
            f"{', '.join(names)} {'stands' if len(names) == 1 else 'stand'} in {path} now: `reliability generate` makes checks of what "
            "the contract says.",
            markup=False,
            soft_wrap=True,
        )


def _show_suggestions(found: "Suggestions") -> None:
    left_out = f", {counted(found.left_out, 'day')} left out for failed checks" if found.left_out else ""
    people.print(
        f"{found.source}, {found.first} to {found.last}: {counted(found.rows, 'row')} of {counted(found.days, 'landing day')}{left_out}; "
        f"{counted(found.candidates, 'rule')} tried, {counted(len(found.proposals), 'proposal')}.",
        markup=False,
        soft_wrap=True,
    )
    for note in found.notes:
        people.print(f"Note: {note}.", markup=False, soft_wrap=True)
    for number, one in enumerate(found.proposals, 1):
        what = "rows are quarantined" if one.relation.of_rows else "days are told or held"
        people.print(f"{number:>3}  {one.relation.text}  ({one.relation.kind}, {what})", markup=False, soft_wrap=True)
        people.print(f"     {one.evidence.text}", markup=False, soft_wrap=True)


def _contract(paths: tuple[Path, ...], source: str | None) -> "Contract":
    from reliability_platform.contracts.declared import CONTRACTS, contracts_of

    declared: Mapping[str, Contract] = contracts_of(paths) if paths else CONTRACTS
    if source is None and len(declared) == 1:
        return next(iter(declared.values()))
    if not declared:
        raise UsageError("No contract is declared here: name a contract file with --contract.")
    if source is None or source not in declared:
        asked = "Say which source the files are of" if source is None else f"There is no source {source!r}"
        raise UsageError(f"{asked}: --source {', '.join(declared)}.")
    return declared[source]


def _words(one: "Judgement", is_good: bool) -> str:
    name = printable(one.file, MAX_NAME)
    if one.refused is not None:
        return f"✗ {name}: refused, {one.refused}: {one.detail}"
    told = [f"{counted(rows, 'row')} {code}" for code, rows in one.rejected.items()]
    told += [f"not in the contract: {', '.join(one.unknown_columns)}"] if one.unknown_columns else []
    holds = f"; the day would be held for {', '.join(one.holds)}" if one.holds else ""
    return (
        f"{'✓' if is_good else '✗'} {name}: {counted(one.rows, 'row')}"
        + (f"; {'; '.join(told)}" if told else "")
        + holds
    )


def _document(one: "Judgement", is_good: bool) -> dict[str, Any]:
    return {
        "file": printable(one.file, MAX_NAME),
        "good": is_good,
        "contract_version": one.version,
        "rows": one.rows,
        "refused": one.refused,
        "detail": one.detail,
        "rejected": one.rejected,
        "holds": one.holds,
        "unknown_columns": list(one.unknown_columns),
    }


def _write_junit(path: Path, source: str, found: "Iterable[Judgement]", bad: "list[Judgement]") -> None:
    """As most CI systems read it: a test case for each file."""
    everything = list(found)
    suite = Element("testsuite", name=f"contract of {source}", tests=str(len(everything)), failures=str(len(bad)))
    for one in everything:
        case = SubElement(suite, "testcase", classname=source, name=printable(one.file, MAX_NAME))
        if one in bad:
            words = _words(one, False)
            SubElement(case, "failure", message=words, type=one.refused or "rows")
    try:
        ElementTree(suite).write(path, encoding="unicode", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
