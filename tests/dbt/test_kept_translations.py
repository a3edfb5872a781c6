"""Texts that one process has translated from Jinja are those that the next one runs."""

import marshal
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

from reliability_platform.warehouse import dbt_overhead
from reliability_platform.warehouse.dbt_overhead import kept_translations


@pytest.fixture(autouse=True)
def a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is translated yet, and no file has been read."""
    monkeypatch.setattr(dbt_overhead, "_translated", {})
    monkeypatch.setattr(dbt_overhead, "_taken", set())
    yield


def _translate(folder: Path) -> Path:
    with kept_translations(folder / "manifest.json"):
        dbt_overhead._translated["Environment", "{{ 1 + 1 }}"] = compile("1 + 1", "a text", "eval")
    return next(iter(folder.glob("translated-*")))


def test_the_next_process_takes_what_was_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that translates nothing anew does not write the file again either."""
    written = _translate(tmp_path).stat().st_mtime_ns
    monkeypatch.setattr(dbt_overhead, "_translated", {})
    monkeypatch.setattr(dbt_overhead, "_taken", set())
    with kept_translations(tmp_path / "manifest.json"):
        assert FunctionType(dbt_overhead._translated["Environment", "{{ 1 + 1 }}"], {})() == 2
    assert next(iter(tmp_path.glob("translated-*"))).stat().st_mtime_ns == written


@pytest.mark.parametrize("content", [b"", b"half of a file", marshal.dumps({"a": 1})[:-1], marshal.dumps(7)])
def test_a_damaged_file_is_made_anew(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves half a file: it costs the time to translate, and no build."""
    place = _translate(tmp_path)
    whole = place.read_bytes()
    place.write_bytes(content)
    monkeypatch.setattr(dbt_overhead, "_translated", {})
    monkeypatch.setattr(dbt_overhead, "_taken", set())
    assert _translate(tmp_path).read_bytes() == whole


def test_what_another_user_may_have_written_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that anybody can write into a shared temporary folder would run as whoever builds."""
    place = _translate(tmp_path)
    place.chmod(0o666)
    monkeypatch.setattr(dbt_overhead, "_translated", {})
    monkeypatch.setattr(dbt_overhead, "_taken", set())
    with kept_translations(tmp_path / "manifest.json"):
        assert dbt_overhead._translated == {}
