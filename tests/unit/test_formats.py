"""Values read the same wherever they stand."""

from datetime import UTC, date, datetime, timedelta, timezone

from reliability_platform.formats import NOTHING, duration, joined, length, moment, number, percent, second, span

AT = datetime(2026, 1, 3, 4, 5, 6)


def test_a_moment_is_utc_whatever_its_zone_and_one_without_a_zone_is_utc_already() -> None:
    """Read as local time, the deadline of a source lay hours away on a machine in another zone."""
    east = AT.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=9)))
    assert {moment(AT), moment(AT.replace(tzinfo=UTC)), moment(east)} == {"2026-01-03 04:05 UTC"}
    assert second(east) == "2026-01-03 04:05:06"


def test_a_span_of_one_day_is_that_day() -> None:
    """`2026-01-03 to 2026-01-03` reads like two."""
    assert span([date(2026, 1, 3)]) == span([date(2026, 1, 3)] * 2) == "2026-01-03"
    assert span([date(2026, 1, 3), date(2026, 1, 5)]) == "2026-01-03 to 2026-01-05"


def test_only_the_whole_reads_as_a_hundred_percent() -> None:
    """One miss among ten thousand was `100.0 %` on the command line, and `over 99.9 %` in the report."""
    shares = (0.0, 0.00001, 0.5, 0.9999, 1.0)
    assert [percent(one) for one in shares] == ["0 %", "under 0.1 %", "50.0 %", "over 99.9 %", "100 %"]


def test_what_is_not_known_is_a_dash() -> None:
    """A table says that there is nothing; `None` says that somebody forgot."""
    assert {number(None), moment(None), second(None), length(None), duration(None), span([])} == {NOTHING}
    assert (joined([]), joined(["a"]), joined(["a", "b", "c"])) == ("", "a", "a, b and c")
