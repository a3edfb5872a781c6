"""`reliability generate`: write into the project what follows from its contracts, and say what changed in them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from reliability_platform.cli.options import json_option, people, print_json
from reliability_platform.cli.tables import Table
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.settings import CONTRACTS_FOLDER, PROJECT, Settings, load_settings

if TYPE_CHECKING:
    from reliability_platform.backfills.contract_cost import RebuildCost
    from reliability_platform.contracts.changes import ContractChange
    from reliability_platform.contracts.contract import Contract
    from reliability_platform.contracts.generation import Planned
    from reliability_platform.lineage.personal import ShownColumn
    from reliability_platform.remediation.contract_change import Readmissible


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit with 1 if anything is not as the contracts say, or a mart shows personal data.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that somebody has edited by hand, too.")
@json_option
def generate(check: bool, overwrite: bool, as_json: bool) -> ExitCode:
    """Write dbt sources, staging, silver, their yml and Soda checks as the contracts of the project say.

    What changed in the contracts since the last time is said, each change as compatible or not; an incompatible one needs
    a new first number of the contract's version, and what it costs is said; one of a draft (status) needs it once anything was
    admitted by it here. A file that somebody has edited by hand is
    left alone, and nothing else is written either; to keep it, take it over: add its name to the contract's custom
    property takenOver.
    """
    from reliability_platform.backfills.contract_cost import has_been_read
    from reliability_platform.contracts import CONTRACTS
    from reliability_platform.contracts.as_generated import as_generated
    from reliability_platform.contracts.changes import OF_THE_DAYS, all_changes
    from reliability_platform.contracts.generation import Change, planned, write
    from reliability_platform.warehouse.own_project import own_reads

    if not CONTRACTS:
        raise UsageError(
            f"{CONTRACTS_FOLDER} declares no source, and generating would remove all that was generated: write a contract first."
        )
    settings, before = load_settings(), as_generated(CONTRACTS_FOLDER)
    found = all_changes(before, CONTRACTS) if before is not None else []
    broken = [one for one in found if not one.is_compatible and one.source in CONTRACTS]
    costs = _costs(settings, broken)
    drafts = {name for name, one in (before or {}).items() if all(each.is_draft for each in one.versions or (one,))}
    unread = {one.source for one in broken if one.source in drafts and not has_been_read(settings, one.source)}
    files = planned(PROJECT, _dated(settings, before or {}, CONTRACTS), own_reads())
    changes = [one for one in files if one.change is not Change.SAME]
    edited = [one.path for one in changes if one.change is Change.EDITED]
    if not as_json:
        _show_changes(found, costs)
        _show_unread(settings, unread)
    if not check:
        asked = {one.source for one in broken if one.kind not in OF_THE_DAYS} - unread
        _refuse_same_version(before or {}, CONTRACTS, asked)
    if edited and not (overwrite or check):
        raise UsageError(
            f"{', '.join(edited[:3])}{' and others' if len(edited) > 3 else ''} in {PROJECT} {'was' if len(edited) == 1 else 'were'} "
            "edited by hand, line 1 says what it is generated from: make the change in the contract, list the name without its "
            "ending under takenOver there to write it yourself, or replace it with --overwrite. Nothing was written."
        )
    if not check:
        write(PROJECT, changes)
    waiting = _waiting(settings) if found else []
    shown = _shown(settings) if check and not changes else []
    if as_json:
        print_json(
            {
                "project": str(PROJECT),
                "written": not check,
                "files": [_document(one) for one in files],
                "contract_changes": [one.document for one in found],
                "to_build_again": [one.document for one in costs],
                "may_fit_now": [vars(one) for one in waiting],
                "personal_data": [vars(one) for one in shown],
            }
        )
    else:
        _show(changes, len(files), check)
        _show_waiting(waiting)
        for one in shown:
            people.print(f"{one.line}.", markup=False, soft_wrap=True)
    return ExitCode.NOT_HEALED if check and (changes or shown) else ExitCode.OK


def _costs(settings: Settings, broken: "Iterable[ContractChange]") -> "list[RebuildCost]":
    from reliability_platform.backfills.contract_cost import rebuild_cost

    since: dict[str, list[date | None]] = {}
    for one in broken:
        since.setdefault(one.source, []).append(one.holds_from)
    found = [
        rebuild_cost(settings, source, None if None in days else min(day for day in days if day is not None))
        for source, days in sorted(since.items())
    ]
    return [one for one in found if one is not None]


def _dated(
    settings: Settings, before: "Mapping[str, Contract]", now: "Mapping[str, Contract]"
) -> "dict[str, Contract]":
    """The contracts, in which each optional column and each rule that is new is expected from the day on that follows the
    last landed one: files of before could not have it, and what has been published is not judged by it."""
    from reliability_platform.landing.watch import landed_days

    found = dict(now)
    for source, contract in now.items():
        known = {one.name for one in before[source].columns} if source in before else set()
        new = {one.name for one in contract.columns if one.name not in known and not one.required and one.since is None}
        rules = {one.name for one in before[source].relations} if source in before else set()
        new_rules = {one.name for one in contract.relations if one.name not in rules and one.since is None}
        days = landed_days(settings, source) if known and (new or new_rules) else set()
        if days:
            since = max(days) + timedelta(days=1)
            found[source] = replace(contract, **_expected_from(since, contract, new, new_rules))
            if contract.versions:
                versions = (replace(one, **_expected_from(since, one, set(), new_rules)) for one in contract.versions)
                found[source] = replace(found[source], versions=tuple(versions))
    return found


def _expected_from(since: date, contract: "Contract", columns: set[str], rules: set[str]) -> dict[str, Any]:
    return {
        "columns": tuple(replace(one, since=since) if one.name in columns else one for one in contract.columns),
        "relations": tuple(replace(one, since=since) if one.name in rules else one for one in contract.relations),
    }


def _refuse_same_version(before: "Mapping[str, Contract]", now: "Mapping[str, Contract]", broken: set[str]) -> None:
    same = sorted(source for source in broken if _majors(before[source]) == _majors(now[source]))
    if same:
        versions = ", ".join(f"{source} ({now[source].version})" for source in same)
        raise UsageError(
            f"An incompatible change needs a new first number of the contract's version, so that what was read by the old one "
            f"is told apart: {versions}. To keep the old reading for the landing days of before, leave its file as it is and "
            "write the new version into one of its own, with the day from which it holds (generalAvailability). A contract by "
            "which nobody reads yet, nowhere, was `status: draft` when its files were generated. Nothing was written."
        )


def _majors(contract: "Contract") -> set[str]:
    return {one.major for one in contract.versions or (contract,)}


def _waiting(settings: Settings) -> "list[Readmissible]":
    from reliability_platform.remediation.contract_change import readmissible

    return readmissible(settings)


def _shown(settings: Settings) -> "list[ShownColumn]":
    """What no publication would let through: asked in a pipeline of one's own, for it takes 6 s after a change of models."""
    from reliability_platform.lineage.personal import undeclared_personal_columns
    from reliability_platform.warehouse.dbt_manifest import ensure_manifest

    return undeclared_personal_columns(ensure_manifest(settings.dbt_project))


def _document(one: "Planned") -> dict[str, str]:
    return {"path": one.path, "change": one.change.value}


def _show_changes(found: "list[ContractChange]", costs: "list[RebuildCost]") -> None:
    for one in found:
        people.print(
            f"{'compatible' if one.is_compatible else 'INCOMPATIBLE'}: {one.line}", markup=False, soft_wrap=True
        )
    for cost in costs:
        people.print(f"{cost.words}.", markup=False, soft_wrap=True)


def _show_unread(settings: Settings, unread: set[str]) -> None:
    if unread:
        people.print(
            f"{', '.join(sorted(unread))}: a draft, and nothing has been admitted yet in {settings.home}, so no new version is asked for.",
            markup=False,
            soft_wrap=True,
        )


def _show_waiting(waiting: "list[Readmissible]") -> None:
    if waiting:
        files, rows = sum(one.files for one in waiting), sum(one.rows for one in waiting)
        what = " and ".join(
            counted(number, f"{word} that waits", f"{word}s that wait")
            for number, word in ((files, "file"), (rows, "row"))
            if number
        )
        people.print(f"{what} may fit now: `reliability heal` reads them again.", markup=False, soft_wrap=True)


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
