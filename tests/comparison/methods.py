"""The methods of others, each written anew from what is published of it, with the limits that are its defaults.

A method gives a landing day one number for each of its parts; the day is an alarm where one is above its limit. All see the
same good days before, and the judged day is no part of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.comparison.statistics import ColumnStatistics, DayStatistics, Floats

Scores = Mapping[str, float]
HISTORY_DAYS = 28


@dataclass(frozen=True)
class Method:
    """A way to judge a landing day by those before it."""

    name: str
    score: Callable[[Sequence[DayStatistics], DayStatistics], Scores]
    """The good days before, oldest first, and the judged one. The same parts each day."""
    limits: Scores
    """By part, from where on it is an alarm: what is published."""


def _away(past: Sequence[float], today: float) -> float:
    """How many standard deviations from the mean; 0 where the past never varied, as a tool that divides by it says."""
    values = np.array(past, dtype=np.float64)
    values = values[~np.isnan(values)]
    if len(values) < 2 or np.isnan(today):
        return 0.0
    sigma = values.std(ddof=1)
    return float(abs(today - values.mean()) / sigma) if sigma > 0 else 0.0


def z_score(past: Sequence[DayStatistics], today: DayStatistics) -> Scores:
    """A z-score of the row count against four weeks: what everybody has."""
    return {"rows": _away([one.rows for one in past[-HISTORY_DAYS:]], today.rows)}


ELEMENTARY_TRAINING_DAYS = 14
ELEMENTARY_SENSITIVITY = 3.0
ELEMENTARY_LABELS = 40
"""Dimensions are for columns of low cardinality, its documentation says."""


def elementary(past: Sequence[DayStatistics], today: DayStatistics) -> Scores:
    """Elementary's `volume_anomalies`, `all_columns_anomalies` with the default monitors of each type, and
    `dimension_anomalies` for each column of few labels (docs.elementary-data.com/data-tests, as of 2026): a z-score of each
    metric by daily bucket over a training period of 14 days, sensitivity 3, a deviation of 0 scores 0. Its training set
    contains the judged day, too, by default; here it does not, which detects more.
    """
    training = past[-ELEMENTARY_TRAINING_DAYS:]
    volume = _away([one.rows for one in training], today.rows)
    column = dimension = 0.0
    for name, found in today.columns.items():
        before = [one.columns[name] for one in training]
        for monitor, value in found.numbers.items():
            if monitor != "negative_share":
                column = max(column, _away([one.numbers[monitor] for one in before], value))
        labelled = [one.labels or {} for one in before]
        if 1 < max(map(len, labelled)) <= ELEMENTARY_LABELS:
            for label in {*(found.labels or {}), *(label for one in labelled for label in one)}:
                counts = [float(one.get(label, 0)) for one in labelled]
                dimension = max(dimension, _away(counts, float((found.labels or {}).get(label, 0))))
    return {"volume": volume, "columns": column, "dimensions": dimension}


TFDV_DRIFT = 0.3
TFDV_DOMAIN = 100


def _linf(one: ColumnStatistics, other: ColumnStatistics) -> float:
    """L-infinity distance between shares of labels."""
    first, second = one.labels, other.labels
    if not first or not second:
        return 0.0
    a, b = sum(first.values()), sum(second.values())
    return max(abs(first.get(name, 0) / a - second.get(name, 0) / b) for name in {*first, *second})


def _jensen_shannon(one: ColumnStatistics, other: ColumnStatistics) -> float:
    """Jensen-Shannon divergence (base 2) of two histograms on the union of their edges, even within each bucket."""
    if one.edges is None or other.edges is None or one.counts is None or other.counts is None:
        return 0.0
    edges = np.union1d(one.edges, other.edges)
    if len(edges) < 2:
        return 0.0
    p, q = _on(edges, one.edges, one.counts), _on(edges, other.edges, other.counts)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(one > 0, one * np.log2(one / middle), 0.0).sum() for one in (p, q)]
    return float(sum(parts) / 2)


def _on(edges: Floats, own: Floats, counts: Floats) -> Floats:
    cumulated = np.concatenate([[0.0], np.cumsum(counts)])
    shares: Floats = np.diff(np.interp(edges, own, cumulated)) / cumulated[-1]
    return shares


def tfdv(past: Sequence[DayStatistics], today: DayStatistics) -> Scores:
    """TensorFlow Data Validation: a schema inferred from the past (Breck et al., Data Validation for Machine Learning, MLSys
    2019; a string of at most 100 values has a domain, what was always there is required), and drift between consecutive
    days: L-infinity of strings, Jensen-Shannon of numbers. TFDV itself leaves the threshold to its user; 0.3 is the default
    of both where Google ships it (BigQuery's ML.TFDV_VALIDATE).
    """
    schema = drift = 0.0
    before = past[-HISTORY_DAYS:]
    for name, found in today.columns.items():
        known = [one.columns[name] for one in before]
        if all(one.nulls == 0 for one in known):
            schema = max(schema, found.nulls / max(found.rows, 1))
        is_text = "min_length" in found.numbers
        if is_text and all(one.labels is not None for one in known):
            domain = {label for one in known for label in one.labels or {}}
            if len(domain) <= TFDV_DOMAIN:
                schema = max(schema, _outside(found, domain))
        if known[-1].values is None:  # nobody compares keys, which are new every day
            drift = max(drift, _linf(known[-1], found) if is_text else _jensen_shannon(known[-1], found))
    return {"schema": schema, "drift": drift}


def _outside(found: ColumnStatistics, domain: set[str]) -> float:
    """The share of values that are none of the known ones."""
    there = found.rows - found.nulls
    if not there:
        return 0.0
    return 1 - sum(count for label, count in (found.labels or {}).items() if label in domain) / there


DEEQU_LOW_CARDINALITY = 120
DEEQU_COVERAGE = 0.9
DEEQU_Z = 1.96


def deequ(past: Sequence[DayStatistics], today: DayStatistics) -> Scores:
    """Deequ's constraint suggestion on the past as one table (Schelter et al., VLDB 2018; the rules and limits of
    `com.amazon.deequ.suggestions.rules`): complete if complete, retain completeness from 20 % on, categorical range where at
    most a tenth of the labels come once, fractional categorical range for 90 % of the rows otherwise, non-negative,
    unique if the distinct share is within 8 % of 1. Scores say by what share a constraint is missed.
    """
    before = past[-HISTORY_DAYS:]
    scores = dict.fromkeys(("completeness", "categories", "non-negative", "unique"), 0.0)
    for name, found in today.columns.items():
        if found.rows == 0:
            continue
        known = [one.columns[name] for one in before]
        rows = sum(one.rows for one in known)
        complete = 1 - sum(one.nulls for one in known) / rows
        if complete == 1 or complete > 0.2:
            target = complete if complete == 1 else _lower_bound(complete, rows)
            scores["completeness"] = max(scores["completeness"], target - (1 - found.nulls / found.rows))
        if "min" in found.numbers and all(one.numbers["negative_share"] == 0 for one in known):
            scores["non-negative"] = max(scores["non-negative"], found.numbers["negative_share"])
        if "min_length" in found.numbers and all(one.labels is not None for one in known):
            scores["categories"] = max(scores["categories"], _missed_range(known, found, rows))
        if complete == 1 and all(one.values is not None for one in known):
            distinct = len(np.unique(np.concatenate([one.values for one in known if one.values is not None])))
            if abs(1 - distinct / rows) <= 0.08:
                scores["unique"] = max(scores["unique"], 1 - found.distinct / max(found.rows - found.nulls, 1))
    return scores


def _lower_bound(share: float, rows: int) -> float:
    """The lower end of the interval of a share, to two digits, as the rules round it."""
    return float(np.floor(100 * (share - DEEQU_Z * np.sqrt(share * (1 - share) / rows))) / 100)


def _missed_range(known: Sequence[ColumnStatistics], found: ColumnStatistics, rows: int) -> float:
    histogram: dict[str, int] = {}
    for one in known:
        for label, count in (one.labels or {}).items():
            histogram[label] = histogram.get(label, 0) + count
    if not histogram or len(histogram) > DEEQU_LOW_CARDINALITY:
        return 0.0
    once = sum(count == 1 for count in histogram.values()) / len(histogram)
    if once <= 0.1:
        return _outside(found, set(histogram))
    if once > 0.4:
        return 0.0
    covered, top = 0.0, set()
    for label, count in sorted(histogram.items(), key=lambda item: -item[1]):
        if covered < DEEQU_COVERAGE:
            covered += count / sum(histogram.values())
            top.add(label)
    return _outside(found, top) - (1 - _lower_bound(covered, rows)) if covered < 1 else 0.0


METHODS = (
    Method(
        "Elementary",
        elementary,
        dict.fromkeys(("volume", "columns", "dimensions"), ELEMENTARY_SENSITIVITY),
    ),
    Method("TFDV", tfdv, {"schema": 0.0, "drift": TFDV_DRIFT}),
    Method("Deequ", deequ, dict.fromkeys(("completeness", "categories", "non-negative", "unique"), 0.0)),
    Method("z-score", z_score, {"rows": 3.0}),
)
