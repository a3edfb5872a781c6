"""All declared faults and controls by name. What is not here cannot be injected."""

from reliability_platform.errors import UsageError
from reliability_platform.lab.faults.absence import ABSENCE_FAULTS
from reliability_platform.lab.faults.amount import AMOUNT_FAULTS
from reliability_platform.lab.faults.category import CATEGORY_FAULTS
from reliability_platform.lab.faults.controls import CONTROLS as ALL_CONTROLS
from reliability_platform.lab.faults.delivery import DELIVERY_FAULTS
from reliability_platform.lab.faults.distinct import DISTINCT_FAULTS
from reliability_platform.lab.faults.fault import Fault
from reliability_platform.lab.faults.relation import RELATION_FAULTS
from reliability_platform.lab.faults.repetition import REPETITION_FAULTS
from reliability_platform.lab.faults.run import RUN_FAULTS
from reliability_platform.lab.faults.schema import SCHEMA_FAULTS
from reliability_platform.lab.faults.segment import SEGMENT_FAULTS
from reliability_platform.lab.faults.source import SOURCE_FAULTS
from reliability_platform.lab.faults.time_of_day import TIME_OF_DAY_FAULTS
from reliability_platform.lab.faults.timing import TIMING_FAULTS
from reliability_platform.lab.faults.transform import TRANSFORM_FAULTS
from reliability_platform.lab.faults.value import VALUE_FAULTS
from reliability_platform.lab.faults.volume import VOLUME_FAULTS
from reliability_platform.lab.faults.warehouse import WAREHOUSE_FAULTS

CATALOGUE: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        *DELIVERY_FAULTS,
        *TIMING_FAULTS,
        *SCHEMA_FAULTS,
        *VALUE_FAULTS,
        *VOLUME_FAULTS,
        *CATEGORY_FAULTS,
        *SEGMENT_FAULTS,
        *TIME_OF_DAY_FAULTS,
        *AMOUNT_FAULTS,
        *REPETITION_FAULTS,
        *RELATION_FAULTS,
        *DISTINCT_FAULTS,
        *ABSENCE_FAULTS,
        *SOURCE_FAULTS,
        *RUN_FAULTS,
        *TRANSFORM_FAULTS,
        *WAREHOUSE_FAULTS,
    )
}
CONTROLS: dict[str, Fault] = {control.name: control for control in ALL_CONTROLS}


def fault_named(name: str) -> Fault:
    """The declared fault or control. Raises `UsageError` for a name that neither catalogue knows."""
    found = CATALOGUE.get(name) or CONTROLS.get(name)
    if found is None:
        raise UsageError(f"There is no fault {name!r}: choose one of {', '.join(sorted(CATALOGUE))}.")
    return found
