"""Questions to the warehouse, by failure class: SQL that a person may paste into a read-only connection as it stands.

Made of names and dates that the platform knows; no text from data becomes part of a statement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from reliability_platform.checks.catalogue import MARTS, MODEL_CHECKS
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.relations import Relation
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.model import Incident
from reliability_platform.strict_yaml import read_yaml
from reliability_platform.warehouse.marts import ModelCheck

LISTED = 3
"""So many days are named one by one."""


@dataclass(frozen=True)
class Question:
    """What it answers, in words, and the statement."""

    answers: str
    sql: str


@cache
def declared() -> dict[str, dict[str, str]]:
    """Every question by name: `answers`, `sql` with places to fill in, and perhaps `needs`."""
    found: dict[str, dict[str, str]] = read_yaml(Path(__file__).with_name("questions.yml").read_text())
    return found


def _reference(contract: Contract) -> Relation | None:
    """The first rule by which it leads to a source."""
    return next(iter(contract.references_to_sources.values()), None)


def _comparison(contract: Contract) -> ModelCheck | None:
    """The first model that compares it with another source."""
    return next((one for one in MODEL_CHECKS if contract.source in one.sources), None)


def _has(contract: Contract, needed: str | None) -> bool:
    match needed:
        case None:
            return True
        case "ranges":
            return any(column.minimum is not None for column in contract.columns)
        case "measure" | "entity":
            return bool(contract.with_role(needed))
        case "nested":
            return bool(contract.nested)
        case "comparison":
            return _comparison(contract) is not None
        case "reference":
            return _reference(contract) is not None
        case _:
            raise RuntimeError(f"questions.yml: nobody knows what {needed!r} is")


def _first(columns: Sequence[Column]) -> str:
    return columns[0].name if columns else ""


def _day(day: date) -> str:
    return f"date '{day.isoformat()}'"


def _on(days: Sequence[date]) -> str:
    """A condition on a date that a person can read at a glance, however many days there are."""
    first, last = min(days), max(days)
    if len(days) > LISTED and (last - first).days + 1 == len(set(days)):
        return f"between {_day(first)} and {_day(last)}"
    return f"in ({', '.join(map(_day, days))})"


def _filling(contract: Contract, days: Sequence[date]) -> dict[str, Any]:
    on_days = _on(days)
    required = [column.name for column in contract.columns if column.required]
    ranged = [column.name for column in contract.columns if column.minimum is not None]
    link, compared = _reference(contract), _comparison(contract)
    gold = [mart for mart in MARTS if mart.event_date is not None and contract.source in mart.sources]
    return {
        "source": contract.source,
        "key": contract.key[0] if len(contract.key) == 1 else f"({contract.key_list})",
        "slots": contract.cadence.batches,
        "days": ", ".join(map(_day, days)),
        "on_days": on_days,
        "day_count": len(set(days)),
        "first": _day(min(days)),
        "last": _day(max(days)),
        "nested": _first(contract.nested),
        "event_time": contract.event_time,
        "measure": _first(contract.with_role("measure")),
        "segment": _first(contract.with_role("segment")) or "'all rows' as segment",
        "referring": link.columns[0] if link else "",
        "referred": link.other_source if link else "",
        "referred_key": link.other_column if link else "",
        "comparison": compared.model if compared else "",
        "comparison_says": compared.description.rstrip(".") if compared else "",
        "entity": _first(contract.with_role("entity")),
        "missing": ", ".join(f"count(*) - count({name}) as {name}" for name in required),
        "ranges": ", ".join(
            f"min({name}) as smallest_{name}, median({name}) as usual_{name}, max({name}) as largest_{name}"
            for name in ranged
        ),
        "gold": "\n".join(
            f"union all\nselect {mart.day}, '{mart.name}', count(*) from {mart.relation} where {mart.day} {on_days} group by all"
            for mart in gold
        ),
    }


def questions_of(failure_class: str, source: str, days: Sequence[date]) -> list[Question]:
    """The questions of a class about one source and landing days, the most telling first."""
    contract = CONTRACTS[source]
    filling = _filling(contract, days)
    wanted = [declared()[name] for name in CLASSES[failure_class].texts.questions]
    return [
        Question(one["answers"].format(**filling), one["sql"].format(**filling).strip())
        for one in wanted
        if _has(contract, one.get("needs"))
    ]


def questions(incident: Incident) -> list[Question]:
    """The questions of an incident, for each source concerned; each statement once."""
    found = [
        one
        for source in incident.sources or (incident.source,)
        for one in questions_of(incident.failure_class, source, incident.partitions)
    ]
    return list(dict.fromkeys(found))
