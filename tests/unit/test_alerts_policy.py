"""Settings of alerts, and what follows from them without any channel."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from reliability_platform.alerts.message import harmless
from reliability_platform.alerts.policy import allowance, quiet_hours, room, wait
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import Severity
from reliability_platform.settings import load_settings
from tests.unit.alerting import TOKEN
from tests.unit.failing import NOW


@pytest.mark.parametrize(
    "value", ["hello", f"json://a {TOKEN}", f"P7=json://{TOKEN}", "[1]", '["json"', f'["{TOKEN}"]', f"json:// {TOKEN}"]
)
def test_urls_that_are_none_are_refused_without_showing_them(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error must not print the token beside it."""
    monkeypatch.setenv("RELIABILITY_ALERT_URLS", value)
    with pytest.raises(UsageError, match="RELIABILITY_ALERT_URLS") as error:
        load_settings()
    assert TOKEN not in str(error.value)


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        ("json://a:1/x", ["json://a:1/x"]),
        ("P0,P1=json://a, P2=slack://b/c/d json://q?to=a,b", ["P0,P1=json://a", "P2=slack://b/c/d", "json://q?to=a,b"]),
        ("json://a,P0,P1=json://b", ["json://a", "P0,P1=json://b"]),
        ('["P0=json://a", "json://b?x=1,json"]', ["P0=json://a", "json://b?x=1,json"]),
    ],
)
def test_urls_are_parted_where_the_next_begins(text: str, urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Severities and mail addresses have commas of their own."""
    monkeypatch.setenv("RELIABILITY_ALERT_URLS", text)
    assert [url.get_secret_value() for url in load_settings().alert_urls] == urls


@pytest.mark.parametrize(
    ("hours", "at", "end"),
    [
        ("22:00-07:00", "2026-02-01T21:59", None),
        ("22:00-07:00", "2026-02-01T22:00", "2026-02-02T07:00"),
        ("22:00-07:00", "2026-02-02T06:59", "2026-02-02T07:00"),
        ("22:00-07:00", "2026-02-02T07:00", None),
        ("12:00-13:00", "2026-02-02T12:30", "2026-02-02T13:00"),
        ("12:00-13:00", "2026-02-02T11:30", None),
        ("", "2026-02-02T03:00", None),
    ],
)
def test_quiet_hours_may_go_over_midnight(hours: str, at: str, end: str | None, tmp_path: Path) -> None:
    """The commonest window does."""
    settings = load_settings(tmp_path).model_copy(update={"alert_quiet_hours": hours})
    moment = datetime.fromisoformat(f"{at}:00+00:00")
    found = quiet_hours(settings).until(Severity.P3, moment)
    assert found == (datetime.fromisoformat(f"{end}:00+00:00") if end else None)
    assert quiet_hours(settings).until(Severity.P1, moment) is None


def test_room_and_waits_are_what_they_say() -> None:
    """The cap counts any hour, not that of the wall clock; waits double within bounds."""
    sent = [NOW, NOW + timedelta(minutes=10), NOW + timedelta(minutes=20)]
    assert room(sent, NOW + timedelta(minutes=30), 4) == (1, NOW + timedelta(minutes=30))
    assert room(sent, NOW + timedelta(minutes=30), 3) == (0, NOW + timedelta(hours=1))
    assert room(sent, NOW + timedelta(minutes=30), 2) == (0, NOW + timedelta(minutes=70))
    assert room(sent, NOW + timedelta(minutes=61), 3)[0] == 1
    assert [allowance(20, severity) for severity in Severity] == [20, 20, 15, 15]
    assert allowance(1, Severity.P3) == 1
    first, tenth = [[wait(failures, Random(seed)) for seed in range(50)] for failures in (1, 10)]
    assert len(set(first)) > 40  # jitter
    assert timedelta(seconds=7.5) <= min(first) and max(first) <= timedelta(seconds=22.5)
    assert max(tenth) <= timedelta(minutes=22.5)


@pytest.mark.parametrize(
    "hostile",
    ["<!channel>", "@everyone", "[x](https://evil.example)", "https://evil.example", "evil.example", "**b** `c` __d__"],
)
def test_foreign_words_mean_nothing_in_any_chat(hostile: str) -> None:
    """A limit or a name that came from elsewhere must not mention, link or mark up."""
    shown = harmless(hostile)
    assert not any(sign in shown for sign in ("@", "!", "[", "://", "`", "*", "__", "evil.example", "<c"))
    assert harmless("<= 0.5 % of 1,000 rows (stg_orders)") == "<= 0.5 % of 1,000 rows (stg_orders)"
