"""What several unit tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.alerting import Ground, Server


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
