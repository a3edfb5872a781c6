"""Personal data in what is published: by the lineage of columns, those of a mart that show what a contract calls personal.

A digest, a count, a sum and a comparison show no value. What shows one must be said in the mart's own yml, in the `meta` of
the column: `config: {meta: {personal: true}}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import UsageError
from reliability_platform.lineage.columns import Place, column_lineage
from reliability_platform.lineage.graph import NodeKind
from reliability_platform.warehouse.marts import marts, read_manifest

ALLOWED = "personal"


class PersonalDataPublishedError(UsageError):
    """A mart would publish personal data that it does not declare."""


@dataclass(frozen=True)
class ShownColumn:
    """A column of a mart that shows the values of a personal one, and does not say so."""

    mart: str
    column: str
    source: str
    source_column: str

    @property
    def line(self) -> str:
        """What is wrong and what to do, in one line."""
        return (
            f"{self.mart}.{self.column} would publish {self.source}.{self.source_column}, which its contract calls personal: "
            f"leave it out, publish sha256({self.column}) in its place, or say config: {{meta: {{personal: true}}}} of the column in "
            f"{self.mart}.yml"
        )


def undeclared_personal_columns(manifest_path: Path) -> list[ShownColumn]:
    """The columns of published tables that show personal data without saying so."""
    shows: dict[Place, frozenset[Place]] = {
        (f"{NodeKind.BRONZE}/{source}", column.name): frozenset({(source, column.name)})
        for source, contract in CONTRACTS.items()
        for column in contract.columns
        if column.pii
    }
    published = {mart.name for mart in marts(manifest_path)}
    if not shows or not published:
        return []
    for model, columns in column_lineage(manifest_path).items():  # in the order of the data
        for column, inputs in columns.items():
            read = (
                shows.get((one.dataset, one.column)) for one in inputs if one.kind == "direct" and not one.is_covered
            )
            shows[model, column] = frozenset[Place]().union(*(one for one in read if one))
    allowed = _declared(manifest_path)
    return [
        ShownColumn(model, column, *min(origins))
        for (model, column), origins in shows.items()
        if model in published and origins and (model, column) not in allowed
    ]


def ensure_personal_data_declared(manifest_path: Path) -> None:
    """Raises `PersonalDataPublishedError` if a mart would publish personal data without saying so."""
    found = undeclared_personal_columns(manifest_path)
    if found:
        more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
        raise PersonalDataPublishedError(f"Nothing is published: {found[0].line}{more}.")


def _declared(manifest_path: Path) -> set[Place]:
    return {
        (node["name"], name)
        for node in read_manifest(manifest_path)["nodes"].values()
        if node["resource_type"] == "model"
        for name, column in node["columns"].items()
        if _meta(column).get(ALLOWED) is True
    }


def _meta(column: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**(column.get("meta") or {}), **((column.get("config") or {}).get("meta") or {})}
