"""Paired tests: the same p as scipy and as counting by hand, 1 for equal runs, uniform when nothing is there to find."""

import builtins
import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rerank_cli.errors import Missing, WrongUsage
from rerank_cli.evaluation import significance

PAIRWISE = [name for name, test in significance.TESTS.items() if not test.joint]

#: Values as measures have them: many ties, many equal topics.
measures = st.integers(0, 20).map(lambda n: n / 20)
paired = st.integers(1, 40).flatmap(
    lambda n: st.tuples(st.lists(measures, min_size=n, max_size=n), st.lists(measures, min_size=n, max_size=n))
)


def _runs(topics, seed=0, gain=0.0):
    rng = np.random.default_rng(seed)
    base = rng.random(topics)
    return base + rng.normal(gain, 0.2, topics), base


@pytest.mark.parametrize("topics", [2, 7, 50, 500])
@pytest.mark.parametrize("gain", [0.0, 0.05, 0.3])
def test_t_is_scipys(topics, gain):
    run, base = _runs(topics, seed=topics, gain=gain)
    assert significance.p_value("t", run, base) == pytest.approx(stats.ttest_rel(run, base).pvalue, rel=1e-9)


def test_t_of_a_textbook_example():
    # d = 1, 2, 3, 4, 5: t = 3 / (sqrt(2.5) / sqrt(5)) = 3 * sqrt(2) with 4 degrees of freedom; the table's t(0.99) is
    # 3.747 and t(0.995) 4.604, so p lies between 0.01 and 0.02.
    p = significance.p_value("t", np.array([1.0, 2, 3, 4, 5]), np.zeros(5))
    assert 0.01 < p < 0.02


@pytest.mark.parametrize("topics", [5, 12, 50, 51, 300])
def test_wilcoxon_is_scipys_on_untied_differences(topics):
    run, base = _runs(topics, seed=topics, gain=0.05)
    method = "exact" if topics <= 50 else "approx"
    expected = stats.wilcoxon(run - base, method=method).pvalue
    assert significance.p_value("wilcoxon", run, base) == pytest.approx(expected, rel=1e-9)


def test_wilcoxon_by_hand():
    # |d| ranks 1..5, one negative at rank 2: W = 2. Sign vectors with rank sum <= 2: {}, {1}, {2}: 3 of 32, two-sided 6/32.
    p = significance.p_value("wilcoxon", np.array([0.1, -0.2, 0.3, 0.4, 0.5]), np.zeros(5))
    assert p == pytest.approx(6 / 32)


def test_wilcoxon_drops_topics_that_do_not_differ():
    run, base = _runs(12, seed=3)
    padded = significance.p_value("wilcoxon", np.append(run, [0.5] * 9), np.append(base, [0.5] * 9))
    assert padded == pytest.approx(significance.p_value("wilcoxon", run, base))


def test_wilcoxon_ties_differences_that_only_rounding_tells_apart():
    # 0.5 - 0.3 and 0.7 - 0.5 are not the same float, but they are the same difference.
    run, base = np.array([0.5, 0.7, 0.1, 0.9, 0.8, 0.35]), np.array([0.3, 0.5, 0.4, 0.5, 0.3, 0.3])
    expected = stats.wilcoxon([0.2, 0.2, -0.3, 0.4, 0.5, 0.05], method="approx").pvalue
    assert significance.p_value("wilcoxon", run, base) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(-10, 10), min_size=1, max_size=10))
def test_randomization_of_few_topics_counts_every_sign_vector(tenths):
    d = np.array(tenths) / 10
    # Integers, so that the reference has no rounding of its own.
    reached = [
        abs(sum(s * t for s, t in zip(signs, tenths))) >= abs(sum(tenths))
        for signs in itertools.product((1, -1), repeat=len(tenths))
    ]
    assert significance.randomization(d) == pytest.approx(sum(reached) / len(reached))


def test_drawn_signs_agree_with_counted_ones(monkeypatch):
    run, base = _runs(18, seed=1, gain=0.1)
    exact = significance.p_value("randomization", run, base)
    monkeypatch.setattr(significance, "EXACT_TOPICS", 0)
    drawn = [significance.p_value("randomization", run, base, seed=seed) for seed in range(3)]
    assert 0.02 < exact < 0.5
    assert drawn == pytest.approx([exact] * 3, abs=0.005)
    assert len(set(drawn)) > 1


