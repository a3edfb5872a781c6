"""What of a landing day is unlike its past, and by how much. Pure, vectorised over all metrics of a source at once.

**How sure.** A share is compared as a count: with `p` expected of `n` rows and `q` found, the deviance 2 n KL(q, p) has under
no change the tail of a chi-square of one degree (Wilks 1938), also where counts are small, for half of it is the exponent of
Chernoff's bound. A level is compared by its distance in standard errors, squared. Both are divided by the dispersion that the
past itself shows against that noise (quasi-likelihood, McCullagh and Nelder 1989), so a metric that has always jumped must
jump further. The past is that of the same weekday where weekdays explain half of its dispersion.

**Drift.** A slow change is within the noise of each day. So the last 4, 7 and 14 days together are compared with the weeks before
them: the window-limited generalized likelihood ratio (Lai 1995), which sees a drift as CUSUM does without knowing its size. It
counts only while it lasts: the day itself, the last three and most of the days must show half of it. Since when, says the
maximum of the cumulative sum (Page 1954).

**How many false alarms.** `BUDGET` is the chance of one on a clean landing day of a source, whatever number of metrics and
windows is looked at: each gets its part of it (Bonferroni). The dispersion is an estimate, so the tail is that of Student's t
with as many degrees as it rests on.

**How much.** What is sure may be small: a metric speaks only from a change on that somebody would act upon (`FLOORS`). The
impact is the part of the day's numbers that the change concerns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from reliability_platform.profiles.metrics import Metric, MetricKind
from reliability_platform.profiles.series import Floats, Series

Bools = npt.NDArray[np.bool_]

HISTORY_DAYS = 28
MIN_HISTORY_DAYS = 14
WINDOWS = (1, 4, 7, 14)
"""Landing days that are compared together with those before them."""
LASTING, RECENT = 0.5, 3
"""So much of what several days show together is shown by the day itself, the last three and more than half of them: two strange
days among them, or a drift that has ended, are none."""
LOOK_BACK = 70
"""Good landing days before the judged one that have a say: in how far weeks differ by themselves."""
BUDGET = 1e-3
"""Expected false alarms on a clean landing day of a source."""
MIN_OF_A_WEEKDAY = 3
WEEKDAY_EXPLAINS = 0.5
"""The past is that of the weekday where its dispersion is at most so much of that of all days."""
WINSOR = 12.0
"""Deviances of the past beyond this count as this: up to a few strange days may be in it."""
TWO_WORST_BY_CHANCE = 7.3
"""The geometric mean of the two largest of 28 deviances is below this in 19 of 20 cases. A metric that went farther before must
go farther by as much; one day alone counts for half, for it may have been one that nobody noticed."""
MAD_TO_SIGMA = 1.4826
MEAN_AWAY_TO_SIGMA = 1.2533
"""The mean distance from the median, as a standard deviation; whole numbers often lie on their median, where MAD is 0."""
MEDIAN_LOSS = 1.57
"""Variance of a median over that of a mean (pi / 2)."""
RARE = 10
"""Below so many expected rows a share is the mean of its past, for the median would be 0."""
BY_ITSELF = 1.5
"""A metric that is so much more dispersed than its family rests on its own days alone."""
MAX_DEGREES = 200.0
RESTLESS = 2.0
RESTLESS_DEGREES = 5.0
"""A metric more dispersed than this has causes of its own, as weather has, and they have heavy tails: Student's t with few
degrees, whatever the number of days."""
MIN_ROWS = 20
TINY = 1e-9

WATCHED_FLOOR = 0.5
"""Of a number under watch so much of its floor is enough."""
FLOORS = {
    MetricKind.EMPTY: 0.02,
    MetricKind.EMPTY_TOGETHER: 0.02,
    MetricKind.DISTINCT: 0.35,
    MetricKind.LABEL: 0.03,
    MetricKind.HOUR: 0.02,
    MetricKind.SLOT: 0.05,
    MetricKind.OUTSIDE_SLOT: 0.03,
    MetricKind.MIDNIGHT: 0.02,
    MetricKind.MEAN: 0.08,
    MetricKind.MEDIAN: 0.08,
    MetricKind.LOW: 0.15,
    MetricKind.HIGH: 0.15,
    MetricKind.WHOLE: 0.05,
    MetricKind.NEGATIVE: 0.005,
    MetricKind.LENGTH: 0.1,
    MetricKind.ORDER: 0.005,
    MetricKind.APART: 0.08,
    MetricKind.REPEATED: 0.005,
    MetricKind.REPEATED_PAIR: 0.01,
    MetricKind.KNOWN: 0.1,
    MetricKind.KNOWN_PAIR: 0.15,
    MetricKind.KEPT: 0.15,
    MetricKind.COMMONEST: 0.02,
    MetricKind.AGAINST_BEFORE: 0.05,
    MetricKind.FAR: 0.01,
    MetricKind.KEY_AGAIN: 0.002,
    MetricKind.REJECTED: 0.002,
    MetricKind.FOUND: 0.005,
    MetricKind.SAME: 0.005,
    MetricKind.REACHED: 0.02,  # one row in a hundred may well come a day or two late
}
"""Changes below these are passed over: of a share in parts of the rows, of a level as the logarithm of the factor."""
OF_ITSELF = 0.4
"""A label, an hour or a slot that has so much less of the rows than usual, or more, is missed even where it is a small one: the
half of 5 % of the rows is below the floor."""
PARTS = frozenset({MetricKind.LABEL, MetricKind.HOUR, MetricKind.SLOT})
HARDLY_NEW = frozenset({MetricKind.KNOWN, MetricKind.KEPT})
TIMES_NEW, FEWEST_NEW = 10.0, 0.02
"""Of a column that has hardly ever a value that was not there before, so many times as many new ones as always are enough; at least
two rows in a hundred, for a shop has new products. The same holds of a relation that has hardly ever an exception: a product has its
merchant. Not of all pairs that are known: where each minute has had flights from each airport, a new one tells nothing."""
LEAST_KEPT = 0.985
"""What has exceptions in more of the rows is no relation: where a plane flies next follows from nothing."""
MIN_IMPACT, MIN_IMPACT_OF_DRIFT = 0.01, 0.02
"""A change of a segment or a label that concerns less of the day's numbers is passed over, however sure it is; of a slow one
that is twice as much, for schedules and ranges of goods change a little all the time."""
HOLD_IMPACT, HOLD_EVIDENCE = 0.1, 1.5
"""From this part of a day's numbers on it is held, below it is published and told. To keep numbers from people takes more
certainty than to tell them: a stormy day is told, and half of its flights missing is held."""
ALWAYS = frozenset(
    {
        MetricKind.NEGATIVE,
        MetricKind.FAR,
        MetricKind.ORDER,
        MetricKind.REPEATED,
        MetricKind.KEY_AGAIN,
        MetricKind.REJECTED,
        MetricKind.FOUND,
        MetricKind.SAME,
    }
)
"""Kinds of which few rows are enough: each of them is wrong by itself."""


@dataclass(frozen=True)
class Deviation:
    """One metric that left its past."""

    metric: Metric
    usual: float
    found: float
    """Over all the days that show it."""
    days: int
    """How many landing days together show it; more than one is a drift."""
    evidence: float
    """How sure: the negative logarithm of the chance, as a part of its limit. From 1 on it counts."""
    impact: float
    """Part of the day's numbers that is concerned, 0 to 1."""
    low: float = 0.0
    high: float = 0.0
    """Beyond these it would have been told on that day."""
    past: tuple[tuple[date, float], ...] = ()
    """Its values on the days that it is compared with, and on those that show it."""
    before_noticed: tuple[date, ...] = ()
    """Of these, the earlier ones from where on it is off."""

    @property
    def holds(self) -> bool:
        """Whether the day is held for it."""
        return self.impact >= HOLD_IMPACT and self.evidence >= HOLD_EVIDENCE


