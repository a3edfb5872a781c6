"""The contracts of the project that this process serves, by the name of their source.

A process serves one project: its dbt models, its checks and its contracts belong together (decision 0012).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

from reliability_platform.contracts.as_generated import known_since
from reliability_platform.contracts.contract import Column, Contract, Reference
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.contracts.relations import Relation, RelationKind, leads_to
from reliability_platform.contracts.types import is_number
from reliability_platform.contracts.versions import objection, together
from reliability_platform.errors import UsageError
from reliability_platform.settings import CONTRACTS_FOLDER


def contracts_in(folder: Path) -> dict[str, Contract]:
    """Every source that the files of a folder declare, by name. Raises `ContractError` in one line."""
    files = (path for path in folder.glob("*.y*ml") if path.suffix in (".yml", ".yaml") and path.name[0] != ".")
    found = contracts_of(sorted(files), known_since(folder, "columns"), known_since(folder, "relations"))
    for contract in found.values():
        _refuse_relations_to_nothing(folder, contract, found)
        _refuse_references_to_nothing(folder, contract, found)
    return _with_references(found, known_since(folder, "relations"))


def contracts_of(
    files: Iterable[Path],
    since: Mapping[str, Mapping[str, date]] = MappingProxyType({}),
    relations_since: Mapping[str, Mapping[str, date]] = MappingProxyType({}),
) -> dict[str, Contract]:
    """Every source that some files declare, several versions of one as one contract. `since` says from which landing day on
    columns are expected that came later, `relations_since` the same of rules. Raises `ContractError` in one line."""
    found: dict[str, list[tuple[Path, Contract]]] = {}
    for path in files:
        for contract in read_contracts(path):
            found.setdefault(contract.source, []).append((path, contract))
    for source, told in found.items():
        wrong = objection([contract for _, contract in told]) if len(told) > 1 else None
        if wrong is not None:
            raise ContractError(
                f"{told[-1][0]}: the source {source!r} is declared in {told[0][0].name} already, and {wrong}."
            )
    return {
        name: together(
            [_with_days(contract, since.get(name, {}), relations_since.get(name, {})) for _, contract in told]
        )
        for name, told in sorted(found.items())
    }


def _with_days(contract: Contract, since: Mapping[str, date], relations_since: Mapping[str, date]) -> Contract:
    """With the landing day from which each column and each rule is expected that came to it later, unless it says another
    itself."""
    columns = tuple(
        replace(one, since=since[one.name]) if one.since is None and not one.required and one.name in since else one
        for one in contract.columns
    )
    relations = tuple(replace(one, since=relations_since.get(one.name)) for one in contract.relations)
    return replace(contract, columns=columns, relations=relations)


def _compared(relation: Relation, own: Contract, other: Contract) -> Iterable[tuple[str, str]]:
    """The types of the columns that a rule compares with those of another source."""
    types, others = ({one.name: one.type for one in contract.columns} for contract in (own, other))
    return zip(
        (types[one] for one in relation.columns), (others[relation.other_column], others[other.key[0]]), strict=True
    )


def _comparable(one: str, other: str) -> bool:
    return one == other or (is_number(one) and is_number(other))


def _refuse_relations_to_nothing(folder: Path, contract: Contract, all_of_them: Mapping[str, Contract]) -> None:
    """A rule that compares with another source needs one row of that for each value."""
    for one in contract.relations:
        if one.kind is RelationKind.SAME_AS:
            other = all_of_them.get(one.other_source)
            names = [] if other is None else [column.name for column in other.columns]
            if other is None or one.other_column not in names:
                why = f"{one.other_source}.{one.other_column} is declared by no contract"
            elif len(other.key) > 1:
                why = f"{one.other_source} has a key of several columns, and {one.columns[1]} leads to no single row"
            elif any(not _comparable(*pair) for pair in _compared(one, contract, other)):
                why = "it compares columns of different types"
            else:
                continue
            raise ContractError(f"{folder}: the rule {one.name} of {contract.source} cannot be judged: {why}.")


def _to_sources(contract: Contract, all_of_them: Mapping[str, Contract]) -> Iterator[tuple[Column, Reference]]:
    """The columns that refer to a source, which may be their own, and not to reference data."""
    for one in contract.columns:
        if one.references is not None and one.references.table in all_of_them:
            yield one, one.references


def _refuse_references_to_nothing(folder: Path, contract: Contract, all_of_them: Mapping[str, Contract]) -> None:
    """A reference to another source is compared with a column of it."""
    for column, to in _to_sources(contract, all_of_them):
        types = {one.name: one.type for one in all_of_them[to.table].columns}
        if to.column not in types:
            why = f"{to.table} has no column {to.column}"
        elif not _comparable(column.type, types[to.column]):
            why = f"it is a {column.type}, and that a {types[to.column]}"
        elif any(one.name == f"known_{column.name}" for one in contract.relations):
            why = f"a rule of the contract is called known_{column.name}, as the rule that follows from it: rename that"
        else:
            continue
        raise ContractError(
            f"{folder}: the reference of {contract.source}.{column.name} to {to} cannot be judged: {why}."
        )


def _with_references(contracts: Mapping[str, Contract], since: Mapping[str, Mapping[str, date]]) -> dict[str, Contract]:
    """With a rule for each reference to a source: which tables are sources, no file says alone."""
    found = {}
    for name, contract in contracts.items():
        rules = (leads_to(column.name, to.table, to.column) for column, to in _to_sources(contract, contracts))
        dated = tuple(replace(one, since=since.get(name, {}).get(one.name)) for one in rules)
        found[name] = replace(contract, relations=(*contract.relations, *dated)) if dated else contract
    return found


CONTRACTS = contracts_in(CONTRACTS_FOLDER)
SOURCES = tuple(CONTRACTS)
"""In the order of their names: where several are equal, the first one counts."""


def check_source(source: str) -> None:
    """Raise `UsageError` for a source that the project does not declare."""
    if source not in SOURCES:
        raise UsageError(f"There is no source {source!r}: choose one of {', '.join(SOURCES) or 'none'}.")
