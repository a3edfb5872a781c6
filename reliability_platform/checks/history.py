"""Checks against the source's own past: how many rows, of which hours, at what scale, how much of them of one key.

What is expected comes from the last 28 good days before the judged one: never the day itself, never a day that a
blocking check holds, and never one that this very evaluation has just found strange. With fewer than 14 good days in
the past 90 nothing is said. Everything is a median with the median absolute deviation (times 1.4826, so that it
equals a standard deviation where the noise is normal): up to half of the past may be strange without moving it, which
a mean and a standard deviation do not survive (Hampel 1974; Leys et al. 2013).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from statistics import median

import duckdb

from reliability_platform.checks.catalogue import CHECKS, about_columns
from reliability_platform.checks.episodes import EPISODE_DAYS, EPISODE_SIGMAS, Lean, drawn_in
from reliability_platform.checks.facts import Facts, PastValues
from reliability_platform.checks.results import ERROR, INSUFFICIENT_HISTORY, NOTHING_TO_JUDGE, CheckResult, CheckStatus
from reliability_platform.checks.watched import NARROWER, NOTHING_WATCHED, UnderWatch, WatchedIncident
from reliability_platform.contracts import CONTRACTS
from reliability_platform.formats import percent
from reliability_platform.masking import error_text
from reliability_platform.profiles.judge import HISTORY_DAYS, MAD_TO_SIGMA, MIN_HISTORY_DAYS
from reliability_platform.profiles.metrics import MEDIAN_ERROR

LOOK_BACK_DAYS = 90
SIGMAS = 6.0
"""How far from the past, in robust standard deviations. Wide: a month of 12 such checks should not raise one alarm."""
VOLUME_LIMIT = 0.29
"""At least so far from the usual number of rows: good and bad days of a fifth more or less are normal."""
SCALE_LIMIT = 1.5
"""At least this factor: a unit changes by 1.609, 10 or 100 overnight. What is less is for the profiles, which know how far a
measure strays; times of the day in a year of flights did so by 1.3 where it stormed, and on Thanksgiving."""
NEGATIVE_BY_MISTAKE = 0.01
"""A measure that is negative more often, as a delay is, has no scale: its logarithms are those of its late half, and say of a
quiet day that the unit has changed."""
MIN_SEGMENT_ROWS = 20
SHIFTED_LIMIT = 0.02
"""So many rows of another time than their slot, beyond the usual. A third of a day moved by 8 hours makes 11 %."""
MIN_SHIFTED_ROWS = 3
LATE_SPREAD_HOURS = 8
"""Rows of one slot and one earlier date that lie further apart, without the outermost 5 %, were held back, if the slot has at
least as many rows of its own: a day of orders covers 16 hours, half a day 9.7. A shifted slot of six hours covers 5.4, and
clocks of all zones at once 7.2 of an earlier date."""
KEY_SHARE_LIMIT = 0.10
KEY_SHARE_TIMES = 4.0
UNITS = {100.0: "minor units", 1000.0: "thousandths", 10.0: "a decimal place", 1.609: "miles and kilometres"}

Days = Mapping[date, Mapping[str, float]]
"""By event date, the measures of a profile."""
WatchOfCheck = Callable[[date], WatchedIncident | None]
"""By day, the incident for which a check is watched."""


@dataclass(frozen=True)
class Finding:
    """What a comparison with the past says about one day; `value` is None if there is too little to judge by."""

    value: float | None
    limit: float
    words: str
    lean: Lean = field(default_factory=dict)
    reason: str = INSUFFICIENT_HISTORY
    """Why there is no value, if there is none."""
    shared_with: date | None = None
    """The failed day beside it whose deviation the day shares."""
    past: PastValues | None = None
    """The number by day."""
    watched_after: str = ""
    """The incident for whose sake the limit is narrower."""

    @property
    def failed(self) -> bool:
        """Whether the day is beyond the limit by itself."""
        return self.value is not None and self.value > self.limit


TOO_SHORT = Finding(None, 0, "too few good days in the past to compare with")


def _mad_sigma(values: Sequence[float]) -> float:
    middle = median(values)
    return MAD_TO_SIGMA * median(abs(value - middle) for value in values)


def _of_weekday(past: Mapping[date, float], day: date) -> list[float]:
    return [value for one, value in past.items() if one.weekday() == day.weekday()]


def _usual(past: Mapping[date, float], day: date) -> float:
    """The median of the same weekday where it is known three times, else of all days."""
    same = _of_weekday(past, day)
    return median(same) if len(same) >= 3 else median(past.values())


def _usual_for(past: Mapping[date, float], day: date, rows: float) -> float:
    """What `rows` of a day are compared with. A weekday that is known twice is the measure where it is the nearer one: who has
    few customers on Saturdays has them from the first one on, and a Saturday that is held would never become known.
    """
    usual, same = _usual(past, day), _of_weekday(past, day)
    return min((usual, median(same)), key=lambda one: abs(rows / one - 1)) if len(same) == 2 else usual


def _weekdays_differ(past: Mapping[date, float]) -> bool:
    """Whether weekdays that are known twice have usual numbers of their own."""
    by_weekday: dict[int, list[float]] = {}
    for one, value in past.items():
        by_weekday.setdefault(one.weekday(), []).append(value)
    known = [median(values) for values in by_weekday.values() if len(values) > 1]
    return len(known) > 1 and min(known) < (1 - VOLUME_LIMIT) * max(known)


def _widened(past: Mapping[date, float], day: date, usual: float) -> float:
    """How much less sure the usual number of a day is than the noise of all days says: a median of n days has an error of
    sqrt(pi / 2n) of their noise, and of a day of fewer rows a larger share is chance, as in all counts. The fifth Saturday of a shop
    that has four weekends and a fifth of its orders on them was off by 55 %, where 49 % were allowed.
    """
    known = len(_of_weekday(past, day))
    error = math.sqrt(1 + math.pi / (2 * (known if known >= 3 else len(past))))
    return error * math.sqrt(max(1.0, median(past.values()) / usual)) if usual else error


def _as_far_down(more: float) -> float:
    """The share that may be missing where so much more may be there: as many steps, of 29 % each, counted as factors. No day has
    less than nothing, so that a limit of 100 % would have let every day pass that has lost its rows.
    """
    steps = math.log1p(more) / math.log1p(VOLUME_LIMIT)
    return float(1 - (1 - VOLUME_LIMIT) ** steps)


def judge_volume(profile: Days, past: Sequence[date], day: date, allowed: float = 1.0) -> Finding:
    """Percent away from the usual number of rows of this weekday. Of the limit's distance from what is usual so much is `allowed`,
    as in each of these.
    """
    rows = {one: profile[one]["rows"] for one in past}
    today = profile.get(day, {}).get("rows", 0.0)
    if len(_of_weekday(rows, day)) < 2 and _weekdays_differ(rows):
        return Finding(None, 0, f"too few good days like it to compare a {day:%A} with, and weekdays differ")
    usual = _usual_for(rows, day, today)
    noise = _mad_sigma([count / _usual(rows, one) - 1 for one, count in rows.items()]) * _widened(rows, day, usual)
    more = max(VOLUME_LIMIT, SIGMAS * noise)
    away = today / usual - 1
    lean = {"rows": away / (more if away > 0 else _as_far_down(more))} if abs(away) > EPISODE_SIGMAS * noise else {}
    more *= allowed
    fewer = _as_far_down(more)
    limit = more if away > 0 else fewer
    drawn = _drawn("rows of the day", {**rows, day: today}, usual, usual * (1 - fewer), usual * (1 + more))
    return Finding(100 * abs(away), 100 * limit, f"{today:.0f} rows of the day, usual {usual:.0f}", lean, past=drawn)


def judge_scale(profile: Days, past: Sequence[date], day: date, allowed: float = 1.0) -> Finding:
    """The factor by which a measure left its past, for all rows and for each segment; the worst one counts.

    Medians of logarithms: growth of the number of rows does not move them, a change of unit moves all of them by the
    same factor. A segment speaks only with 20 rows a day, here and in 14 days of the past.
    """
    limit = SCALE_LIMIT**allowed
    worst = Finding(1.0, limit, "at its usual scale")
    lean: dict[str, float] = {}
    for name, today in profile.get(day, {}).items():
        segment, _, measure = name.partition("/")
        if measure != "median" or profile[day][f"{segment}/rows"] < MIN_SEGMENT_ROWS:
            continue
        before = [
            profile[one][name]
            for one in past
            if profile[one].get(f"{segment}/rows", 0) >= MIN_SEGMENT_ROWS and name in profile[one]
        ]
        if len(before) < MIN_HISTORY_DAYS:
            continue
        shift = today - median(before)
        error = MEDIAN_ERROR * profile[day][f"{segment}/sigma"] / math.sqrt(profile[day][f"{segment}/rows"])
        sigma = max(_mad_sigma(before), error)
        if abs(shift) > EPISODE_SIGMAS * sigma:
            lean[segment] = shift / math.log(SCALE_LIMIT)
        if abs(shift) > allowed * SIGMAS * sigma and math.exp(abs(shift)) > (worst.value or 1.0):
            usual, width = median(before), max(allowed * SIGMAS * sigma, math.log(limit))
            values = {one: math.exp(profile[one][name]) for one in (*past, day) if name in profile[one]}
            what = f"median of the measure, {'all rows' if segment == 'all' else segment}"
            drawn = _drawn(what, values, *(math.exp(usual + one) for one in (0, -width, width)))
            worst = Finding(math.exp(abs(shift)), limit, _in_words(segment, shift), past=drawn)
    return replace(worst, lean=lean)


def _in_words(segment: str, shift: float) -> str:
    factor = math.exp(shift)
    times = f"{factor:.3g} times" if shift > 0 else f"1/{1 / factor:.3g} of"
    unit = next((name for size, name in UNITS.items() if abs(abs(shift) - math.log(size)) < 0.1), None)
    looks = f"; looks like {unit}" if unit else ""
    return f"{'all rows' if segment == 'all' else segment}: {times} the usual scale{looks}"


def judge_key_share(profile: Days, past: Sequence[date], day: date, allowed: float = 1.0) -> Finding:
    """The largest share of one key, in percent."""
    usual = median(profile[one]["share"] for one in past)
    limit = usual + allowed * (max(KEY_SHARE_LIMIT, KEY_SHARE_TIMES * usual) - usual)
    today = profile.get(day, {}).get("share", 0.0)
    shares = {one: profile[one]["share"] for one in past} | {day: today}
    drawn = _drawn("share of rows: of the commonest key", shares, usual, None, limit)
    words = f"{percent(today)} of the rows are of one key, usual {percent(usual)}"
    return Finding(100 * today, 100 * limit, words, past=drawn)


def judge_shifted(profile: Days, past: Sequence[date], day: date, allowed: float = 1.0) -> Finding:
    """Percent of the rows of the later slots that are of more than a slot's length away from their own.

    Rows that are late by nature come with the first slot; what its rows say of the day before is told beside it.
    """
    today = profile.get(day)
    if today is None:
        return Finding(None, 0, "the later slots of the day have no rows", reason=NOTHING_TO_JUDGE)
    shares = [profile[one]["shifted"] / profile[one]["rows"] for one in past]
    usual = median(shares)
    limit = usual + max(allowed * max(SHIFTED_LIMIT, SIGMAS * _mad_sigma(shares)), MIN_SHIFTED_ROWS / today["rows"])
    share = today["shifted"] / today["rows"]
    words = (
        f"{percent(share)} of the rows are of more than a slot's length away from their slot, usual {percent(usual)}"
    )
    if today["shifted"]:
        before = median(profile[one]["day_before"] for one in past)
        words += f"; of the first slot {percent(today['day_before'])} are of an earlier day, usual {percent(before)}"
    by_day = dict(zip(past, shares, strict=True)) | {day: share}
    drawn = _drawn("share of rows: more than a slot's length away from their slot", by_day, usual, None, limit)
    return Finding(100 * share, 100 * limit, words, past=drawn)


def _drawn(what: str, values: Mapping[date, float], usual: float, low: float | None, high: float) -> PastValues:
    days = sorted(values)
    return PastValues(what, tuple(days), tuple(values[one] for one in days), usual, low, high)


@dataclass(frozen=True)
class HistoryCheck:
    """A profile by day (columns: day, name, value) and how it is judged."""

    profile: str
    judge: Callable[[Days, Sequence[date], date, float], Finding]


_WINDOW = "event_date between $first and $last"


def _checks_of(source: str) -> dict[str, HistoryCheck]:
    silver = f"int_{source}__deduplicated"
    contract = CONTRACTS[source]
    slots = contract.cadence.batches
    slot = f"(interval 1 day / {slots})"
    found = {
        f"{silver}__volume": HistoryCheck(
            f"select event_date, 'rows', count(*) from {silver} where {_WINDOW} group by event_date", judge_volume
        ),
        # By landing day. Up to a slot's length a row may wait for the next batch: a shift of less is below what slots tell.
        # One clock moves the rows of a slot together; those of an earlier date that lie far apart have come late.
        f"stg_{source}__rows_of_their_slot": HistoryCheck(
            f"""
            with placed as (
                select landing_date, batch_sequence, event_date, {contract.event_time} as event_time,
                    count(*) filter (where event_date = landing_date)
                        over (partition by landing_date, batch_sequence) as own_rows,
                    {contract.event_time} - ({contract.day_starts("landing_date")} + (batch_sequence - 1) * {slot}) as after_start
                from stg_{source}
                where landing_date between $first and $last and batch_sequence between 1 and {slots}
                    and not is_superseded and reject_reasons is null
            ), late as (
                select landing_date, batch_sequence, event_date, true as is_late
                from placed where event_date < landing_date and batch_sequence > 1
                group by landing_date, batch_sequence, event_date
                having quantile_cont(event_time, 0.95) - quantile_cont(event_time, 0.05) > interval {LATE_SPREAD_HOURS} hour
                    and count(*) <= any_value(own_rows)
            ), counted as (
                select landing_date,
                    count(*) filter (where batch_sequence > 1) as n,
                    count(*) filter (
                        where batch_sequence > 1 and is_late is null
                            and (after_start < -{slot} or after_start >= 2 * {slot})
                    ) as shifted,
                    count(*) filter (where batch_sequence = 1 and event_date < landing_date)
                        / greatest(count(*) filter (where batch_sequence = 1), 1) as day_before
                from placed left join late using (landing_date, batch_sequence, event_date) group by landing_date
            )
            select landing_date, 'rows', n from counted where n > 0
            union all select landing_date, 'shifted', shifted from counted where n > 0
            union all select landing_date, 'day_before', day_before from counted where n > 0
            """,
            judge_shifted,
        ),
    }
    for column, name in about_columns("key_share", contract.with_role("entity")):
        found[f"{silver}__{name}"] = HistoryCheck(_shares(silver, column), judge_key_share)
    segments = [one.name for one in contract.with_role("segment")]
    for one in contract.with_role("measure"):
        found[f"{silver}__{one.name}_scale"] = HistoryCheck(_scales(silver, one.name, segments), judge_scale)
    return found


def _shares(silver: str, column: str) -> str:
    """SQL: the largest share of the rows that one value of a column has, by event date."""
    return f"""
        with keys as (
            select event_date, {column}, count(*) as n from {silver}
            where {_WINDOW} and {column} is not null group by event_date, {column}
        )
        select event_date, 'share', case when sum(n) >= 100 then max(n) / sum(n) else 0 end
        from keys group by event_date
    """


def _scales(silver: str, measure: str, segments: Sequence[str]) -> str:
    """SQL: rows, median and spread of the logarithms of a measure by event date, of all rows and of each segment."""
    sets = ", ".join(["(event_date)", *(f"(event_date, {name})" for name in segments)])
    named = "".join(f"cast({name} as varchar), " for name in segments)
    return f"""
        with segments as (
            select event_date, coalesce({named}'all') as segment, count(*) as n, median(ln({measure})) as middle,
                (quantile_cont(ln({measure}), 0.75) - quantile_cont(ln({measure}), 0.25)) / 1.349 as sigma
            from {silver} where {_WINDOW} and {measure} > 0 group by grouping sets ({sets})
            having (
                select count(*) filter (where {measure} < 0) <= {NEGATIVE_BY_MISTAKE} * count(*) from {silver} where {_WINDOW}
            )
        )
        select event_date, segment || '/rows', n from segments
        union all select event_date, segment || '/median', middle from segments
        union all select event_date, segment || '/sigma', sigma from segments
    """


def history_checks(sources: Iterable[str]) -> dict[str, HistoryCheck]:
    """Every check against the past, by name."""
    return {name: check for source in sources for name, check in _checks_of(source).items()}


def _profile(connection: duckdb.DuckDBPyConnection, check: HistoryCheck, first: date, last: date) -> Days:
    days: dict[date, dict[str, float]] = {}
    parameters = {"first": first - timedelta(days=LOOK_BACK_DAYS), "last": last}
    for day, name, value in connection.execute(check.profile, parameters).fetchall():
        days.setdefault(day, {})[name] = float(value)
    return days


def good_past(profile: Days, day: date, strange: set[date]) -> list[date]:
    """The last good days before `day` that have a profile, oldest first."""
    known = (day - timedelta(days=back) for back in range(LOOK_BACK_DAYS, 0, -1))
    return [one for one in known if one in profile and one not in strange][-HISTORY_DAYS:]


def _finding(check: HistoryCheck, profile: Days, day: date, strange: set[date], watch: WatchOfCheck) -> Finding:
    past, watched = good_past(profile, day, strange), watch(day)
    if len(past) < MIN_HISTORY_DAYS:
        return TOO_SHORT
    if watched is None:
        return check.judge(profile, past, day, 1.0)
    return replace(check.judge(profile, past, day, NARROWER), watched_after=watched.id)


def evaluate_history(
    connection: duckdb.DuckDBPyConnection,
    partitions: Sequence[date],
    names: set[str],
    held: Mapping[str, set[date]],
    run_id: str,
    now: datetime,
    beside: Sequence[CheckResult] = (),
    watch: UnderWatch = NOTHING_WATCHED,
) -> list[CheckResult]:
    """One result per wanted check and landing day. `held` are the days of each source that no check may learn from, `watch` says
    on which days which check has a narrower limit.

    `beside` is what the same checks last said of the days around. Where one of these shares a deviation that is noticed
    only now, or no longer shares one that has gone, it has a new result as well.
    """
    results = []
    by_source: dict[str, list[str]] = {}
    for name in sorted(names):
        by_source.setdefault(CHECKS[name].source, []).append(name)
    for source, wanted in by_source.items():
        checks = history_checks([source])
        strange = set(held.get(source, ()))
        profiles: dict[str, Days] = {}
        errors: dict[str, str] = {}
        for name in wanted:
            try:
                last = max(partitions) + timedelta(days=EPISODE_DAYS)
                profiles[name] = _profile(connection, checks[name], min(partitions), last)
            except duckdb.Error as problem:  # a crashing check says nothing about the data
                profiles[name], errors[name] = {}, error_text(str(problem))
        findings: dict[str, dict[date, Finding]] = {name: {} for name in wanted}
        for day in sorted(partitions):
            for name in wanted:
                findings[name][day] = _finding(checks[name], profiles[name], day, strange, partial(watch.by, name))
            if any(findings[name][day].failed for name in wanted):
                strange.add(day)
        for name in wanted:
            around = {one.partition: one for one in beside if one.check == name}
            found = _of_one_episode(
                checks[name], profiles[name], findings[name], around, strange, partial(watch.by, name)
            )
            results += [_result(name, day, one, run_id, now, errors.get(name)) for day, one in found.items()]
    return results


def _of_one_episode(
    check: HistoryCheck,
    profile: Days,
    findings: Mapping[date, Finding],
    around: Mapping[date, CheckResult],
    strange: set[date],
    watch: WatchOfCheck,
) -> dict[date, Finding]:
    """The findings, with the days drawn in that share a deviation, and with those around of which that is news."""
    failed_around = {day for day, one in around.items() if one.status is CheckStatus.FAILED}
    failed = {day for day, one in findings.items() if one.failed}
    if not (failed or failed_around):
        return dict(findings)
    nearby = {day: _finding(check, profile, day, strange, watch) for day in around}
    failed |= {day for day in failed_around if nearby[day].failed}
    known = {**nearby, **findings}
    drawn = drawn_in({day: one.lean for day, one in known.items()}, failed)
    found = dict(findings)
    for day, one in around.items():
        joins = one.status is CheckStatus.PASSED and day in drawn
        leaves = _EPISODE in one.details and day not in drawn and not nearby[day].failed
        if joins or (leaves and nearby[day].value is not None):
            found[day] = nearby[day]
    return {day: replace(one, shared_with=drawn.get(day)) for day, one in found.items()}


_EPISODE = "shares_the_deviation_of"
"""The detail by which a result says that its day failed for the sake of another."""


def _result(
    name: str, day: date, finding: Finding, run_id: str, now: datetime, error: str | None = None
) -> CheckResult:
    spec = CHECKS[name]
    reason, words, limit = None, finding.words, finding.limit
    details: dict[str, object] = {}
    if finding.watched_after:
        words += f"; with {100 * NARROWER:g} % of the limit, under watch after {finding.watched_after}"
    if finding.value is None:
        status, reason = CheckStatus.NOT_EVALUATED, ERROR if error else finding.reason
    elif finding.shared_with is not None:
        status = CheckStatus.FAILED
        words += f"; by itself within {limit:.3g}, but of one deviation with {finding.shared_with}"
        details = {"detail": words, _EPISODE: finding.shared_with.isoformat()}
    elif finding.failed:
        status, details = CheckStatus.FAILED, {"detail": words, "facts": Facts(past=finding.past).kept()}
    else:
        status = CheckStatus.PASSED
    return CheckResult(
        check=name,
        dataset=spec.dataset,
        source=spec.source,
        partition=day,
        status=status,
        value=finding.value,
        threshold="" if finding.value is None else f"<= {limit:.3g}",
        message=f"could not be evaluated: {error}" if error else words,
        run_id=run_id,
        evaluated_at=now,
        column=spec.column,
        details=details,
        reason=reason,
    )
