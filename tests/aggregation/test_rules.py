"""Rules of aggregation against the formulas of their papers written out slowly, golden numbers, and what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.aggregation.bradley_terry import bradley_terry
from rerank_cli.aggregation.pairs import block_wins
from rerank_cli.aggregation.preferences import calibrated, consistent, preferences, soft_wins
from rerank_cli.aggregation.rules import by_preferences, by_wins, completed, rule_named, rules
from rerank_cli.errors import WrongUsage

NAN = float("nan")
#: Sixteen games of five players: first, second, and > (first won), < (second won) or = (even).
GAMES = list(zip("0000111123333344", "1224022340124403", "=<==>====>>>==>>", strict=True))


def rated(name: str, p: np.ndarray, seed: int = 0) -> np.ndarray:
    return by_preferences(rule_named(name), p, np.random.default_rng(seed))


def order(scores: np.ndarray) -> list[int]:
    return np.argsort(-scores, kind="stable").tolist()


def some_preferences(n: int, seed: int) -> np.ndarray:
    """Without ties, without reason, and with p(i, j) + p(j, i) ≠ 1."""
    p = np.random.default_rng(seed).uniform(0.01, 0.99, (n, n))
    np.fill_diagonal(p, NAN)
    return p


def truth(strengths: list[float], hard: bool) -> np.ndarray:
    """What a perfect model prefers, surely or by a logistic curve."""
    gap = np.subtract.outer(strengths, strengths)
    p = (gap > 0).astype(float) if hard else 1 / (1 + np.exp(-gap))
    np.fill_diagonal(p, NAN)
    return p


#: The sum rules, a pair at a time.
FORMULAS = {
    "sum": lambda p, i, j: p[i, j],
    "sym-sum": lambda p, i, j: p[i, j] + 1 - p[j, i],
    "log-sum": lambda p, i, j: math.log(p[i, j]),
    "sym-log-sum": lambda p, i, j: math.log(p[i, j]) + math.log(1 - p[j, i]),
    "binary": lambda p, i, j: p[i, j] > 0.5,
    "mean": lambda p, i, j: (p[i, j] + 1 - p[j, i]) / (2 * (len(p) - 1)),
    "consistent": lambda p, i, j: (p[i, j] > 0.5 and p[j, i] < 0.5) + 0.5 * ((p[i, j] > 0.5) == (p[j, i] > 0.5)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_sums_of_the_literature(name: str) -> None:
    p = some_preferences(9, 1)
    by_hand = [sum(FORMULAS[name](p, i, j) for j in range(9) if j != i) for i in range(9)]
    assert rated(name, p) == pytest.approx(by_hand, abs=1e-9)


def test_lowest_and_highest() -> None:
    p = np.array([[NAN, 0.2, 0.9], [0.6, NAN, 0.7], [0.1, 0.5, NAN]])
    assert rated("min", p).tolist() == [0.2, 0.6, 0.1] and rated("max", p).tolist() == [0.9, 0.7, 0.5]


def test_without_a_liking_for_a_place_both_sums_rank_alike() -> None:
    p = some_preferences(12, 3)
    p = np.where(np.tri(12, dtype=bool), 1 - p.T, p)
    assert order(rated("sum", p)) == order(rated("sym-sum", p))


@pytest.mark.parametrize(
    ("wins", "expected"),
    [
        ([[0, 3, 1], [1, 0, 2], [0, 1, 0]], [2.15780566, 0.89252069, 0.52688402]),
        ([[0, 0.9, 0.8], [0.1, 0, 0.6], [0.2, 0.4, 0]], [1.80441729, 0.78100649, 0.71839194]),
        ([[0, 1, 1], [0, 0, 1], [0, 0, 0]], [2.485584, 1.0, 0.40231994]),
    ],
)
def test_bradley_terry_with_one_virtual_win_and_loss(wins: list, expected: list[float]) -> None:
    table = np.array(wins, float)
    assert bradley_terry(table, prior=1.0, tolerance=1e-10) == pytest.approx(expected, abs=2e-7)
    scores = by_wins(rule_named("bradley-terry"), table, np.random.default_rng(0))
    assert scores == pytest.approx(np.log(expected), abs=1e-5), "natural logarithms of the strengths"


def test_bradley_terry_without_prior() -> None:
    strengths = bradley_terry(np.array([[0, 3, 1], [1, 0, 2], [0, 1, 0]], float), prior=0, tolerance=1e-10)
    assert strengths == pytest.approx([3.06238401, 0.87862091, 0.37165400], abs=1e-7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("counting", [1.5, 3, 3, 4.5, 4]),
        ("win-rate", [0.1875, 0.5, 0.4375, 0.77083, 0.63889]),
        ("pagerank", [0.13280, 0.15405, 0.16240, 0.27795, 0.27280]),
    ],
)
def test_sixteen_games_of_the_block_paper(name: str, expected: list[float]) -> None:
    blocks = [(int(one), int(other)) for one, other, _ in GAMES]
    told = {">": np.array([2.0, 1.0]), "=": np.array([1.0, 1.0]), "<": np.array([1.0, 2.0])}
    wins = block_wins(5, blocks, [told[outcome] for _, _, outcome in GAMES])
    assert by_wins(rule_named(name), wins, np.random.default_rng(0)) == pytest.approx(expected, abs=1e-5)


def test_greedy_as_it_is_defined() -> None:
    w = soft_wins(some_preferences(15, 4))
    left, taken = set(range(15)), []
    while left:
        potential = {v: sum(w[v, u] - w[u, v] for u in left) for v in left}
        taken.append(max(left, key=lambda v: potential[v]))
        left.remove(taken[-1])
    assert order(by_wins(rule_named("greedy"), w, np.random.default_rng(0))) == taken


def test_pagerank_by_power_iteration() -> None:
    w = soft_wins(some_preferences(10, 5))
    share = np.full(10, 0.1)
    for _ in range(200):
        share = 0.15 / 10 + 0.85 * (w / w.sum(axis=0)) @ share
    assert by_wins(rule_named("pagerank"), w, np.random.default_rng(0)) == pytest.approx(share, abs=1e-8)


def test_newman_takes_two_orders_that_disagree_for_a_tie() -> None:
    p = some_preferences(7, 6)
    agreeing = np.where(np.tri(7, dtype=bool), 1 - p.T, p)
    hard = np.where(np.nan_to_num(agreeing) > 0.5, 1.0, 0.0)
    assert rated("newman", agreeing) == pytest.approx(np.log(bradley_terry(hard, prior=1.0)), abs=1e-4)
    biased = np.full((4, 4), 0.9)
    np.fill_diagonal(biased, NAN)
    assert rated("newman", biased) == pytest.approx(np.zeros(4), abs=1e-6), "whoever comes first wins: all tie"


# What the sampling paper's program does otherwise, by mistake.


def test_logarithms_are_taken_of_both_sides() -> None:
    """There 1 - log p is added instead of log(1 - p)."""
    p = np.array([[NAN, 0.8], [0.3, NAN]])
    expected = [math.log(0.8) + math.log(0.7), math.log(0.3) + math.log(0.2)]
    assert rated("sym-log-sum", p) == pytest.approx(expected, abs=1e-9)


def test_who_is_presented_first_does_not_win_by_that() -> None:
    """There a first document with p above 0.1 has always won."""
    p = np.array([[NAN, 0.3, 0.3], [NAN, NAN, 0.3], [NAN, NAN, NAN]])
    for name in ("bradley-terry", "newman", "consistent", "copeland", "sym-sum"):
        assert order(rated(name, p)) == [2, 1, 0], name


def test_kwiksort_scores_by_place_and_not_by_the_inverse() -> None:
    assert rated("kwiksort", truth([1.0, 3.0, 2.0, 0.0], hard=True)).tolist() == [2.0, 4.0, 3.0, 1.0]
    cycle = truth([2.0, 1.0, 0.0], hard=True)[[1, 2, 0]][:, [1, 2, 0]]
    assert rated("kwiksort", cycle).tolist() == [2.0, 1.0, 3.0]


# What every rule promises.


@pytest.mark.parametrize("name", rules())
@given(strengths=st.permutations(range(8)).map(list), soft=st.booleans())
@settings(max_examples=15, deadline=None)
def test_a_model_that_knows_the_order_is_followed(name: str, strengths: list[int], soft: bool) -> None:
    if name in ("min", "max"):
        soft = True  # of hard answers they see only the best or the worst
    p = truth([1.0 * strength for strength in strengths], hard=not soft)
    assert order(rated(name, p)) == order(np.array(strengths))


#: KwikSort draws its pivots and Elo its schedule by place.
BY_CHANCE = {"kwiksort", "elo"}


@pytest.mark.parametrize("name", [name for name in rules() if name not in BY_CHANCE])
@given(seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_scores_go_with_the_documents_however_they_are_numbered(name: str, seed: int) -> None:
    p = some_preferences(7, seed)
    if name != "greedy":  # its last two keep the incoming order when they never met
        p[np.random.default_rng(seed + 1).random((7, 7)) < 0.2] = NAN
    moved = np.random.default_rng(seed + 2).permutation(7)
    one, other = rated(name, p), rated(name, p[np.ix_(moved, moved)])
    assert other == pytest.approx(one[moved], abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("name", rules())
def test_equals_keep_the_incoming_order(name: str) -> None:
    p = np.full((6, 6), 0.5)
    np.fill_diagonal(p, NAN)
    assert order(rated(name, p)) == list(range(6))
    assert np.isfinite(rated(name, p)).all()


@pytest.mark.parametrize("name", rules())
def test_who_was_never_compared_stands_last_and_sure_answers_stay_finite(name: str) -> None:
    p = np.full((5, 5), NAN)
    p[4, 1] = p[1, 2] = p[4, 2] = 1.0
    p[1, 4] = p[2, 1] = p[2, 4] = 0.0
    scores = rated(name, p)
    assert np.isnan(scores).tolist() == [True, False, False, True, False]
    whole = completed(scores)
    assert whole is not None and np.isfinite(whole).all()
    assert order(whole)[-2:] == [0, 3]
    if name not in ("min", "max"):
        assert order(whole) == [4, 1, 2, 0, 3]
    assert completed(rated(name, np.full((3, 3), NAN))) is None


def test_a_rule_has_its_other_names_and_no_more() -> None:
    assert rule_named("additive") is rule_named("sym-sum") and rule_named("prp") is rule_named("consistent")
    with pytest.raises(WrongUsage, match="'majority'") as error:
        rule_named("majority")
    assert "bradley-terry" in error.value.hint


# Answers to duels.


def test_what_two_values_say() -> None:
    """Probabilities as they are; ratings and orders by which is higher; nothing where nothing was said."""
    told = [[0.8, 0.2], [2.0, 1.0], [-3.1, 4.0], [0.7, 0.7], [NAN, NAN], [NAN, 0.0]]
    answers = [np.array(values) for values in told]
    p = preferences(7, np.zeros(6, int), np.arange(1, 7), answers)
    assert np.array_equal(p[0, 1:], [0.8, 1.0, 0.0, 0.5, NAN, 0.0], equal_nan=True)
    assert np.isnan(p[1:]).all() and np.isnan(p[0, 0])


def test_calibrated_compares_the_two_orders_with_each_other() -> None:
    p = np.array([[NAN, 0.9, 0.6], [0.95, NAN, 0.8], [0.6, NAN, NAN]])
    won = calibrated(p)
    assert won[1, 0] == 1 and won[0, 1] == 0, "surer of the second when it stands first"
    assert won[0, 2] == 1 and won[2, 0] == 0, "equals as they came"
    assert won[1, 2] == 1 and won[2, 1] == 0, "one order is known: its answer"
    assert consistent(p)[0, 1] == consistent(p)[1, 0] == 0.5, "both orders prefer what comes first"


def test_blocks_count_what_a_model_names_above_what_it_leaves_out() -> None:
    wins = block_wins(5, [(3, 0, 1), (1, 4)], [np.array([NAN, 2.0, NAN]), np.array([NAN, NAN])])
    assert wins[0, 3] == wins[0, 1] == 1 and wins.sum() == 2


def test_rules_for_duels_see_shares_of_what_blocks_counted() -> None:
    wins = np.array([[0, 3, 0], [1, 0, 2], [0, 2, 0]], float)
    rng = np.random.default_rng(0)
    assert by_wins(rule_named("max"), wins, rng).tolist() == [0.75, 0.5, 0.5]
    assert by_wins(rule_named("sum"), wins, rng).tolist() == [0.75, 0.75, 0.5]