@dataclass(frozen=True)
class ProfileJudgement:
    """What became of one landing day; `deviations` the one first by which it is known."""

    deviations: tuple[Deviation, ...] = ()
    metrics: int = 0
    """How many had enough of a past to be judged; 0 where there is too little to say anything."""
    strongest: float = 0.0
    """The most evidence of any metric whose change is large enough to matter; below 1 nothing counts."""

    @property
    def impact(self) -> float:
        """The largest part of the day's numbers that one deviation concerns."""
        return max((one.impact for one in self.deviations), default=0.0)

    @property
    def holds(self) -> bool:
        """Whether the day is held."""
        return any(one.holds for one in self.deviations)


def judge(series: Series, day: date, strange: set[date], watched: frozenset[Metric] = frozenset()) -> ProfileJudgement:
    """Compare a landing day with the good days before it. `strange` days are no part of any past. Of what is `watched` less is
    enough: these numbers have the budget of false alarms to themselves, and half the floor.
    """
    if day not in series.days:
        return ProfileJudgement()
    good = [place for place, one in enumerate(series.days) if one < day and one not in strange][-LOOK_BACK:]
    # What a day is compared with is no longer, however many days there are.
    series = series.only([*good, series.days.index(day)])
    today = len(good)
    good = list(range(today))
    best: dict[Metric, Deviation] = {}
    judged, strongest = 0, 0.0
    for window in WINDOWS:
        base, last = good[: len(good) - window + 1][-HISTORY_DAYS:], good[len(good) - window + 1 :]
        if len(base) < MIN_HISTORY_DAYS:
            continue
        count, top, deviations = _compare(series, base, [*last, today], good[: len(good) - window + 1], watched)
        judged, strongest = max(judged, count), max(strongest, top)
        for one in deviations:
            known = best.get(one.metric)
            # What the day shows by itself is no drift, however long it has been so.
            if known is None or (known.days > 1 and one.evidence > known.evidence):
                best[one.metric] = one
    return ProfileJudgement(_ordered(best.values()), judged, strongest)


