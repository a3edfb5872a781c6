"""Where results of other tools belong: the check of a dataset, and the day. What cannot be placed is said, not dropped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reliability_platform.checks.catalogue import IMPORTED, MART_SOURCES
from reliability_platform.checks.imported.external_test import ExternalTest, shown
from reliability_platform.clock import FIRST_DAY
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.settings import suggestion
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import read_manifest

_ENDINGS = (".parquet", ".csv.gz", ".csv", ".jsonl", ".json")


@dataclass(frozen=True)
class PlacedTest:
    """A result with its place."""

    test: ExternalTest
    check: str
    day: date
    is_whole: bool
    """Whether it judged the table as a whole; `day` is then the last that was over."""
    at: datetime
    """When it ran, and no later than now: a clock that lies must not outlive every later run."""


def dataset_named(name: str) -> str | None:
    """What the platform calls a table of another tool: a published table, or the staging of a source."""
    bare = name.replace('"', "").replace("`", "").split("/")[-1].casefold()
    ending = next((one for one in _ENDINGS if bare.endswith(one)), "")
    bare = bare.removesuffix(ending).rpartition(".")[2]
    by_name = {one.casefold(): one for one in MART_SOURCES}
    if bare in by_name:
        return by_name[bare]
    for source in SOURCES:
        ours = {source, f"stg_{source}", f"bronze_{source}"}
        if bare in ours or bare.startswith(f"int_{source}__"):
            return f"stg_{source}"
    return None


def place(
    test: ExternalTest, now: datetime, dataset: str | None, names: Mapping[str, str], day: date | None
) -> PlacedTest | str:
    """The place of a result, or why it has none. `dataset` and `day` are for what the file does not say; `names` are what
    its tables are called here."""
    said = test.dataset or dataset
    if said is None:
        return f"{test.name}: the file does not say which table it is about: give --dataset"
    found = dataset_named(names.get(said, said)) or (dataset_named(dataset) if dataset else None)
    if found is None:
        known = [*SOURCES, *MART_SOURCES]
        return f"{test.name}: there is no source or published table {shown(said)!r}{suggestion(said, known)} Give --as NAME=DATASET"
    at = min(test.at or now, now)
    wanted = test.day or day
    if wanted is not None and not FIRST_DAY <= wanted < now.date():
        return f"{test.name}: {wanted} is no day that has landed"
    last = min(at.date(), now.date()) - timedelta(days=1)
    return PlacedTest(test, IMPORTED[found], wanted or max(last, FIRST_DAY), wanted is None, at)


def unknown_column(placed: PlacedTest) -> str | None:
    """What to say of a column that the dataset does not have; None if it has it, or nobody can tell."""
    column, dataset = placed.test.column, placed.check.removesuffix("__imported_tests")
    if column is None:
        return None
    known = _columns(dataset)
    if not known or column.casefold() in known:
        return None
    return f"{placed.test.name}: {dataset} has no column {shown(column)!r}{suggestion(column, known)} It is kept all the same"


def _columns(dataset: str) -> set[str]:
    source = dataset.removeprefix("stg_")
    if source in CONTRACTS:
        return {one.name.casefold() for one in CONTRACTS[source].columns}
    models = read_manifest(ensure_manifest())["nodes"].values()
    return {name.casefold() for one in models if one["name"] == dataset for name in one["columns"]}
