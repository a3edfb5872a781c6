"""A first mart for a new source, so that something is published and can be proved: a person's from then on."""

import re
from pathlib import Path

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.generation import render
from reliability_platform.contracts.names import refusal

FOLDER = "dbt_project/models/marts"
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")


def write_first_mart(project: Path, contract: Contract) -> list[str]:
    """Write the mart and its yml below the project; returns the files. Nothing if one of them is there."""
    name = f"agg_daily_{contract.source}"
    filling = _filling(contract, name)
    texts = {f"{FOLDER}/{name}.{ending}": render(f"first_mart.{ending}", filling) for ending in ("sql", "yml")}
    if any((project / path).exists() for path in texts):
        return []
    for path, text in texts.items():
        write_atomically(project / path, text.encode())
    return sorted(texts)


def _filling(contract: Contract, name: str) -> dict[str, object]:
    segments = [one for one in contract.with_role("segment") if not one.pii]
    measures = [_total(one) for one in contract.with_role("measure") if not one.pii]
    taken = {one.name for one in segments[:1]} | {one["total"] for one in measures}
    return {
        "source": contract.source,
        "name": name,
        "segment": segments[0].name if segments else "",
        "segment_type": segments[0].type.lower() if segments else "",
        "rows": contract.source
        if contract.source not in taken and refusal(contract.source) is None
        else "number_of_rows",
        "measures": measures,
    }


def _total(measure: Column) -> dict[str, object]:
    """The sum of a measure, in a type that holds it and stays the same."""
    decimal = _DECIMAL.fullmatch(measure.type)
    kind = f"decimal(38,{decimal[1]})" if decimal else "double" if measure.type in ("DOUBLE", "FLOAT") else "bigint"
    is_exact = kind != "double"
    # The last digits of a sum of floating numbers depend on their order, and a replaced batch comes in another one: 24
    # temperatures a day were unlike those of a run without failures. The same order gives the same sum.
    terms = measure.name if is_exact else f"{measure.name} order by {measure.name}"
    return {
        "name": measure.name,
        "total": f"total_{measure.name}",
        "sum": f"cast(sum({terms}) as {kind})",
        "type": kind,
        "is_exact": is_exact,  # a sum of such sums depends on their order again
    }
