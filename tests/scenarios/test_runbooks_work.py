"""Every kind of command and every question of every runbook, executed against a real incident on a real home.

One home is landed, built and published; for a failure class one of its checks is recorded as failed there, and the
incident that the platform opens is worked off by its own runbook: line by line, by the real command line. Days and
sources are shared out so that no class explains another one, and each incident stays one.

That each command and option of a runbook exists is held by tests/conventions, and that its questions are read-only by
tests/unit/test_documents_runbook.py.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.cli.session import driving
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.documents.blocks import Block, Commands, Hints
from reliability_platform.incidents.documents.class_page import class_page
from reliability_platform.incidents.documents.runbook import runbook
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline.ticks import notice
from reliability_platform.remediation.documents import remedy_of, situation_of
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader
from tests.ground import Platform
from tests.unit.failing import day, result
from tests.unit.lived_in import copied_home

pytestmark = pytest.mark.exhaustive  # 25 s to open an incident of every class, and a minute of healing

DAYS = 2
HOME = "it's a home"
"""A folder may have any name."""
SERVES = "reliability dev"
"""Runs until it is stopped: `tests/orchestration/test_dev.py` starts and stops it."""
LOOKED_FOR_AGAIN = {"confirm", "catch_up"}
"""Whether it is still so the platform looks by itself at every tick; what was made up here is over before its runbook."""
EXITS = re.compile(r"exits with (\d)")
OF_EACH_POLICY = {
    (policy.action, policy.automatic): name for name, policy in reversed(POLICIES.items()) if name in CLASSES
}
"""What heals, and whether it waits for a person → the first class of which that is so."""
NOT_OF_THE_SHOP = {"failed_test", "broken_relation"}
"""Raised by tests of an own dbt project, and by rules that a contract declares; those of the shop declare none."""
OF_THE_SHOP = [name for name in CLASSES if name not in NOT_OF_THE_SHOP]


@dataclass
class Worked:
    """What became of the runbook of one class."""

    incident: Incident
    blocks: list[Block]
    lines: list[tuple[str, set[int]]]
    """Commands in their order, each with the exit codes that the runbook lets expect."""
    codes: dict[str, int] = field(default_factory=dict)


def execute(line: str) -> int:
    """The exit code of one command, as the shell would see it."""
    words = shlex.split(line)
    assert words[0] == "reliability", line
    try:
        return int(main(words[1:]) or 0)
    except SystemExit as stop:
        return int(stop.code or 0)


def lines_of(blocks: list[Block]) -> list[tuple[str, set[int]]]:
    """Every command line with the codes that are allowed: 0, and those of the comment above it."""
    found, allowed = [], {0}
    for block in blocks:
        if isinstance(block, Commands) and block.language == "shell":
            for line in block.lines:
                if line.startswith("#"):
                    allowed = {0, *map(int, EXITS.findall(line))}
                else:
                    found.append((line, allowed))
                    allowed = {0}
    return found


def _check_of(failure_class: str, source: str) -> str | None:
    if failure_class == "check_not_evaluated":
        return f"stg_{source}__row_count"
    of_class = [name for name, spec in CHECKS.items() if spec.failure_class == failure_class and spec.source == source]
    of_it_alone = [name for name in of_class if CHECKS[name].sources == (source,)]
    return next(iter(of_it_alone or of_class), None)


def _related(one: str, other: str) -> bool:
    return other in CLASSES[one].explains or one in CLASSES[other].explains


def places() -> dict[str, tuple[str, date]]:
    """Class → a check of it and a landing day, so that no two classes of one source and day explain each other."""
    taken: dict[tuple[str, int], list[str]] = {}
    found: dict[str, tuple[str, date]] = {}
    everywhere = [(number, source) for number in range(1, DAYS + 1) for source in SOURCES]
    # What concerns several sources finds room first.
    for name in sorted(CLASSES, key=lambda name: name != "sources_disagree"):
        for number, source in everywhere:
            check = _check_of(name, source)
            concerned = CHECKS[check].sources if check else ()
            there = [one for place in concerned for one in taken.get((place, number), [])]
            # A check has one result a day: two classes must not use the same one.
            used = {found[one][0] for one in there}
            if check and name not in found and check not in used and not any(_related(name, one) for one in there):
                for place in concerned:
                    taken.setdefault((place, number), []).append(name)
                found[name] = (check, day(number))
    return found


PLACES = places()


def _fail(settings: Settings, names: Collection[str]) -> Engine:
    """Record one failed check for each of these classes."""
    engine, now = operations_engine(settings), utc_now()
    results = []
    for name in names:
        check, landing_day = PLACES[name]
        status = CheckStatus.NOT_EVALUATED if name == "check_not_evaluated" else CheckStatus.FAILED
        value = None if name == "check_not_evaluated" else 1_000_000.0
        one = result(check, status=status, value=value, at=now, run_id="test")
        results.append(replace(one, partition=landing_day))
    CheckStore(engine).record(results)
    return engine


def _runbooks(settings: Settings, engine: Engine) -> dict[str, Worked]:
    """The runbook of every incident of the home, as it stands now."""
    found = {}
    for incident in IncidentStore(engine).all():
        blocks = runbook(incident, situation_of(settings, engine, incident, utc_now()))
        found[incident.failure_class] = Worked(incident, blocks, lines_of(blocks))
    return found


@pytest.fixture(scope="module")
def settings(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with two landed, built and published days in the environment of this process, and a day after them, with
    which came a version: there is one to go back to.
    """
    made = lived(tmp_path_factory.mktemp("runbooks") / HOME)
    made.run(day(DAYS + 1), day(DAYS + 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELIABILITY_HOME", str(made.settings.home))
        yield made.settings


@pytest.fixture(scope="module")
def opened(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, Worked]]:
    """A copy of the home before anything failed there, with an open incident of every class, and their runbooks."""
    there = copied_home(settings.home, tmp_path_factory.mktemp("opened") / HOME)
    engine = _fail(there, PLACES)
    notice(there, engine, utc_now)
    return there, _runbooks(there, engine)


@pytest.fixture(scope="module")
def worked(
    settings: Settings, opened: tuple[Settings, dict[str, Worked]], request: pytest.FixtureRequest
) -> dict[str, Worked]:
    """An incident of each class that this session asks for, worked off by its runbook as it stood
    when it was opened. A line that several share runs once."""
    asked = {
        str(item.callspec.params["failure_class"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_every_command_of_the_runbook_works_as_pasted
    }
    engine = _fail(settings, asked)
    with driving(settings, healing=False) as (_, daemon):
        daemon.settle()  # the incident sensor opens them and writes their pages
    found = _runbooks(settings, engine)
    first_of = {found[name].incident.id for name in OF_EACH_POLICY.values() if name in found}
    lines = dict.fromkeys(line for one in found.values() for line, _ in one.lines)
    codes: dict[str, int] = {}
    for line in sorted(lines, key=lambda line: _turn(line, first_of)):
        if line.startswith("export"):
            assert shlex.split(line) == ["export", f"RELIABILITY_HOME={settings.home}"]
        else:
            codes[line] = execute(line)
    for one in found.values():
        one.codes = {line: codes[line] for line, _ in one.lines if line in codes}
    return found


def _turn(line: str, first: set[str]) -> int:
    """First what only looks; then one incident of each kind of policy is healed, then all of a source and day at once,
    then whatever is left; at last what proves. Each healing runs days again: so few of them suffice for all."""
    words = line.split()
    if "--dry-run" in words or words[1] not in ("heal", "quarantine", "run", "publish", "verify", "incidents"):
        return 0
    if words[1] == "heal":
        return 1 if words[3] in first else 3
    places = {"replay": 2, "run": 4, "resolve": 5, "publish": 6, "verify": 7}
    return next((place for word, place in places.items() if word in words[1:3]), 0)


def test_every_class_has_its_own_real_incident(opened: tuple[Settings, dict[str, Worked]]) -> None:
    """Otherwise the tests below would prove little."""
    assert set(opened[1]) == set(OF_THE_SHOP)
    assert NOT_OF_THE_SHOP.isdisjoint(spec.failure_class for spec in CHECKS.values())


@pytest.mark.parametrize("failure_class", OF_THE_SHOP)
def test_every_command_of_the_runbook_works_as_pasted(worked: dict[str, Worked], failure_class: str) -> None:
    """It ends with 0, or with a code that the line above it announces."""
    one = worked[failure_class]
    for line, allowed in one.lines:
        if not line.startswith("export"):
            assert one.codes[line] in allowed, f"{line} ended with {one.codes[line]}"
    done = {line.split()[1] for line in one.codes}
    recovery = set() if POLICIES[failure_class].action in LOOKED_FOR_AGAIN else {"heal", "run"}
    assert done >= {"incidents", "checks", "quarantine", "publish", "verify"} | recovery


def test_what_the_runbooks_did_ended_every_incident(settings: Settings, worked: dict[str, Worked]) -> None:
    """Following the runbook to its end leaves nothing open, and the proof holds."""
    assert [one.id for one in IncidentStore(operations_engine(settings)).open()] == []
    assert {one.codes["reliability verify"] for one in worked.values()} == {0}


@pytest.mark.parametrize("failure_class", OF_THE_SHOP)
def test_every_question_of_the_runbook_runs_as_pasted(
    opened: tuple[Settings, dict[str, Worked]], failure_class: str
) -> None:
    """On the read-only connection, statement by statement and as one block; and nothing in it can write."""
    settings, every = opened
    one = every[failure_class]
    (block,) = [block for block in one.blocks if isinstance(block, Commands) and block.language == "sql"]
    pasted = "\n".join(block.lines)
    with warehouse_reader(settings) as connection:
        connection.execute(pasted).fetchall()
        statements = duckdb.extract_statements(pasted)
        for statement in statements:
            assert statement.type == duckdb.StatementType.SELECT
            answer = connection.execute(statement)
            assert answer.description
            answer.fetchall()
    assert len(statements) == sum(line.startswith("-- ") for line in block.lines) >= 2
    assert f"landing_date in (date '{one.incident.partitions[0]}')" in pasted or "landing_date" not in pasted


@pytest.mark.parametrize("failure_class", CLASSES)
def test_the_questions_on_the_page_of_a_class_run_as_pasted(settings: Settings, failure_class: str) -> None:
    """The page is read before anything happens, and tried out."""
    blocks = class_page(failure_class, remedy_of(failure_class), read_policy(settings.response_policy))
    with warehouse_reader(settings) as connection:
        for block in blocks:
            if isinstance(block, Commands) and block.language == "sql":
                connection.execute("\n".join(block.lines)).fetchall()


def test_commands_inside_sentences_work_too(worked: dict[str, Worked]) -> None:
    """A hint is followed as a command is."""
    found = {
        code
        for one in worked.values()
        for block in one.blocks
        if isinstance(block, Hints)
        for item in block.items
        for code in re.findall(r"`(reliability [^`]+)`", item)
    }
    assert SERVES in found
    whole = sorted(code for code in found - {SERVES} if not re.search(r"\b(DAY|ID|BATCH)\b", code))
    assert {"reliability heal", "reliability quarantine list", "reliability publish --rollback"} <= set(whole)
    back = [line.split(" --why")[0].replace(" hold ", " release ") for line in whole if " hold " in line]
    # A drill needs the snapshot that the same hint asks for, and the way back is tried last; then what was held is let
    # go, and the newest version is published again.
    whole.sort(key=lambda one: ("rollback" in one, "snapshot create" not in one))
    for line in [*whole, *back, "reliability publish"]:
        # A person at a terminal is asked before anything is replaced; here nobody can be.
        destroys = "rollback" in line or "restore" in line
        # What the publication to which consumers go back held is held again.
        allowed = (0, 1) if "publish" in line else (0,)
        assert execute(f"{line} --yes --why runbook" if destroys else line) in allowed, line


@pytest.mark.parametrize("command", ["runbook", "assess", "postmortem", "message", "page", "show"])
def test_every_document_of_every_class_can_be_made(
    worked: dict[str, Worked], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each on an incident that is over; what is made is not empty."""
    for one in list(worked.values())[:: 1 if command == "postmortem" else 3]:
        assert execute(f"reliability incidents {command} {one.incident.id}") == 0
        assert len(capsys.readouterr().out) > 40


def test_a_block_of_commands_works_in_a_real_shell(
    settings: Settings, worked: dict[str, Worked], tmp_path: Path
) -> None:
    """Pasted into bash as it stands, quotes in the name of the home and all."""
    command, start = tmp_path / "reliability", "import reliability_platform.cli as it; it.main()"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{start}" "$@"\n')
    command.chmod(0o755)
    blocks = [one for one in worked["late_data"].blocks if isinstance(one, Commands) and one.language == "shell"]
    first = [line for line in blocks[0].lines if "incidents ack" not in line]  # it is over by now
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment.pop("RELIABILITY_HOME")
    script = "\n".join(["set -e", *first, *blocks[1].lines])
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert worked["late_data"].incident.id in done.stdout