OF_NO_COLUMN = frozenset({MetricKind.EMPTY_TOGETHER, MetricKind.KNOWN_PAIR, MetricKind.KEPT})
"""Kinds that tell that columns do not belong together, and not which of them is wrong."""
CLEARLY = 0.7
"""A plain metric goes before a stronger one of a segment or a pair, if it has at least so much of its evidence."""


def _ordered(deviations: Iterable[Deviation]) -> tuple[Deviation, ...]:
    """The strongest first; but what holds of all rows, or of one column, says more than the same of a part or a pair, and any
    more than that columns do not belong together.
    """
    found = sorted(deviations, key=lambda one: (one.metric.kind in OF_NO_COLUMN, -one.evidence, one.metric))
    clear = [one for one in found if one.evidence >= CLEARLY * found[0].evidence]
    clear.sort(key=lambda one: bool(one.metric.within) + (" " in one.metric.column))
    return (*clear, *(one for one in found if one not in clear))


@dataclass(frozen=True)
class _Past:
    """What is usual of each metric, and how far it strays from that by itself."""

    usual: Floats
    by_weekday: Floats
    """Shape (metrics, 7)."""
    is_of_weekday: Bools
    noise: Floats
    """The variance that a level has on one day; of shares it follows from the count."""
    dispersion: Floats
    degrees: Floats


