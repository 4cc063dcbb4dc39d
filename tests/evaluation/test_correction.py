"""Corrections: textbook numbers worked by hand, and the promises every correction keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WrongUsage
from rerank_cli.evaluation.correction import CORRECTIONS, correct

probabilities = st.lists(st.floats(0, 1), max_size=12)


def test_holm_by_hand():
    # Sorted .005, .01, .03, .04 times 4, 3, 2, 1 = .02, .03, .06, .04; the last may not be below the third: .06.
    assert correct([0.01, 0.04, 0.03, 0.005], "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_bonferroni_by_hand():
    assert correct([0.01, 0.04, 0.03, 0.5], "bonferroni") == pytest.approx([0.04, 0.16, 0.12, 1.0])


def test_holm_sidak_by_hand():
    # Sorted .1, .2, .5: 1 - .9^3 = .271; 1 - .8^2 = .36; .5.
    assert correct([0.2, 0.5, 0.1], "holm-sidak") == pytest.approx([0.36, 0.5, 0.271])


def test_benjamini_hochberg_by_hand():
    # Sorted .01, .02, .03, .5 times 4/1, 4/2, 4/3, 4/4 = .04, .04, .04, .5.
    assert correct([0.03, 0.5, 0.01, 0.02], "benjamini-hochberg") == pytest.approx([0.04, 0.5, 0.04, 0.04])
    # Sorted .2, .21 gives .4, .21: the first may not be above the second.
    assert correct([0.2, 0.21], "benjamini-hochberg") == pytest.approx([0.21, 0.21])


def test_holm_is_the_default_and_none_changes_nothing():
    assert correct([0.02, 0.03]) == pytest.approx([0.04, 0.04])
    assert correct([0.02, 0.03], "none").tolist() == [0.02, 0.03]


@pytest.mark.parametrize("name", CORRECTIONS)
@given(probabilities)
def test_no_correction_lowers_a_p_or_swaps_two_or_passes_one(name, ps):
    raw, done = np.array(ps), correct(ps, name)
    assert len(done) == len(ps)
    assert (done >= raw).all() and (done <= 1).all()
    assert (np.diff(done[np.argsort(raw, kind="stable")]) >= 0).all()


@pytest.mark.parametrize("name", CORRECTIONS)
@given(st.floats(0, 1))
def test_one_comparison_needs_no_correction(name, p):
    assert correct([p], name) == pytest.approx([p], abs=1e-15)


@given(probabilities)
def test_holm_finds_all_that_bonferroni_finds(ps):
    assert (correct(ps, "holm") <= correct(ps, "bonferroni")).all()
    assert (correct(ps, "holm-sidak") <= correct(ps, "holm") + 1e-12).all()


def test_what_is_no_probability_or_no_correction_is_refused():
    for bad in ([1.2], [-0.1], [float("nan")]):
        with pytest.raises(ValueError):
            correct(bad)
    with pytest.raises(WrongUsage, match="'tukey'"):
        correct([0.1], "tukey")
