"""All declared faults by name. A fault that is not here cannot strike."""

from reliability_platform.errors import UsageError
from reliability_platform.faults.delivery import DELIVERY_FAULTS
from reliability_platform.faults.fault import Fault
from reliability_platform.faults.schema import SCHEMA_FAULTS
from reliability_platform.faults.timing import TIMING_FAULTS
from reliability_platform.faults.value import VALUE_FAULTS

CATALOGUE: dict[str, Fault] = {
    fault.name: fault for fault in (*DELIVERY_FAULTS, *TIMING_FAULTS, *SCHEMA_FAULTS, *VALUE_FAULTS)
}


def fault_named(name: str) -> Fault:
    """The declared fault. Raises `UsageError` for a name that the catalogue does not know."""
    if name not in CATALOGUE:
        raise UsageError(f"There is no fault {name!r}: choose one of {', '.join(sorted(CATALOGUE))}.")
    return CATALOGUE[name]