def test_randomization_agrees_with_scipys_permutation_test():
    run, base = _runs(60, seed=8, gain=0.05)
    expected = stats.permutation_test(
        (run - base,), lambda d, axis: np.mean(d, axis=axis), permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    assert significance.p_value("randomization", run, base) == pytest.approx(expected, abs=0.01)


def test_randomization_never_says_impossible_and_repeats_by_seed():
    run, base = _runs(200, gain=1.0)
    p = significance.p_value("randomization", run, base, seed=4)
    assert p == 1 / (significance.DRAWS + 1)
    run, base = _runs(200, gain=0.01)
    assert significance.p_value("randomization", run, base, 4) == significance.p_value("randomization", run, base, 4)
    assert significance.p_value("randomization", run, base, 4) != significance.p_value("randomization", run, base, 5)


@settings(deadline=None, max_examples=60)
@given(paired)
def test_p_is_a_probability_and_does_not_care_which_run_comes_first(runs):
    run, base = map(np.array, runs)
    for name in PAIRWISE:
        p = significance.p_value(name, run, base)
        assert 0 <= p <= 1
        assert significance.p_value(name, base, run) == pytest.approx(p, abs=1e-9)
        assert significance.p_value(name, run, run) == 1.0


@pytest.mark.parametrize("name", PAIRWISE)
def test_runs_that_differ_by_rounding_alone_are_the_same_run(name):
    base = np.linspace(0.1, 0.9, 30)
    assert significance.p_value(name, base * (1 + 2e-16), base) == 1.0
    assert significance.p_value(name, base + 0.1, base) < 0.001


def test_one_topic_shows_nothing():
    for name in PAIRWISE:
        assert significance.p_value(name, np.array([0.9]), np.array([0.1])) == 1.0


@pytest.mark.parametrize("name", PAIRWISE)
def test_p_is_uniform_when_runs_are_equal(name, monkeypatch):
    monkeypatch.setattr(significance.randomization, "__defaults__", (0, 2_000))
    ps = np.array([significance.p_value(name, *_runs(30, seed=seed), seed=seed) for seed in range(400)])
    # 400 p-values: a share of s has a standard error of sqrt(s (1 - s) / 400); four of them on both sides.
    for share in (0.05, 0.25, 0.5, 0.75):
        assert np.mean(ps < share) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 400))


def test_tukey_of_few_topics_counts_like_enumeration():
    values = np.array([[0.9, 0.6, 0.8, 0.7], [0.5, 0.6, 0.3, 0.2], [0.4, 0.5, 0.6, 0.1]])
    ranges = np.array(
        [
            np.ptp(np.mean([values[list(order), topic] for topic, order in enumerate(orders)], axis=0))
            for orders in itertools.product(itertools.permutations(range(3)), repeat=4)
        ]
    )
    p = significance.tukey(values, draws=50_000)
    means = values.mean(axis=1)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        expected = np.mean(ranges >= abs(means[i] - means[j]) - 1e-12)
        assert p[i, j] == pytest.approx(expected, abs=0.01)
    assert (p == p.T).all() and (np.diag(p) == 1).all()


def test_tukey_of_two_runs_is_the_randomization_test():
    run, base = _runs(40, seed=2, gain=0.05)
    p = significance.tukey(np.array([run, base]))[0, 1]
    assert p == pytest.approx(significance.p_value("randomization", run, base), abs=0.01)


@pytest.mark.parametrize("systems", [3, significance.TABLED_RUNS, significance.TABLED_RUNS + 1])
def test_tukey_finds_the_odd_one_out_and_only_it(systems):
    rng = np.random.default_rng(systems)
    values = rng.random((1, 40)) + rng.normal(0, 0.1, (systems, 40))
    values[0] += 0.3
    p = significance.tukey(values, seed=1)
    assert (p[0, 1:] < 0.001).all()
    assert (p[1:, 1:] > 0.05).all()
    # It pays for looking at all pairs: never below the test of that pair alone (but for the draws' error).
    assert p[1, 2] >= significance.p_value("randomization", values[1], values[2]) - 0.01


@pytest.mark.parametrize("systems", [4, significance.TABLED_RUNS + 1])
def test_tukey_errs_in_one_family_of_twenty(systems):
    rng = np.random.default_rng(0)
    families = [
        significance.tukey(rng.normal(0, 1, (systems, 20)), seed, draws=300).min() < 0.05 for seed in range(300)
    ]
    assert np.mean(families) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 300))


def test_tukey_of_identical_runs_finds_nothing():
    assert (significance.tukey(np.tile(np.linspace(0, 1, 20), (4, 1))) == 1).all()


def test_values_that_cannot_be_paired_are_refused():
    for run, base in (([1.0], [1.0, 2.0]), ([], []), ([np.nan], [1.0]), ([[1.0]], [[1.0]])):
        with pytest.raises(ValueError):
            significance.differences(np.array(run), np.array(base))
    with pytest.raises(ValueError):
        significance.tukey(np.array([[np.inf, 1.0]]))


def test_an_unknown_test_names_those_there_are():
    with pytest.raises(WrongUsage, match="'anova'") as raised:
        significance.named("anova")
    assert "randomization" in raised.value.hint


@pytest.mark.parametrize("name", ["t", "wilcoxon"])
def test_without_scipy_the_extra_is_named_and_another_test_offered(name, monkeypatch):
    real = builtins.__import__

    def no_scipy(module, *rest, **named):
        if module.startswith("scipy"):
            raise ImportError(module)
        return real(module, *rest, **named)

    for module in [m for m in sys.modules if m.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setattr(builtins, "__import__", no_scipy)
    with pytest.raises(Missing) as raised:
        significance.p_value(name, *_runs(10))
    assert "[stats]" in raised.value.hint and "randomization" in raised.value.hint
    assert 0 < significance.p_value("randomization", *_runs(10)) <= 1
