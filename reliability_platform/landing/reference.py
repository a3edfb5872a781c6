"""Reference data in a home: what events refer to, loaded whole and sealed."""

from collections.abc import Mapping
from pathlib import Path

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts import CONTRACTS
from reliability_platform.damage import write_seal, written_as
from reliability_platform.settings import Settings
from reliability_platform.sources.source import own_tables, reference_files

SIMULATED_TABLES = (
    ("customers", "merchants", "products", "currency_rates")
    if any(contract.kind == "simulated" for contract in CONTRACTS.values())
    else ()
)
REFERENCE_TABLES = tuple(dict.fromkeys((*SIMULATED_TABLES, *own_tables())))
"""Those that are loaded: what the simulation knows, and the tables that the project keeps. What else lies in the home's
`reference/` is left alone."""


def tables_of_project() -> dict[str, Path]:
    """The reference tables that the project keeps, and the file of each."""
    return own_tables()


def reference_file(settings: Settings, name: str) -> Path:
    """Where a reference table is."""
    return settings.reference / f"{name}.parquet"


def reference_seal(settings: Settings) -> Path:
    """Where the checksums of the last load are: not beside the tables, or whoever deletes these deletes them, too."""
    return settings.admissions / "reference" / "seal.json"


def load_reference(settings: Settings, files: Mapping[str, bytes]) -> None:
    """Write all reference tables, each in one step. Their seal comes first: a load that is killed can be finished."""
    paths = {name: reference_file(settings, name) for name in files}
    names = {paths[name].relative_to(settings.home).as_posix(): content for name, content in files.items()}
    write_seal(reference_seal(settings), {name: written_as(content) for name, content in names.items()})
    for name, content in files.items():
        write_atomically(paths[name], content)


def refresh_reference(settings: Settings) -> None:
    """Load all reference tables as the system of record has them now."""
    load_reference(settings, reference_files(settings))
