"""A publication asks again what compares layers on the days that may be other now, and on no others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reliability_platform.checks import release
from reliability_platform.warehouse.built import CONFIRMED
from reliability_platform.warehouse.confirmed import BuiltDay, Layers
from tests.ground import Platform, day

BEFORE = {
    str(day(number)): BuiltDay(f"digest {number}", str(day(earliest)))
    for number, earliest in ((1, 1), (2, 2), (3, 1), (9, 8))
}
"""The third day has late rows of the first, and the ninth of the eighth."""


@pytest.mark.parametrize(
    ("changed", "built", "asked"),
    [
        ({}, set(), set()),
        ({1: BuiltDay("other", str(day(1)))}, set(), {1, 3}),
        ({2: BuiltDay("other", str(day(2)))}, set(), {2, 3}),
        ({9: BuiltDay("other", str(day(9)))}, set(), {9}),
        ({3: BuiltDay("other", str(day(3)))}, set(), {1, 2, 3}),
        ({9: None}, set(), set()),
        ({10: BuiltDay("new", str(day(9)))}, set(), {9, 10}),
        ({}, {2}, {2, 3}),
        ({}, {5}, set()),
    ],
)
def test_the_days_that_share_event_dates_with_a_changed_one_may_be_other(
    changed: dict[int, BuiltDay | None], built: set[int], asked: set[int]
) -> None:
    after = BEFORE | {str(day(number)): one for number, one in changed.items() if one is not None}
    after = {
        name: one
        for name, one in after.items()
        if name not in {str(day(n)) for n, one in changed.items() if one is None}
    }
    found = Layers(2, "", after).changed_since(Layers(1, "", BEFORE), {day(number) for number in built})
    assert found == {day(number) for number in asked}


def test_what_nobody_touched_is_not_asked_again_and_all_is_where_it_is_unknown(
    lived: Callable[[Path], Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lived(tmp_path / "home")
    asked: list[int] = []
    evaluate = release.evaluate
    monkeypatch.setattr(
        release, "evaluate", lambda *some, **named: asked.append(len(some[1])) or evaluate(*some, **named)
    )
    made.publish()
    asked.clear()
    made.publish()
    assert asked == []
    (made.settings.builds / CONFIRMED).write_text("half a docu")
    made.publish()
    assert asked == [2, 2]
    made.publish()
    assert asked == [2, 2]
