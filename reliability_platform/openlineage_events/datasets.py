"""What is known of the platform's datasets: columns from contracts, manifest and warehouse, rows, null counts, checks.

Names are the keys of the assets, joined by a slash.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.types import KNOWN, arrow_type
from reliability_platform.landing.bronze import bronze_folder, bronze_schema
from reliability_platform.openlineage_events.run import Assertion, Dataset, Field, InputColumn, Metrics
from reliability_platform.parquet import identifier, literal
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader

_TYPE_NAMES = {arrow_type(name): name for name in KNOWN if name != "JSON"}

ColumnLineage = Mapping[str, Mapping[str, frozenset[InputColumn]]]
"""Model → column → the columns that it is made from."""


def landing(source: str) -> Dataset:
    """The deliveries of a source, as its contract promises them."""
    return Dataset(f"landing/{source}", tuple(Field(one.name, one.type) for one in CONTRACTS[source].columns))


def bronze(source: str) -> Dataset:
    """The admitted files of a source: the contract's columns, then where each row came from."""
    fields = (Field(one.name, _type_name(one.type)) for one in bronze_schema(source))
    return Dataset(f"bronze/{source}", tuple(fields))


def published(table: str, rows: int | None = None) -> Dataset:
    """A table as consumers read it."""
    return Dataset(f"published/{table}", rows_written=rows, files_written=None if rows is None else 1)


def _type_name(kind: pa.DataType) -> str:
    """DuckDB's name of a type, where it has one for it; Arrow's otherwise."""
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return _TYPE_NAMES.get(kind, str(kind))


def bronze_metrics(settings: Settings, source: str, days: Iterable[date]) -> Metrics:
    """Rows, files and null counts of bronze partitions, from the footers of the files: no row is read."""
    rows = files = 0
    nulls: defaultdict[str, int] = defaultdict(int)
    for day in days:
        for path in bronze_folder(settings, source, day).glob("*.parquet"):
            footer = pq.read_metadata(path)
            rows, files = rows + footer.num_rows, files + 1
            for group in range(footer.num_row_groups):
                for number in range(footer.num_columns):
                    column = footer.row_group(group).column(number)
                    if column.statistics is not None and column.statistics.has_null_count:
                        nulls[column.path_in_schema] += column.statistics.null_count
    return Metrics(rows, files, dict(nulls))


class ModelLineage:
    """The dbt models of a manifest."""

    def __init__(self, manifest: Mapping[str, Any], column_lineage: ColumnLineage) -> None:
        self._nodes = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
        self._names = {unique_id: node["name"] for unique_id, node in manifest["nodes"].items()}
        self._names |= {
            unique_id: f"{source['source_name']}/{source['name']}" for unique_id, source in manifest["sources"].items()
        }
        self._column_lineage = column_lineage

    def inputs(self, model: str) -> list[Dataset]:
        """What a model reads."""
        return [Dataset(self._names[parent]) for parent in self._nodes[model]["depends_on"]["nodes"]]

    def output(self, model: str) -> Dataset:
        """What a model writes, with the columns that its yml declares."""
        declared = self._nodes[model]["columns"].values()
        fields = (Field(one["name"], one.get("data_type"), _words(one.get("description"))) for one in declared)
        return Dataset(model, tuple(fields))

    def built(self, settings: Settings, names: Sequence[str], first: date, last: date) -> dict[str, Dataset]:
        """Models as they stand in the warehouse after a build: all columns, where each comes from, rows of the days.

        Descriptions are those of the yml. Rows are counted where a table has a landing day: only there is it certain
        that the build wrote them.
        """
        outputs = {name: self.output(name) for name in names}
        with warehouse_reader(settings) as connection:
            columns: defaultdict[str, list[Field]] = defaultdict(list)
            found = connection.execute(
                "select table_name, column_name, data_type from information_schema.columns "
                "where table_schema = 'main' order by table_name, ordinal_position"
            ).fetchall()
            for table, column, kind in found:
                columns[table].append(Field(column, kind))
            counted = [
                name
                for name in names
                if self._nodes[name]["config"]["materialized"] != "view"
                and any(one.name == "landing_date" for one in columns[name])
            ]
            counts = " union all ".join(
                f"select {literal(name)}, count(*) from {identifier(name)} "
                f"where landing_date between date '{first.isoformat()}' and date '{last.isoformat()}'"
                for name in counted
            )
            rows = dict(connection.execute(counts).fetchall()) if counts else {}
        for name, output in outputs.items():
            described = {one.name: one.description for one in output.fields}
            fields = tuple(replace(one, description=described.get(one.name)) for one in columns[name])
            outputs[name] = replace(
                output,
                fields=fields or output.fields,
                columns=self._column_lineage.get(name, {}),
                rows_written=rows.get(name),
            )
        return outputs


def assertions(results: Iterable[CheckResult]) -> dict[str, tuple[Assertion, ...]]:
    """What checks said of each dataset (by the checks' name of it): one assertion per check over all landing days.

    A check that crashed, or has too little history, has no result: the specification knows only success and its
    contrary, so the check is left out on these days rather than called either.
    """
    by_check: defaultdict[tuple[str, str], list[CheckResult]] = defaultdict(list)
    for result in results:
        if result.status is not CheckStatus.NOT_EVALUATED:
            by_check[result.dataset, result.check].append(result)
    found: defaultdict[str, tuple[Assertion, ...]] = defaultdict(tuple)
    for (dataset, check), results in sorted(by_check.items()):
        found[dataset] += (_assertion(check, results),)
    return found


def _assertion(check: str, results: Sequence[CheckResult]) -> Assertion:
    failed_on = tuple(sorted(one.partition for one in results if one.status is CheckStatus.FAILED))
    only = results[0] if len(results) == 1 else None
    return Assertion(
        check=check,
        success=not failed_on,
        severity="error" if CHECKS[check].blocking else "warn",
        expected=results[0].threshold,
        column=results[0].column,
        actual=None if only is None or only.value is None else f"{only.value:g}",
        landing_days=len(results),
        failed_on=failed_on,
    )


def _words(text: str | None) -> str | None:
    return " ".join(text.split()) if text and text.strip() else None