def _compare(
    series: Series, base: Sequence[int], last: Sequence[int], before: Sequence[int], watched: frozenset[Metric]
) -> tuple[int, float, list[Deviation]]:
    """The last days together with those of the base: how many metrics, the strongest evidence, what counts. `before` are
    all good days before them.
    """
    there = ~np.isnan(series.value)
    places = np.flatnonzero(
        (there[:, base].sum(axis=1) >= MIN_HISTORY_DAYS)
        & there[:, last].all(axis=1)
        & (series.rows[:, last].sum(axis=1) >= MIN_ROWS)
    )
    if not len(places):
        return 0, 0.0, []
    is_share = series.is_share[places]
    value, error, size = _comparable(series, places, is_share, base)
    rows = np.where(is_share[:, None], series.rows[places], 1.0)
    weekday = np.array([one.weekday() for one in series.days])
    past = _past(value[:, base], rows[:, base], error[:, base], is_share, weekday[base], series.family[places])

    weights = rows[:, last] / rows[:, last].sum(axis=1, keepdims=True)
    expected = np.where(past.is_of_weekday[:, None], past.by_weekday[:, weekday[last]], past.usual[:, None])
    usual = (expected * weights).sum(axis=1)
    found = (value[:, last] * weights).sum(axis=1)
    # The base is an estimate as well: of so many days, or of so many of each weekday.
    behind = np.where(past.is_of_weekday, len(base) / 7 * min(len(last), 7), len(base))
    uncertain = 1 + np.where(is_share, 1.0, MEDIAN_LOSS) * len(last) / behind
    deviance = _deviance(found, usual, rows[:, last].sum(axis=1), past.noise / len(last), is_share)
    dispersion = past.dispersion
    if len(last) > 1:
        blocks = _dispersion_of_blocks(value, rows, past.noise, is_share, before, len(last), series.family[places])
        dispersion = np.maximum(dispersion, blocks)
    strayed = deviance / (dispersion * uncertain)
    degrees = np.where(dispersion > RESTLESS, np.minimum(past.degrees, RESTLESS_DEGREES), past.degrees)
    is_watched = np.array([bool(watched) and series.metrics[place] in watched for place in places])
    limit = np.log(2 * np.where(is_watched, max(is_watched.sum(), 1), len(places)) * len(WINDOWS) / BUDGET)
    evidence = (degrees + 1) / 2 * np.log1p(strayed / degrees) / limit

    kinds = series.kinds[places]
    floors = np.array([FLOORS[kind] for kind in kinds])
    if len(last) == 1:
        floors = np.where([kind in PARTS for kind in kinds], np.minimum(floors, OF_ITSELF * usual), floors)
    new_values = np.maximum(FEWEST_NEW, TIMES_NEW * (1 - usual))
    floors = np.where([kind in HARDLY_NEW for kind in kinds], np.minimum(floors, new_values), floors)
    no_relation = np.array([kind is MetricKind.KEPT for kind in kinds]) & (usual < LEAST_KEPT)
    floors = np.where(no_relation, np.inf, floors)
    floors = np.where(is_watched, WATCHED_FLOOR * floors, floors)
    impact = _impact(series, places, found, usual, size, last)
    always = np.array([kind in ALWAYS for kind in kinds])
    least = MIN_IMPACT if len(last) == 1 else MIN_IMPACT_OF_DRIFT
    away = (value[:, last] - expected) * np.sign(found - usual)[:, None]
    lasts = _lasting(away) >= LASTING * np.abs(found - usual)
    matters = lasts & (np.abs(found - usual) >= floors) & (always | (impact >= least))
    allowed = dispersion * uncertain * degrees * np.expm1(2 * limit / (degrees + 1))
    deviations = []
    for one in np.flatnonzero(matters & (evidence > 1)):
        behind_it = float(rows[one, last].sum())
        low, high = _bounds(
            float(usual[one]),
            behind_it,
            float(past.noise[one]) / len(last),
            bool(is_share[one]),
            float(allowed[one]),
            floors[one],
        )
        deviations.append(
            Deviation(
                metric=series.metrics[places[one]],
                usual=_natural(usual[one], size[one]),
                found=_natural(found[one], size[one]),
                days=len(last),
                evidence=float(evidence[one]),
                impact=float(impact[one]),
                low=_natural(low, size[one]),
                high=_natural(high, size[one]),
                past=tuple((series.days[day], float(series.value[places[one], day])) for day in (*base, *last)),
                before_noticed=tuple(series.days[day] for day in last[_change(away[one], floors[one]) : -1]),
            )
        )
    return len(places), float(np.max(np.where(matters, evidence, 0.0))), deviations


