"""The contracts of the project that this process serves, by the name of their source.

A process serves one project: its dbt models, its checks and its contracts belong together (decision 0012).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

from reliability_platform.contracts.as_generated import known_since
from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.contracts.versions import objection, together
from reliability_platform.settings import CONTRACTS_FOLDER


def contracts_in(folder: Path) -> dict[str, Contract]:
    """Every source that the files of a folder declare, by name. Raises `ContractError` in one line."""
    files = (path for path in folder.glob("*.y*ml") if path.suffix in (".yml", ".yaml") and path.name[0] != ".")
    return contracts_of(sorted(files), known_since(folder))


def contracts_of(
    files: Iterable[Path], since: Mapping[str, Mapping[str, date]] = MappingProxyType({})
) -> dict[str, Contract]:
    """Every source that some files declare, several versions of one as one contract. `since` says from which landing day on
    columns are expected that came later. Raises `ContractError` in one line."""
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
        name: together([_with_days(contract, since.get(name, {})) for _, contract in told])
        for name, told in sorted(found.items())
    }


def _with_days(contract: Contract, since: Mapping[str, date]) -> Contract:
    """With the landing day from which each column is expected that came to it later, unless it says another itself."""
    columns = tuple(
        replace(one, since=since[one.name]) if one.since is None and not one.required and one.name in since else one
        for one in contract.columns
    )
    return replace(contract, columns=columns) if columns != contract.columns else contract


CONTRACTS = contracts_in(CONTRACTS_FOLDER)
SOURCES = tuple(CONTRACTS)
"""In the order of their names: where several are equal, the first one counts."""
