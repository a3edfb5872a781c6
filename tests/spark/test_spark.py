"""On Apache Spark the same deliveries become the same tables as on DuckDB, row for row, whatever is killed meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from reliability_platform.contracts import SOURCES
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.settings import load_settings
from tests.spark.cluster import Cluster, cluster

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(3_600)]

FAULTS = (
    ("conflicting_duplicate", "orders"),
    ("poison_message", "web_events"),
    ("out_of_range_values", "payments"),
    ("future_timestamps", "shipments"),
)
"""Each rejects rows of staging for another reason; one for a source, for some need all of its day."""
LAYERS = [
    *(f"stg_{source}" for source in SOURCES),
    *(f"int_{source}__deduplicated" for source in SOURCES),
    "qtn_rows",
    "hld_too_late",
    "agg_daily_fulfilment",
    "agg_daily_funnel",
    "agg_daily_payments",
    "agg_daily_revenue",
    "fct_customer_days",
    "rec_batches__conserved",
    "rec_silver__vs__gold",
    "rec_orders__vs__payments",
]


class Home:
    """A home whose commands run as an operator's do, each in a process of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.environment = folder, os.environ | {"RELIABILITY_AUTOMATION": "false"} | environment
        folder.mkdir(parents=True)
        Simulation(events_per_day=800).save(load_settings(folder))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        program = str(Path(sys.executable).parent / "reliability")
        return subprocess.Popen(
            [program, *words, "--home", str(self.folder)], env=self.environment, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def do(self, *words: str, ends_with: int = 0) -> str:
        process = self.start(*words)
        told, _ = process.communicate()
        assert process.returncode == ends_with, told
        return told

    def live(self) -> None:
        """Two good days, then a bad one, then the second anew."""
        self.do("run", "--from", "2026-01-01", "--to", "2026-01-02")
        for fault, source in FAULTS:
            self.do("inject", fault, "--source", source, "--date", "2026-01-03")
        self.do("run", "--from", "2026-01-03", "--to", "2026-01-03", ends_with=1)
        self.do("run", "--from", "2026-01-02", "--to", "2026-01-02", ends_with=1)

    def rows(self, table: str) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
        """Columns with their types, and rows, both sorted."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            columns = sorted((row[0], row[1]) for row in connection.execute(f"describe {table}").fetchall())
            names = ", ".join(f'"{name}"' for name, _ in columns)
            return columns, connection.execute(f"select {names} from {table} order by all").fetchall()

    def published(self) -> dict[str, list[tuple[object, ...]]]:
        """What consumers read."""
        with duckdb.connect() as connection:
            return {
                folder.name: connection.execute(
                    f"from '{folder}/*.parquet' order by all".replace("[", "[[]")
                ).fetchall()
                for folder in sorted((self.folder / "published" / "current").iterdir())
                if folder.is_dir()
            }


@pytest.fixture(scope="module")
def on_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("duckdb") / "home")
    home.live()
    assert all(home.rows(table)[1] for table in LAYERS if table != "hld_too_late"), (
        "a table without rows proves nothing"
    )
    return home


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory, spark_configuration: Path) -> Home:
    home = Home(
        tmp_path_factory.mktemp("spark") / "a home [1]",
        RELIABILITY_ENGINE="spark",
        SPARK_CONF_DIR=str(spark_configuration),
    )
    home.live()
    return home


def _assert_same(home: Home, other: Home) -> None:
    for table in LAYERS:
        assert home.rows(table) == other.rows(table), table
    assert home.published() == other.published()
    assert other.published()


def test_every_table_of_spark_equals_that_of_duckdb(on_spark: Home, on_duckdb: Home) -> None:
    _assert_same(on_spark, on_duckdb)


def test_what_is_healed_on_spark_equals_what_duckdb_would_have_built(on_spark: Home) -> None:
    """The oracle of a home on Spark is built by DuckDB: two engines must agree."""
    on_spark.do("heal", ends_with=1)  # one waits for a person
    on_spark.do("heal", "--incident", "INC-0002-invalid_values-payments-2026-01-03")
    on_spark.do("verify")


def _wait_for_tables(home: Home, count: int) -> None:
    ends = time.monotonic() + 900
    while len(list((home.folder / "spark" / "tables").glob("*/int_*/metadata/v*.metadata.json"))) < count:
        assert time.monotonic() < ends, "no build came so far"
        time.sleep(0.1)


def test_a_driver_that_is_killed_in_a_build_leaves_what_the_next_one_mends(
    tmp_path: Path, spark_configuration: Path, on_duckdb: Home
) -> None:
    home = Home(tmp_path / "home", RELIABILITY_ENGINE="spark", SPARK_CONF_DIR=str(spark_configuration))
    home.do("run", "--from", "2026-01-01", "--to", "2026-01-02")
    for fault, source in FAULTS:
        home.do("inject", fault, "--source", source, "--date", "2026-01-03")
    versions = len(list((home.folder / "spark" / "tables").glob("*/int_*/metadata/v*.metadata.json")))
    killed = home.start("run", "--from", "2026-01-03", "--to", "2026-01-03")
    _wait_for_tables(home, versions + 2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    home.do("run", "--from", "2026-01-03", "--to", "2026-01-03", ends_with=1)
    home.do("run", "--from", "2026-01-02", "--to", "2026-01-02", ends_with=1)
    _assert_same(home, on_duckdb)


@contextmanager
def _home_on_a_cluster(
    tmp_path: Path, spark_configuration: Path, workers: int = 2, **environment: str
) -> Iterator[tuple[Home, Cluster]]:
    with cluster(tmp_path / "cluster", workers) as made:
        folder = tmp_path / "conf"
        folder.mkdir()
        said = (spark_configuration / "spark-defaults.conf").read_text()
        said += f"spark.master {made.url}\nspark.driver.host 127.0.0.1\nspark.executor.memory 700m\n"
        said += f"spark.pyspark.python {sys.executable}\n"
        (folder / "spark-defaults.conf").write_text(said.replace("spark.executor.memory 1g\n", ""))
        home = Home(
            tmp_path / "home", RELIABILITY_ENGINE="spark", SPARK_CONF_DIR=str(folder), SPARK_LOCAL_IP="127.0.0.1",
            PYSPARK_PYTHON=sys.executable, **environment,
        )  # fmt: skip
        yield home, made


@pytest.fixture
def of_a_cluster(tmp_path: Path, spark_configuration: Path) -> Iterator[tuple[Home, Cluster]]:
    with _home_on_a_cluster(tmp_path, spark_configuration) as found:
        yield found


def test_a_cluster_that_gives_no_executor_is_one_line(tmp_path: Path, spark_configuration: Path) -> None:
    with _home_on_a_cluster(tmp_path, spark_configuration, workers=0, RELIABILITY_SPARK_WAIT_SECONDS="5") as (
        home,
        made,
    ):
        told = home.do("run", "--from", "2026-01-01", "--to", "2026-01-01", ends_with=3)
    assert f"The cluster of Spark at {made.url} has given no executor for 5 s" in told
    assert "Traceback" not in told


def test_a_worker_that_is_killed_in_a_build_changes_nothing(
    of_a_cluster: tuple[Home, Cluster], on_duckdb: Home
) -> None:
    home, made = of_a_cluster
    first = home.start("run", "--from", "2026-01-01", "--to", "2026-01-02")
    _wait_for_tables(home, 1)
    made.kill_a_worker()
    told, _ = first.communicate()
    assert first.returncode == 0, told
    for fault, source in FAULTS:
        home.do("inject", fault, "--source", source, "--date", "2026-01-03")
    home.do("run", "--from", "2026-01-03", "--to", "2026-01-03", ends_with=1)
    home.do("run", "--from", "2026-01-02", "--to", "2026-01-02", ends_with=1)
    _assert_same(home, on_duckdb)
