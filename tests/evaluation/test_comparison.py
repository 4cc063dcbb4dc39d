"""Comparisons: counts and means by hand, intervals that cover, corrections over the right family."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.errors import WrongUsage
from rerank_cli.evaluation import comparison, significance
from rerank_cli.evaluation.comparison import Comparison, effect_size, intervals, resampled_means
from rerank_cli.evaluation.correction import correct

BASE = np.array([0.2, 0.4, 0.6, 0.8, 0.5])
RUNS = {
    "bm25": BASE,
    "monot5": BASE + np.array([0.1, 0.2, 0.0, -0.1, 0.3]),
    "duot5": BASE + np.array([0.2, 0.1, 0.1, 0.1, 0.2]),
}


def compare(values: dict[str, np.ndarray], *how: Any, **more: Any) -> list[Comparison]:
    """Runs in one measure."""
    return comparison.compare({"nDCG": values}, *how, **more)


def _noisy(runs=4, topics=60, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.random(topics)
    return {f"run{i}": base + rng.normal(0.03 * i, 0.15, topics) for i in range(runs)}


def test_one_run_beside_the_baseline_by_hand():
    monot5, duot5 = compare(RUNS, "bm25", test="randomization")
    assert (monot5.run, monot5.baseline, monot5.topics) == ("monot5", "bm25", 5)
    assert monot5.baseline_mean == pytest.approx(0.5)
    assert (monot5.mean, monot5.difference) == (pytest.approx(0.6), pytest.approx(0.1))
    assert (monot5.wins, monot5.ties, monot5.losses) == (3, 1, 1)
    assert monot5.robustness == pytest.approx(0.4)
    # d - mean = 0, .1, -.1, -.2, .2: variance .1 / 4.
    assert monot5.effect == pytest.approx(0.1 / math.sqrt(0.025))
    # 3 of the 8 sign vectors of .1 .2 .1 .3 (first sign fixed) sum to .5 or more in size: +.7, +.5 twice (one .1 turned).
    assert monot5.p == pytest.approx(3 / 8)
    assert (duot5.wins, duot5.ties, duot5.losses) == (5, 0, 0)
    assert duot5.p == pytest.approx(2 / 32)
    assert [c.p_corrected for c in (monot5, duot5)] == pytest.approx([3 / 8, 4 / 32])
    assert duot5.correction == "holm" and not duot5.significant
    assert compare(RUNS, "bm25", test="randomization", correct="none", alpha=0.07)[1].significant


def test_small_differences_are_ties_when_asked():
    assert [(c.wins, c.ties, c.losses) for c in compare(RUNS, "bm25", test="randomization", eps=0.1 + 1e-9)] == [
        (2, 3, 0),
        (2, 3, 0),
    ]
    rounding = compare({"a": BASE, "b": BASE * (1 + 2e-16)}, "a")[0]
    assert (rounding.ties, rounding.p, rounding.effect, rounding.difference) == (5, 1.0, 0.0, 0.0)


@pytest.mark.parametrize("test", significance.TESTS)
def test_every_test_serves_and_equal_runs_are_equal(test):
    same = compare({"a": BASE, "b": BASE.copy(), "c": BASE.copy()}, "a", test=test)
    assert [c.p_corrected for c in same] == [1.0, 1.0]
    assert not any(c.significant for c in same)
    better = compare({"a": _noisy()["run0"], "b": _noisy()["run0"] + _noisy(seed=9)["run0"]}, "a", test=test)[0]
    assert better.significant and better.p < 0.001


def test_the_correction_holds_within_a_measure():
    values = {"AP": _noisy(seed=1), "nDCG@10": _noisy(seed=2)}
    answers = comparison.compare(values, "run0", test="t", correct="holm")
    assert [(c.measure, c.run) for c in answers] == [(m, f"run{i}") for m in values for i in (1, 2, 3)]
    for measure in values:
        of_measure = [c for c in answers if c.measure == measure]
        assert [c.p_corrected for c in of_measure] == pytest.approx(correct([c.p for c in of_measure], "holm").tolist())
        alone = compare(values[measure], "run0", test="t")
        assert [c.p for c in alone] == [c.p for c in of_measure]


def test_what_a_correction_takes_back_is_not_significant():
    answers = compare(_noisy(runs=9, seed=4), "run0", correct="bonferroni")
    taken_back = [c for c in answers if c.p < 0.05 <= c.p_corrected]
    assert taken_back and not any(c.significant for c in taken_back)
    assert any(c.significant for c in answers)


def test_without_a_baseline_every_pair_is_compared_once():
    answers = compare(_noisy(runs=4), test="t", correct="bonferroni")
    assert [(c.baseline, c.run) for c in answers][:4] == [
        ("run0", "run1"),
        ("run0", "run2"),
        ("run0", "run3"),
        ("run1", "run2"),
    ]
    assert len(answers) == 6
    assert all(c.p_corrected == pytest.approx(min(1, 6 * c.p)) for c in answers)


def test_tukey_looks_at_all_runs_and_is_not_corrected_twice():
    runs = _noisy(runs=5)
    answers = compare(runs, "run2", test="tukey", seed=3)
    joint = significance.tukey(np.array(list(runs.values())), 3)
    assert [c.run for c in answers] == ["run0", "run1", "run3", "run4"]
    assert [c.p for c in answers] == [joint[2, i] for i in (0, 1, 3, 4)]
    assert all(c.correction == "none" and c.p_corrected == c.p for c in answers)
    with pytest.raises(WrongUsage, match="twice"):
        compare(runs, "run2", test="tukey", correct="holm")


def test_intervals_are_those_of_the_bootstrap_and_nearly_those_of_t():
    answer = compare(_noisy(topics=400), "run0")[2]
    run, base = _noisy(topics=400)["run3"], _noisy(topics=400)["run0"]
    for interval, values in ((answer.mean_interval, run), (answer.difference_interval, run - base)):
        half = 1.96 * values.std(ddof=1) / 20
        assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
        assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    wider = compare(_noisy(topics=400), "run0", alpha=0.01)[2].difference_interval
    assert wider.low < answer.difference_interval.low and answer.difference_interval.high < wider.high


def test_nineteen_intervals_of_twenty_cover_the_truth():
    rng = np.random.default_rng(0)
    found = intervals(rng.beta(2, 3, (400, 50)))
    covered = np.mean([i.low <= 0.4 <= i.high for i in found])
    # One set of resamples serves all rows; a little under .95 is known of percentile intervals at 50 topics.
    assert 0.9 < covered < 0.98


def test_resamples_are_shared_so_that_differences_are_paired():
    values = np.array([BASE, BASE + 0.1])
    means = resampled_means(values, seed=1, draws=500)
    assert means[1] - means[0] == pytest.approx(0.1)
    assert means[0].std() > 0.05
    assert (resampled_means(values, 1, 500) == means).all() and (resampled_means(values, 2, 500) != means).any()


def test_resamples_do_not_depend_on_how_much_fits_into_a_block(monkeypatch):
    whole = resampled_means(np.arange(12.0).reshape(2, 6), draws=50)
    monkeypatch.setattr("rerank_cli.evaluation.comparison._BLOCK", 20)
    assert resampled_means(np.arange(12.0).reshape(2, 6), draws=50) == pytest.approx(whole)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=20))
def test_swapping_run_and_baseline_mirrors_everything(pairs):
    runs = {"a": np.array([a / 8 for a, _ in pairs]), "b": np.array([b / 8 for _, b in pairs])}
    forth, back = compare(runs, "a")[0], compare(runs, "b")[0]
    assert forth.wins + forth.ties + forth.losses == forth.topics == len(pairs)
    assert (forth.wins, forth.losses, forth.p) == (back.losses, back.wins, pytest.approx(back.p))
    assert (forth.difference, forth.robustness) == (pytest.approx(-back.difference), -back.robustness)
    assert forth.effect == pytest.approx(-back.effect)
    assert forth.difference_interval.low == pytest.approx(-back.difference_interval.high)
    assert forth.mean_interval.low >= runs["b"].min() and forth.mean_interval.high <= runs["b"].max()


def test_a_constant_gain_is_an_infinite_effect():
    assert effect_size(np.full(4, 0.1)) == math.inf
    assert effect_size(np.full(4, -0.1)) == -math.inf
    assert effect_size(np.zeros(4)) == 0.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"baseline": "bm52"}, "bm52"),
        ({"test": "anova"}, "anova"),
        ({"correct": "bon"}, "bon"),
        ({"alpha": 5}, "alpha"),
    ],
)
def test_wrong_wishes_are_named(wrong, says):
    with pytest.raises(WrongUsage, match=says):
        compare(RUNS, **{"baseline": "bm25", **wrong})


def test_one_run_is_no_comparison():
    with pytest.raises(WrongUsage, match="two runs"):
        compare({"bm25": BASE})
