"""A Spark that finds Iceberg. Without `make spark` there is none, and nothing here is collected."""

from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("pyspark") else ["test_*.py"]


@pytest.fixture(scope="session")
def spark_configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for SPARK_CONF_DIR."""
    from tests.spark.iceberg_jars import iceberg_jars

    folder = tmp_path_factory.mktemp("spark-conf")
    jars = ",".join(map(str, iceberg_jars(folder)))
    (folder / "spark-defaults.conf").write_text(
        f"spark.jars {jars}\nspark.driver.memory 1g\nspark.executor.memory 1g\n"
    )
    return folder
