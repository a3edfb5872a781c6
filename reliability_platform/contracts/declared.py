"""The contracts of the project that this process serves, by the name of their source.

A process serves one project: its dbt models, its checks and its contracts belong together (decision 0012).
"""

from pathlib import Path

from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.settings import CONTRACTS_FOLDER


def contracts_in(folder: Path) -> dict[str, Contract]:
    """Every source that the files of a folder declare, by name. Raises `ContractError` in one line."""
    found: dict[str, tuple[Path, Contract]] = {}
    files = sorted(path for path in folder.glob("*.y*ml") if path.suffix in (".yml", ".yaml") and path.name[0] != ".")
    for path in files:
        for contract in read_contracts(path):
            if contract.source in found:
                other = found[contract.source][0]
                raise ContractError(
                    f"{path}: the source {contract.source!r} is declared in {other.name} already: give one of them another name."
                )
            found[contract.source] = path, contract
    return {name: contract for name, (_, contract) in sorted(found.items())}


CONTRACTS = contracts_in(CONTRACTS_FOLDER)
SOURCES = tuple(CONTRACTS)
"""In the order of their names: where several are equal, the first one counts."""
