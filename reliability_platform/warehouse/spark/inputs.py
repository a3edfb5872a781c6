"""What a build on Spark reads: bronze, reference data, dead letters and build rules, as temporary views of the session."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from reliability_platform.clock import days
from reliability_platform.contracts import CONTRACTS
from reliability_platform.json_text import fault_of
from reliability_platform.landing.bronze import SENTINEL_DAY
from reliability_platform.landing.bronze_files import admissions_file, bronze_folder
from reliability_platform.landing.corrections import corrected_days
from reliability_platform.landing.reference import REFERENCE_TABLES
from reliability_platform.parquet import literal
from reliability_platform.settings import Settings
from reliability_platform.warehouse.build_rules import RULES
from reliability_platform.warehouse.corrected import corrected_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def give_inputs(
    settings: Settings, session: "SparkSession", connection: duckdb.DuckDBPyConnection, first: date, last: date
) -> None:
    """Make the views that the macros of `dbt_project/macros/spark.sql` read, for the landing days `first`..`last`."""
    _give_json_fault(session)
    folder = settings.spark / "inputs"
    folder.mkdir(parents=True, exist_ok=True)
    there = [SENTINEL_DAY, *days(first, last)]
    for source in CONTRACTS:
        files = _bronze_files(settings, connection, source, there, folder)
        _with_landing_day(_parquet(session, files)).createOrReplaceTempView(f"bronze_{source}")
    admissions = [admissions_file(settings, source, day) for source in CONTRACTS for day in there]
    _with_landing_day(_parquet(session, admissions)).createOrReplaceTempView("bronze_admissions")
    letters = sorted(settings.quarantine.glob("*/landing_date=*/dead_letters.parquet"))
    _parquet(session, letters).createOrReplaceTempView("dead_letters")
    for table in REFERENCE_TABLES:
        _parquet(session, [settings.reference / f"{table}.parquet"]).createOrReplaceTempView(f"reference_{table}")
    rules = folder / "build_rules.parquet"
    connection.execute(f"copy {RULES} to {literal(str(rules))} (format parquet)")
    _parquet(session, [rules]).createOrReplaceTempView("build_rules")


def _bronze_files(
    settings: Settings, connection: duckdb.DuckDBPyConnection, source: str, there: Sequence[date], folder: Path
) -> list[Path]:
    """The files of some landing days; of a day with corrections, one in which they are applied."""
    files: list[Path] = []
    corrected = set(corrected_days(settings, source))
    for day in there:
        if day in corrected:
            made = folder / source / f"landing_date={day.isoformat()}" / "corrected.parquet"
            made.parent.mkdir(parents=True, exist_ok=True)
            rows = corrected_rows(settings, source, day)
            connection.execute(f"copy {rows} to {literal(str(made))} (format parquet)")
            files.append(made)
        else:
            files += sorted(bronze_folder(settings, source, day).glob("*.parquet"))
    return files


def _parquet(session: "SparkSession", files: Sequence[Path]) -> "DataFrame":
    """The rows of files that are there; in their paths nothing is a pattern."""
    names = [_escaped(str(path)) for path in files if path.exists()]
    return session.read.option("mergeSchema", "true").option("recursiveFileLookup", "true").parquet(*names)


def _escaped(path: str) -> str:
    for sign in "\\[]{}*?":
        path = path.replace(sign, "\\" + sign)
    return path


def _with_landing_day(rows: "DataFrame") -> "DataFrame":
    from pyspark.sql.functions import col, regexp_extract

    day = regexp_extract(col("_metadata.file_path"), "landing_date=([0-9-]+)/[^/]*$", 1).cast("date")
    return rows.withColumn("landing_date", day)


def _give_json_fault(session: "SparkSession") -> None:
    from pyspark import cloudpickle
    from pyspark.sql.functions import udf

    from reliability_platform import json_text

    with suppress(ValueError):  # it is registered already
        cloudpickle.register_pickle_by_value(json_text)  # workers need not have the platform
    session.udf.register("json_fault", udf(fault_of, "string"))
