"""What many checks of an audit read is read once. Where that fails, each of them reads it by itself: nothing says so, and it takes
four times as long, as it did when DuckDB began to refuse parameters that a statement does not ask for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.checks.native import _Window
from tests.ground import Platform, day


def test_all_that_checks_share_is_kept(
    lived: Callable[[Path], Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = lived(tmp_path / "home")
    made, over = list[_Window](), _Window.over

    def watched(*words: Any) -> _Window:
        made.append(over(*words))
        return made[-1]

    monkeypatch.setattr(_Window, "over", watched)
    platform.check(day(2), day(2))
    assert [sorted(one.unread) for one in made] == [[]]
