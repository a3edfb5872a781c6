"""The medians of profiles: those of numpy, without its masked arrays."""

import numpy as np

from reliability_platform.profiles.judge import _median


def test_a_median_with_holes_is_the_one_of_what_is_there() -> None:
    """Of an even number of values the mean of the middle two, of none NaN, and exactly what `nanmedian` says."""
    random = np.random.default_rng(7)
    values = random.normal(size=(300, 28))
    values[random.random(values.shape) < random.random((300, 1))] = np.nan
    values[0], values[1, 1:] = np.nan, np.nan
    values[2] = random.normal(size=28)
    found = _median(values)
    known = ~np.isnan(values).all(axis=1)
    assert np.array_equal(found[known], np.nanmedian(values[known], axis=1))
    assert np.isnan(found[~known]).all()
    assert known.sum() > 200
