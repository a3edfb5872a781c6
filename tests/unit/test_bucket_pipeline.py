"""The whole pipeline with landing in a bucket of a real object store: what is published is what it would be without."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reliability_platform.contracts import SOURCES
from reliability_platform.pipeline import steps
from reliability_platform.pipeline.run import reprocess
from tests.ground import EVENTS, Platform, day, days
from tests.object_store import BUCKET, KEY, SECRET, ObjectStore, object_store

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as one:
        yield one


@pytest.fixture
def in_bucket(store: ObjectStore, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Homes that are made from now on have their landing there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("RELIABILITY_LANDING_URL", f"s3://{BUCKET}/{request.node.name}")


@pytest.mark.usefixtures("in_bucket")
def test_a_lost_home_publishes_from_the_bucket_what_one_without_a_bucket_does(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """Row for row; the second home has nothing of the first one, and asks no source."""
    plain = lived(tmp_path / "plain").gold()
    first = Platform(tmp_path / "first", events_per_day=EVENTS)
    first.run(day(1), day(2))
    assert first.gold() == plain
    second = Platform(tmp_path / "second", events_per_day=EVENTS)
    for source in SOURCES:
        steps.admit(second.context, source, days(day(1), day(2)))
    assert not reprocess(second.context, days(day(1), day(2))).held
    assert second.gold() == plain
