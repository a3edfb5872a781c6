"""One engine in memory for all who ask files: nobody sees what another has made, and a file is read as it is now."""

import os
from pathlib import Path

import duckdb
import pytest

from reliability_platform import in_memory as module
from reliability_platform.in_memory import in_memory
from reliability_platform.parquet import scan


def _write(file: Path, number: int) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"copy (select {number} as n) to '{file}' (format parquet)")


def test_what_one_makes_another_does_not_see() -> None:
    """Also not one of the same name at the same time."""
    with in_memory() as one, in_memory() as other:
        one.execute("create temp view side as select 1 as n")
        other.execute("create temp view side as select 2 as n")
        assert (one.execute("from side").fetchall(), other.execute("from side").fetchall()) == ([(1,)], [(2,)])
    with in_memory() as after, pytest.raises(duckdb.CatalogException):
        after.execute("from side")


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    """Of the same length and the same moment, as a flipped bit leaves it; long ago, for DuckDB distrusts the last seconds."""
    file, another = tmp_path / "one.parquet", tmp_path / "another.parquet"
    _write(file, 1)
    _write(another, 2)
    moment = file.stat().st_mtime_ns - 3600 * 10**9
    os.utime(file, ns=(moment, moment))
    with in_memory() as connection:
        assert connection.execute(f"select n from {scan(file)}").fetchall() == [(1,)]
    file.write_bytes(another.read_bytes())
    os.utime(file, ns=(moment, moment))
    with in_memory() as connection:
        assert connection.execute(f"select n from {scan(file)}").fetchall() == [(2,)]


def test_an_engine_that_has_ended_is_followed_by_another() -> None:
    """A process that runs for months must outlive one damaged file."""
    with in_memory():
        pass
    module._ENGINES[os.getpid()].close()
    with in_memory() as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]


def test_a_fork_asks_with_an_engine_of_its_own() -> None:
    """The threads of the parent's do not outlive the fork."""
    with in_memory() as connection:
        connection.execute("select count(*) from range(1_000_000)").fetchall()
    child = os.fork()
    if child == 0:
        try:
            with in_memory() as connection:
                [(rows,)] = connection.execute("select count(*) from range(1_000_000)").fetchall()
            os._exit(0 if rows == 1_000_000 else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
