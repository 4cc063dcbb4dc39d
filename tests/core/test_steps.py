"""Tied scores are written apart and read back as the ties they were."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.core.steps import joined, separate

finite = st.floats(min_value=-1e30, max_value=1e30, allow_nan=False)


@given(st.lists(st.one_of(finite, st.sampled_from([0.0, 1.0, 1.0 + 1e-9, -2.5])), max_size=40))
def test_separated_scores_are_strictly_decreasing_as_32_bit_floats(scores):
    ordered = np.sort(np.array(scores, dtype=np.float64))[::-1]
    apart, moved = separate(ordered)
    singles = apart.astype(np.float32)
    assert np.all(singles[1:] < singles[:-1])
    assert moved == np.count_nonzero(apart != ordered)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40))
def test_joining_undoes_separating(scores):
    ordered = np.sort(np.array(scores, dtype=np.float64) / 8)[::-1]
    assert np.array_equal(joined(separate(ordered)[0]), ordered)


def test_a_score_that_needs_no_step_keeps_every_bit():
    scores = np.array([15.780599594116211, 1 / 3, 0.1, -7e-9])
    apart, moved = separate(scores)
    assert moved == 0
    assert np.array_equal(apart, scores)