def _lasting(away: Floats) -> Floats:
    """By metric, how far the day itself, the days before it and most days of a window are away from their past at least."""
    most = np.sort(away, axis=1)[:, (away.shape[1] - 1) // 2]
    found: Floats = np.minimum.reduce([away[:, -1], away[:, -RECENT:].mean(axis=1), most])
    return found


def _change(away: Floats, floor: float) -> int:
    """The place from which on a number is away from its past: where the sum of what is beyond half of the floor is largest."""
    beyond: Floats = (away - floor / 2)[::-1]
    return int(len(away) - 1 - np.argmax(np.cumsum(beyond)))


def _bounds(
    usual: float, rows: float, noise: float, is_share: bool, allowed: float, floor: float
) -> tuple[float, float]:
    """Where the deviance is what is allowed; of a share it has no closed form, and 60 halvings find it."""
    if not is_share:
        width = max(float(np.sqrt(allowed * noise)), floor)
        return usual - width, usual + width
    found = []
    for end in (0.0, 1.0):
        inside, outside = usual, end
        for _ in range(60):
            middle = (inside + outside) / 2
            [deviance] = _deviance(
                np.array([middle]), np.array([usual]), np.array([rows]), np.ones(1), np.array([True])
            )
            inside, outside = (middle, outside) if deviance < allowed else (inside, middle)
        found.append(outside)
    return max(min(found[0], usual - floor), 0.0), min(max(found[1], usual + floor), 1.0)


def _comparable(
    series: Series, places: npt.NDArray[np.intp], is_share: Bools, base: Sequence[int]
) -> tuple[Floats, Floats, Floats]:
    """Values and errors as they are compared, and the unit of each metric: levels that are always positive as logarithms
    (unit NaN), others in units of their own usual size, shares as they are (1).
    """
    value, error = series.value[places].copy(), series.error[places].copy()
    # So many different values vary at least as a count does.
    distinct = series.kinds[places] == MetricKind.DISTINCT
    error[distinct] = np.sqrt(value[distinct])
    size = np.ones(len(places))
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithmic = ~is_share & (series.least[places] > 0)
        error[logarithmic] /= value[logarithmic]
        value[logarithmic] = np.log(value[logarithmic])
        size[logarithmic] = np.nan
        signed = np.flatnonzero(~is_share & ~logarithmic)
        if len(signed):
            usual = _median(np.abs(value[signed][:, base]))
            size[signed] = np.where(usual > 0, usual, 1.0)
            value[signed] /= size[signed][:, None]
            error[signed] /= size[signed][:, None]
    return value, error, size


def _natural(value: float, size: float) -> float:
    return float(np.exp(value) if np.isnan(size) else value * size)


def _impact(
    series: Series,
    places: npt.NDArray[np.intp],
    found: Floats,
    usual: Floats,
    size: Floats,
    last: Sequence[int],
) -> Floats:
    """The part of the rows that is concerned, times how far it is off, at most all of it. A twentieth of the rows with a
    hundred times their amount is more than all of the day's amount."""
    off: Floats = np.abs(np.where(np.isnan(size), np.expm1(np.clip(found - usual, -50, 50)), found - usual))
    behind = series.rows[places][:, last].sum(axis=1)
    of_all = behind / np.maximum(series.total_rows[list(last)].sum(), 1.0)
    impact: Floats = np.minimum(off * np.minimum(of_all, 1.0), 1.0)
    return impact


def _median(values: Floats) -> Floats:
    """By metric; NaN where there is nothing. With holes `nanmedian` makes a masked array of each metric, which takes ten times as
    long as to sort them: NaN comes last.
    """
    number = (~np.isnan(values)).sum(axis=1)
    found = np.full(len(values), np.nan)
    is_whole = number == values.shape[1]
    if is_whole.any():
        found[is_whole] = np.median(values[is_whole], axis=1)
    with_holes = np.flatnonzero(~is_whole & (number > 0))
    if len(with_holes):
        ordered, known = np.sort(values[with_holes], axis=1), number[with_holes]
        rows = np.arange(len(with_holes))
        found[with_holes] = (ordered[rows, (known - 1) // 2] + ordered[rows, known // 2]) / 2
    return found


def _usual(value: Floats, rows: Floats, is_share: Bools) -> Floats:
    """The median; of rare things the mean, half of a row added."""
    middle = _median(value)
    there = ~np.isnan(value)
    total = np.where(there, rows, 0.0).sum(axis=1)
    pooled = (np.where(there, value * rows, 0.0).sum(axis=1) + 0.5) / (total + 1.0)
    typical = total / np.maximum(there.sum(axis=1), 1)
    rare = is_share & (np.minimum(middle, 1 - middle) * typical < RARE)
    return np.where(rare, pooled, middle)


def _past(
    value: Floats,
    rows: Floats,
    error: Floats,
    is_share: Bools,
    weekday: npt.NDArray[np.int64],
    family: npt.NDArray[np.int64],
) -> _Past:
    """What the base says: of all days, and of weekdays where these explain half of the dispersion."""
    usual = _usual(value, rows, is_share)
    noise = _median(np.where(np.isnan(error), 0.0, error)) ** 2
    away = np.abs(value - _median(value)[:, None])
    number = (~np.isnan(value)).sum(axis=1)
    spread = np.maximum(
        MAD_TO_SIGMA * _median(away), MEAN_AWAY_TO_SIGMA * np.nansum(away, axis=1) / np.maximum(number, 1)
    )
    # A level without an error of its own has the noise of its past, and then no dispersion besides.
    by_past = ~is_share & ~(noise > 0)
    noise = np.where(by_past, np.maximum(spread, TINY) ** 2, noise)

    def dispersion(expected: Floats, lost: int) -> tuple[Floats, Floats]:
        deviance = np.nan_to_num(_deviance(value, expected, rows, noise[:, None], is_share[:, None]))
        own = np.minimum(deviance, WINSOR).sum(axis=1) / np.maximum(number - lost, 1)
        worst = np.sqrt(np.partition(deviance, -2, axis=1)[:, -2:].prod(axis=1))
        own = np.maximum(own, worst / TWO_WORST_BY_CHANCE)
        return own, (np.bincount(family, weights=own) / np.maximum(np.bincount(family), 1))[family]

    own, pooled = dispersion(usual[:, None], 1)
    by_weekday = np.repeat(usual[:, None], 7, axis=1)
    is_of_weekday = np.zeros(len(usual), dtype=bool)
    if (np.bincount(weekday, minlength=7) >= MIN_OF_A_WEEKDAY).all():
        for one in range(7):
            by_weekday[:, one] = _usual(value[:, weekday == one], rows[:, weekday == one], is_share)
        by_weekday = np.where(np.isnan(by_weekday), usual[:, None], by_weekday)
        seasonal, pooled_seasonal = dispersion(by_weekday[:, weekday], 7)
        is_of_weekday = pooled_seasonal < WEEKDAY_EXPLAINS * pooled
        own, pooled = np.where(is_of_weekday, seasonal, own), np.where(is_of_weekday, pooled_seasonal, pooled)
    members = np.bincount(family)[family]
    alone = (own > BY_ITSELF * np.maximum(pooled, 1.0)) | by_past
    degrees = np.where(alone, 1, members) * (number - np.where(is_of_weekday, 7, 1))
    return _Past(
        usual=usual,
        by_weekday=by_weekday,
        is_of_weekday=is_of_weekday,
        noise=noise,
        dispersion=np.maximum(1.0, np.maximum(own, pooled)),
        degrees=np.clip(degrees, 3.0, MAX_DEGREES),
    )


def _dispersion_of_blocks(
    value: Floats,
    rows: Floats,
    noise: Floats,
    is_share: Bools,
    before: Sequence[int],
    length: int,
    family: npt.NDArray[np.int64],
) -> Floats:
    """How much farther apart stretches of so many days were than single days would make them: what has its own slow ups and
    downs must go beyond these.
    """
    count = len(before) // length
    places = np.array(before[len(before) - count * length :]).reshape(count, length)
    behind = np.where(np.isnan(value[:, places]), 0.0, rows[:, places])
    total = behind.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(value[:, places] * behind, axis=2) / total
        usual = np.nansum(mean * total, axis=1) / total.sum(axis=1)
        deviance = _deviance(mean, usual[:, None], total, (noise / length)[:, None], is_share[:, None])
    own = np.nan_to_num(deviance).sum(axis=1) / max(count - 1, 1)
    pooled = (np.bincount(family, weights=np.minimum(own, WINSOR)) / np.maximum(np.bincount(family), 1))[family]
    dispersion: Floats = np.maximum(own, pooled)
    return dispersion


def _deviance(found: Floats, usual: Floats, rows: Floats, noise: Floats, is_share: Bools) -> Floats:
    """Twice the logarithm of the likelihood ratio between what is found and what is usual."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        p = np.clip(usual, TINY, 1 - TINY)
        q = np.clip(found, 0.0, 1.0)
        divergence = np.where(q > 0, q * np.log(q / p), 0.0) + np.where(q < 1, (1 - q) * np.log((1 - q) / (1 - p)), 0.0)
        deviance: Floats = np.where(
            is_share, np.maximum(2 * rows * divergence, 0.0), (found - usual) ** 2 / np.maximum(noise, TINY**2)
        )
    return deviance
