"""Events as the specification wants them, and the file that keeps them."""

import copy
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.checks.results import CheckStatus
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.openlineage_events.datasets import assertions, bronze, landing
from reliability_platform.openlineage_events.emitter import emit
from reliability_platform.openlineage_events.event_file import EventFile, opened
from reliability_platform.openlineage_events.message import shown_error
from reliability_platform.openlineage_events.run import JobState
from reliability_platform.openlineage_events.specification import Specification
from reliability_platform.settings import Settings, load_settings
from tests.unit.failing import result
from tests.unit.lineage_made import KEY, event, numbered, run_of


def specifications() -> list[Specification]:
    """The schemas behind the client; the official files too, if OPENLINEAGE_SPECIFICATION says where they are."""
    folder = os.environ.get("OPENLINEAGE_SPECIFICATION")
    official = [Specification.from_folder(Path(folder))] if folder else []
    return [Specification.of_the_client(), *official]


@pytest.mark.parametrize("state", JobState)
def test_every_event_is_valid_with_all_its_facets(state: JobState) -> None:
    """Any receiver of OpenLineage can read what we say."""
    made = event(state=state)
    assert made["eventType"] == state.value
    assert {*made["run"]["facets"]} == {"parent", "nominalTime"} | (
        {"errorMessage"} if state is JobState.FAIL else set()
    )
    [source], [target] = made["inputs"], made["outputs"]
    assert {*source["facets"], *source["inputFacets"]} == {"schema", "dataQualityMetrics", "dataQualityAssertions"}
    assert {*target["facets"], *target["outputFacets"]} == {"schema", "columnLineage", "outputStatistics"}
    for specification in specifications():
        assert specification.problems(made) == []


BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no run id": lambda made: made["run"].pop("runId"),
    "a run id that is no UUID": lambda made: made["run"].update(runId="run-1"),
    "no job": lambda made: made.pop("job"),
    "a job without a name": lambda made: made["job"].pop("name"),
    "an unknown state": lambda made: made.update(eventType="DONE"),
    "a time without its zone": lambda made: made.update(eventTime="2026-01-01T00:00:00"),
    "a producer that is no URI": lambda made: made.update(producer="us"),
    "rows as text": lambda made: made["outputs"][0]["outputFacets"]["outputStatistics"].update(rowCount="3"),
    "an assertion without success": lambda made: made["inputs"][0]["inputFacets"]["dataQualityAssertions"][
        "assertions"
    ][0].pop("success"),
    "metrics without columns": lambda made: made["inputs"][0]["inputFacets"]["dataQualityMetrics"].pop("columnMetrics"),
    "a field without a name": lambda made: made["outputs"][0]["facets"]["schema"]["fields"][0].pop("name"),
    "lineage without inputs": lambda made: made["outputs"][0]["facets"]["columnLineage"]["fields"]["amount"].pop(
        "inputFields"
    ),
    "a parent without a run": lambda made: made["run"]["facets"]["parent"].pop("run"),
    "a facet without a producer": lambda made: made["run"]["facets"]["nominalTime"].pop("_producer"),
    "a facet of an unknown schema": lambda made: made["run"]["facets"]["nominalTime"].update(_schemaURL="https://x/y"),
    "an event of an unknown schema": lambda made: made.update(schemaURL="https://x/y"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_event_is_found(name: str) -> None:
    """A validator that accepts anything proves nothing."""
    made = copy.deepcopy(event())
    BREAKS[name](made)
    for specification in specifications():
        assert specification.problems(made)


def test_a_run_is_the_same_run_whenever_it_is_told_of() -> None:
    """Receivers recognise an event that comes twice by its run id; two jobs of one parent are two runs."""
    assert run_of().run_id == run_of().run_id
    assert len({run_of().run_id, run_of("dbt.other").run_id, run_of(parent="another").run_id}) == 3
    assert run_of().parent_run_id == run_of().parent_run
    assert run_of(parent="test").parent_run_id != "test"


def test_a_check_without_a_result_is_left_out() -> None:
    """A crashed check is neither good nor bad data; one day of three that could not be judged hides no failed one."""
    check = "stg_orders__missing_customer_id"
    days = [
        result(check, 1, status=CheckStatus.PASSED),
        result(check, 2, status=CheckStatus.FAILED),
        result(check, 3, status=CheckStatus.NOT_EVALUATED),
    ]
    crashed = result("stg_orders__row_count", 1, status=CheckStatus.NOT_EVALUATED)
    [said] = assertions([*days, crashed])["stg_orders"]
    assert (said.check, said.success, said.column) == (check, False, "customer_id")
    assert (said.landing_days, said.failed_on) == (2, (date(2026, 1, 2),))
    assert said.actual is None
    [alone] = assertions(days[:1])["stg_orders"]
    assert (alone.success, alone.actual) == (True, "1")


def test_an_error_leaves_the_house_without_places_and_people(tmp_path: Path) -> None:
    """Lineage goes to other companies' servers: no path of this machine, no mail address, no card, one short line."""
    settings = load_settings(tmp_path / "home")
    text = f"could not read {tmp_path}/home/x.parquet\nnor /usr/local/lib/x.py: ann@example.com 4111 1111 1111 1111 "
    shown = shown_error(UsageError(text + "z" * 900), settings)
    assert str(tmp_path) not in shown
    assert "/usr/local" not in shown
    assert "ann@" not in shown
    assert "4111" not in shown
    assert "\n" not in shown
    assert len(shown) == 300
    assert shown_error(KeyError(), settings) == "KeyError"
    quoting = shown_error(ValueError("could not convert string to float: 'Erika'"), settings)
    assert quoting.startswith("could not convert string to")
    assert "Erika" not in quoting
    assert shown_error("1/2 of a/b at https://example.org/a/b", settings) == "1/2 of a/b at https://example.org/a/b"


@pytest.mark.parametrize(
    "url", ["ftp://x", "localhost:5000", "http://", "http://user:hidden@x", "http://x?key=hidden", "http://x:99999999"]
)
def test_an_unusable_url_is_refused_without_repeating_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody puts a secret into the URL sooner or later."""
    monkeypatch.setenv("RELIABILITY_OPENLINEAGE_URL", url)
    with pytest.raises(UsageError, match="RELIABILITY_OPENLINEAGE_URL is not usable") as refused:
        load_settings()
    assert "hidden" not in str(refused.value)


def test_a_key_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are printed and logged."""
    monkeypatch.setenv("RELIABILITY_OPENLINEAGE_API_KEY", KEY)
    assert KEY not in f"{load_settings()!r} {load_settings()} {load_settings().model_dump_json()}"


def _file(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(line) for line in settings.lineage_events.read_text().splitlines()]


def test_without_an_endpoint_events_are_lines_of_a_file(tmp_path: Path) -> None:
    """The default needs no server."""
    settings = load_settings(tmp_path)
    emit(settings, numbered(2))
    emit(settings, [])
    emit(settings, numbered(1))
    assert _file(settings) == [*numbered(2), *numbered(1)]


def test_half_a_line_of_a_killed_writer_spoils_no_other(tmp_path: Path) -> None:
    """The next writer begins a new line; readers pass over the half and count it."""
    file = EventFile(tmp_path / "events.jsonl", 10**9)
    file.append(numbered(1))
    with (tmp_path / "events.jsonl").open("a") as torn:
        torn.write('{"eventType": "STA')
    file.append(numbered(2))
    assert [found for _, found in file.lines()] == [*numbered(1), None, *numbered(2)]


def test_a_file_that_is_full_is_set_aside_and_nothing_is_lost(tmp_path: Path) -> None:
    """Files are numbered in order, past nine too; those that are set aside are compressed."""
    file = EventFile(tmp_path / "events.jsonl", 1)
    for one in numbered(12):
        file.append([one])
    assert [path.name for path in file.files()] == [*(f"events.jsonl.{n}.gz" for n in range(1, 12)), "events.jsonl"]
    assert [found for _, found in file.lines()] == numbered(12)


def test_a_writer_that_is_killed_as_it_compresses_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Whatever it left is read once, and compressed by the next one; so is what an earlier release has set aside."""
    file = EventFile(tmp_path / "events.jsonl", 1)
    file.append(numbered(1))
    (tmp_path / "events.jsonl").rename(tmp_path / "events.jsonl.1")
    [listed] = file.files()
    file.append(numbered(2))
    assert [found for _, found in file.lines()] == [*numbered(1), *numbered(2)]
    (tmp_path / "events.jsonl.1.gz").write_bytes(gzip.compress((tmp_path / "events.jsonl.1").read_bytes()))
    assert [found for _, found in file.lines()] == [*numbered(1), *numbered(2)]
    file.append(numbered(1))
    assert [path.name for path in file.files()] == ["events.jsonl.1.gz", "events.jsonl.2.gz", "events.jsonl"]
    assert [found for _, found in file.lines()] == [*numbered(1), *numbered(2), *numbered(1)]
    with opened(listed) as read:  # by whoever had listed it before it was compressed
        assert json.loads(read.read()) == numbered(1)[0]


WRITER = """
import sys
from pathlib import Path
from reliability_platform.openlineage_events.event_file import EventFile
file = EventFile(Path(sys.argv[1]), 200_000)
print("ready", flush=True)
sys.stdin.readline()
for number in range(300):
    file.append([{"writer": sys.argv[2], "number": number, "text": "x" * 2000}])
"""


def test_two_processes_write_at_once_and_a_third_is_killed(tmp_path: Path) -> None:
    """Every whole line is an event, each writer's in its order; the killed one left at most half a line."""
    path = tmp_path / "events.jsonl"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b", "killed")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    while not path.exists():
        pass
    writers[2].send_signal(signal.SIGKILL)
    assert [writer.wait() for writer in writers] == [0, 0, -signal.SIGKILL]
    found = [one for _, one in EventFile(path, 200_000).lines()]
    assert found.count(None) <= 1
    for name in ("a", "b"):
        assert [one["number"] for one in found if one and one["writer"] == name] == list(range(300))


def test_contracts_describe_every_source_in_landing_and_bronze() -> None:
    """Schemas come from the contracts; bronze adds where a row came from."""
    for source in SOURCES:
        promised, admitted = landing(source), bronze(source)
        assert promised.fields == admitted.fields[: len(promised.fields)]
        assert "_batch_id" in {one.name for one in admitted.fields}
        assert {one.type for one in admitted.fields} <= {
            "BIGINT", "INTEGER", "VARCHAR", "TIMESTAMP", "DATE", "DECIMAL(12,2)",
        }  # fmt: skip
