"""What several unit tests share."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.object_store import BUCKET, KEY, SECRET, ObjectStore, object_store
from tests.unit.alerting import Ground, Server
from tests.unit.broken_home import BrokenHome

ON_BOTH_ENGINES = frozenset({
    "test_audit_log", "test_build_journal", "test_day_clock", "test_incident_cursor", "test_incidents_store",
})  # fmt: skip
"""The modules of tests of what reads and writes the operations store."""
ABOVE_THEM = frozenset({
    "test_alerts", "test_breach", "test_contract_change", "test_corrections", "test_day_not_run", "test_episodes",
    "test_freeze", "test_incident_metrics", "test_incident_response", "test_incidents",
    "test_incidents_cli", "test_incidents_detection", "test_incidents_lifecycle", "test_incidents_triage", "test_lateness",
    "test_people_report", "test_recurring", "test_remediation_due", "test_remediation_ends",
    "test_remediation_heal", "test_remediation_two_causes", "test_serve_and_tokens", "test_shared_tests",
    "test_status_page", "test_tickets", "test_upkeep", "test_watch",
})  # fmt: skip
"""Those of what stands on such stores: on the server in `make test-all`. What copies a home stays with the file in it."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A real HTTP server on loopback."""
    one = Server()
    yield one
    one.close()


@pytest.fixture
def ground(tmp_path: Path) -> Callable[..., Ground]:
    """Makes a home whose alerts go to these URLs: `ground(url, …, alert_cap_per_hour=4)`."""
    return lambda *urls, **settings: Ground(tmp_path / "home", *urls, **settings)


@pytest.fixture(scope="session")
def store() -> Iterator[ObjectStore]:
    """One object store for all tests of a worker: it takes 3 s to be there. What kills or stops its store has one of its own."""
    with object_store() as one:
        yield one


@pytest.fixture
def bucket(store: ObjectStore, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A place of its own in the bucket of the store, and the keys to it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    name = f"{request.module.__name__.rpartition('.')[2]}-{request.node.name}"
    return f"s3://{BUCKET}/{re.sub('[^a-z_0-9]', '-', name)}"


@pytest.fixture(scope="session")
def _remembered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine good days of orders, and of the payments that speak of them: enough for a test on the past."""
    home = BrokenHome(tmp_path_factory.mktemp("remembered") / "home", events_per_day=4_000)
    home.remember(9, "payments")
    return home.settings.home


@pytest.fixture
def with_past(_remembered: Path, tmp_path: Path) -> BrokenHome:
    """A home of its own of which the source has a past; its day has not landed yet."""
    shutil.copytree(_remembered, tmp_path / "with_past", symlinks=True)
    return BrokenHome(tmp_path / "with_past", events_per_day=4_000)


@pytest.fixture(autouse=True)
def _store_engine(request: pytest.FixtureRequest) -> None:
    """Where the homes of a test have their operations store: in their folder, or, for tests of the store, in a server as well."""
    if getattr(request, "param", "sqlite") == "postgresql":
        request.getfixturevalue("in_postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of what reads and writes the operations store are run on both of its engines."""
    is_of_a_file = metafunc.definition.get_closest_marker("sqlite") is not None
    name = metafunc.module.__name__.rpartition(".")[2]
    if name in ON_BOTH_ENGINES | ABOVE_THEM and not is_of_a_file:
        marks = [pytest.mark.exhaustive] if name in ABOVE_THEM else []
        engines = [pytest.param("sqlite"), pytest.param("postgresql", marks=marks)]
        metafunc.parametrize("_store_engine", engines, indirect=True)
