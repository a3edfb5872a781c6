"""The session of Spark in which a build runs, one for each process.

Whatever belongs to a cluster (`spark.master`, memory, `spark.jars`, the catalog) is said where Spark itself looks for it:
`spark-defaults.conf` in `SPARK_CONF_DIR`. What is missing there is set so that one machine suffices: tables in folders of the home, and no metastore.
"""

import os
import sys
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.masking import error_text
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

ICEBERG = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"

_HOME = "spark.reliability.home"


def _always() -> dict[str, str]:
    """Without which the models would make other rows."""
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.parser.escapedStringLiterals": "true",
        "spark.sql.ansi.enabled": "false",
        "spark.ui.showConsoleProgress": "false",  # it would end up in what a command says
    }


def _unless_said(settings: Settings) -> dict[str, str]:
    """For one machine: all of its cores, tables in the home."""
    place = settings.spark
    return {
        "spark.master": "local[*]",
        "spark.app.name": "reliability",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": str(os.cpu_count() or 2),
        "spark.sql.extensions": ICEBERG,
        # In folders, which need no metastore: any number of processes may look, and the lease lets one write.
        "spark.sql.defaultCatalog": "home",
        "spark.sql.catalog.home": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.home.type": "hadoop",
        "spark.sql.catalog.home.warehouse": (place / "tables").as_uri(),
    }


def spark_session(settings: Settings) -> "SparkSession":
    """The session of this process, with the schema of the home as the current one. Raises `EnvironmentUnusableError` in
    one line if Spark is not installed or does not start.
    """
    try:
        from py4j.protocol import Py4JError
        from pyspark import SparkContext
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise EnvironmentUnusableError(
            'RELIABILITY_ENGINE is spark, and Spark is not installed: `pip install "reliability-platform[spark]"`, and Java 17.'
        ) from None
    settings.spark.mkdir(parents=True, exist_ok=True)
    try:
        session = SparkSession.getActiveSession()
        if session is not None and session.conf.get(_HOME, "") != str(settings.home):
            session.stop()  # of another home, whose tables it would write
            session = None
        if session is None:
            session = SparkSession.builder.config(conf=_configuration(settings)).getOrCreate()
            session.sparkContext.setLogLevel("ERROR")
            _wait_for_an_executor(session, settings.spark_wait_seconds)
        session.sql(f"create schema if not exists {settings.spark_schema}")
        session.sql(f"use {settings.spark_schema}")
    except (Py4JError, PySparkException, RuntimeError, OSError) as error:
        SparkContext._active_spark_context = None
        raise EnvironmentUnusableError(_why(str(error))) from None
    return session


def _wait_for_an_executor(session: "SparkSession", seconds: float) -> None:
    """Let a cluster do the least job: Spark itself waits for ever for one that has no worker, or none with room. Raises
    `EnvironmentUnusableError` after so many seconds, without the session.
    """
    master = session.sparkContext.master
    if master.startswith("local"):
        return

    def ask() -> None:
        with suppress(Exception):  # a cluster that refuses tells the build why
            session.range(1).count()

    first = Thread(target=ask, daemon=True)
    first.start()
    first.join(seconds)
    if first.is_alive():
        session.stop()
        raise EnvironmentUnusableError(
            f"The cluster of Spark at {master} has given no executor for {seconds:g} s: look at the page of its master, whether it "
            "has workers with the cores and the memory that spark-defaults.conf asks for, or others use them; "
            "RELIABILITY_SPARK_WAIT_SECONDS waits longer."
        )


def _configuration(settings: Settings) -> "SparkConf":
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()  # type: ignore[attr-defined]  # the JVM reads `spark-defaults.conf` when it starts
    configuration = SparkConf()
    if configuration.get("spark.master", "local").startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of the path, it may be one without pyspark
    for name, value in _unless_said(settings).items():
        configuration.setIfMissing(name, value)
    for name, value in _always().items():
        configuration.set(name, value)
    configuration.set(_HOME, str(settings.home))
    if configuration.get("spark.master", "").startswith("local"):
        configuration.setIfMissing("spark.driver.host", "127.0.0.1")
        configuration.setIfMissing("spark.driver.bindAddress", "127.0.0.1")
    return configuration


def _why(text: str) -> str:
    if ("org.apache.iceberg" in text and "ClassNotFound" in text) or "Cannot find catalog plugin class" in text:
        return (
            "Spark does not find Iceberg: name its jar in `spark.jars` or its package in `spark.jars.packages` of "
            "spark-defaults.conf in SPARK_CONF_DIR (docs/how-to/spark.md)."
        )
    return f"Spark does not start: {error_text(text, 300)}"
