"""The blast radius of an incident: what it reaches, how much is concerned, and what it does to the numbers in gold."""

from reliability_platform.incidents.impact.measures import MeasureChange, MeasureRow, measure_table, measures
from reliability_platform.incidents.impact.numbers import Numbers, numbers, numbers_of_each
from reliability_platform.incidents.impact.radius import (
    exposures_of,
    is_contained,
    keeps_from_consumers,
    radius,
    reach_of,
    root_nodes,
    spoiled_columns,
)
from reliability_platform.incidents.impact.reach import Consumers, Exposure, Reach, consumers, reach
from reliability_platform.incidents.impact.record import BAD, RECOVERED, phase_of, record_impact, record_impacts
from reliability_platform.incidents.impact.rows_of_days import RowsOfDays, rows_of_days

__all__ = [
    "BAD",
    "RECOVERED",
    "Consumers",
    "Exposure",
    "MeasureChange",
    "MeasureRow",
    "Numbers",
    "Reach",
    "RowsOfDays",
    "consumers",
    "exposures_of",
    "is_contained",
    "keeps_from_consumers",
    "measure_table",
    "measures",
    "numbers",
    "numbers_of_each",
    "phase_of",
    "radius",
    "reach",
    "reach_of",
    "record_impact",
    "record_impacts",
    "root_nodes",
    "rows_of_days",
    "spoiled_columns",
]
