"""Rank aggregation against numbers worked out by hand or by other programs, against brute force, and against its promises."""

from __future__ import annotations

import sys
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.aggregation.bradley_terry import bradley_terry, newman
from rerank_cli.aggregation.copeland import copeland
from rerank_cli.aggregation.elo import elo
from rerank_cli.aggregation.footrule import footrule
from rerank_cli.aggregation.kemeny import disagreements, kemeny
from rerank_cli.aggregation.mc4 import mc4
from rerank_cli.aggregation.mean_rank import completed
from rerank_cli.aggregation.pagerank import pagerank
from rerank_cli.aggregation.pairs import countdown_by, ties, wins
from rerank_cli.aggregation.rank_centrality import rank_centrality
from rerank_cli.aggregation.win_rate import win_rate
from rerank_cli.errors import Missing

#: Two lists over a, b, c, d: a b c, and b d a.
RANKS = np.array([[1, 2, 3, 0], [3, 1, 0, 2]])
#: a > b, a > c, b > c; b > d, b > a, d > a.
WINS = wins(RANKS)

ORDERS = st.lists(
    st.permutations(range(5)).flatmap(lambda p: st.integers(1, 5).map(lambda k: p[:k])), min_size=1, max_size=5
)


def ranks_of(orders: list[list[int]], items: int = 5) -> np.ndarray:
    ranks = np.zeros((len(orders), items), dtype=np.int64)
    for row, order in zip(ranks, orders, strict=True):
        row[list(order)] = np.arange(1, len(order) + 1)
    return ranks


def test_wins_count_every_pair_of_a_list_once():
    assert WINS.tolist() == [[0, 1, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    weighted = wins(RANKS, np.array([2.0, 0.5]))
    assert weighted[0, 1] == 2 and weighted[1, 0] == 0.5 and weighted[3, 0] == 0.5
    lose = wins(RANKS, unranked_lose=True)
    assert lose[0, 3] == 1 and lose[1, 3] == 2 and lose[2, 3] == 1 and lose[3, 2] == 1


def test_equal_ranks_are_ties_not_wins():
    ranks = np.array([[1, 1, 3, 0, 0]])
    assert wins(ranks)[0, 1] == wins(ranks)[1, 0] == 0
    assert ties(ranks)[0, 1] == ties(ranks)[1, 0] == 1
    assert ties(ranks).sum() == 2, "two items that a list lacks do not tie in it"


def test_figures_of_evalica_for_six_comparisons():
    """Version 0.4.2 on the same wins; its Bradley-Terry without the item that never wins, which it cannot rate."""
    assert win_rate(WINS) == pytest.approx([0.5, 0.83333, 0, 0.5], abs=1e-5)
    assert pagerank(WINS) == pytest.approx([0.37973, 0.38388, 0.0375, 0.19889], abs=1e-5)
    rated = np.ix_([0, 1, 3], [0, 1, 3])
    strengths = bradley_terry(WINS[rated], prior=0)
    assert strengths / strengths[0] == pytest.approx(np.array([1.00004, 2.31469, 1.52144]) / 1.00004, abs=2e-4)
    assert np.prod(strengths) == pytest.approx(1)
    same, prone = newman(WINS[rated], np.zeros((3, 3)), prior=0)
    assert same == pytest.approx(strengths, rel=1e-4) and prone == 0


def test_two_items_by_hand():
    one = np.array([[0.0, 1.0], [0.0, 0.0]])
    assert rank_centrality(one) == pytest.approx([2 / 3, 1 / 3])
    assert mc4(one) == pytest.approx([1 - 0.025 / 0.525, 0.025 / 0.525])
    assert elo(one) == pytest.approx([1015, 985])
    assert elo(one * 2, orders=1) == pytest.approx([1030, 970])
    assert copeland(one)[0].tolist() == [1, -1]


def test_bradley_terry_is_the_top_of_its_posterior():
    """The slope of the log posterior by each log strength: wins + prior - expected wins, over all games, is zero."""
    rng = np.random.default_rng(1)
    table = rng.integers(0, 4, (7, 7)).astype(float)
    table[:, 0] = 0  # never loses
    np.fill_diagonal(table, 0)
    p = bradley_terry(table, prior=0.1, tolerance=1e-10)
    chance = p[:, None] / (p[:, None] + p[None, :])
    slope = table.sum(1) - ((table + table.T) * chance).sum(1) + 0.1 - 2 * 0.1 * p / (1 + p)
    assert np.abs(slope).max() < 1e-5


def test_ties_are_learned_and_pull_strengths_together():
    table, tied = np.array([[0.0, 3.0], [1.0, 0.0]]), np.array([[0.0, 4.0], [4.0, 0.0]])
    strengths, prone = newman(table, tied, prior=0)
    p, q, v = *strengths, prone
    whole = p + q + 2 * v * np.sqrt(p * q)
    # Two items have as many parameters as outcomes: the model gives back the shares that were seen, 3/8, 1/8, 4/8.
    assert [p / whole, q / whole, 2 * v * np.sqrt(p * q) / whole] == pytest.approx([3 / 8, 1 / 8, 4 / 8], abs=1e-4)
    assert newman(table, np.zeros((2, 2)), prior=0)[0] == pytest.approx(bradley_terry(table, prior=0), rel=1e-4)


def test_an_item_that_never_wins_or_never_loses_has_a_strength():
    chain = np.triu(np.ones((6, 6)), 1)
    for strengths in (bradley_terry(chain), newman(chain, np.zeros((6, 6)))[0]):
        assert np.all(np.isfinite(strengths)) and np.all(np.diff(strengths) < 0)


@pytest.mark.parametrize("rate", [win_rate, pagerank, rank_centrality, mc4, elo, bradley_terry])
def test_degenerate_sizes(rate):
    assert rate(np.zeros((0, 0))).shape == (0,)
    assert np.isfinite(rate(np.zeros((1, 1)))).all()
    alike = rate(np.ones((4, 4)) - np.eye(4))
    assert len(set(alike.tolist())) == 1


@settings(max_examples=60, deadline=None)
@given(ORDERS)
def test_kemeny_is_the_best_of_all_orders(orders):
    table = wins(ranks_of(orders))
    order, against, exact = kemeny(table)
    assert exact and sorted(order.tolist()) == list(range(5))
    assert against == min(disagreements(table, np.array(p)) for p in permutations(range(5)))


def test_kemeny_of_many_items_finds_a_consensus_that_is_there_and_betters_its_start():
    truth = np.random.default_rng(0).permutation(40)
    order, against, exact = kemeny(wins(ranks_of([truth.tolist()] * 3, 40)))
    assert (order.tolist(), against, exact) == (truth.tolist(), 0.0, False)
    rng = np.random.default_rng(2)
    lists = [np.argsort(np.arange(40) + rng.normal(0, 10, 40)).tolist() for _ in range(5)]
    table = wins(ranks_of(lists, 40))
    order, against, _ = kemeny(table)
    best_list = min(disagreements(table, np.array(one)) for one in lists)
    duels, margins = copeland(table)
    start = disagreements(table, np.lexsort((-margins, -duels)))
    assert against < best_list and against <= start
    for place in range(39):
        swapped = order.copy()
        swapped[[place, place + 1]] = swapped[[place + 1, place]]
        assert disagreements(table, swapped) >= against


@settings(max_examples=60, deadline=None)
@given(ORDERS)
def test_the_footrule_is_the_nearest_of_all_orders(orders):
    pytest.importorskip("scipy", reason="the footrule needs scipy")
    ranks = ranks_of(orders)
    order, distance = footrule(ranks)

    def away(p: tuple[int, ...]) -> int:
        place = np.empty(5, dtype=np.int64)
        place[list(p)] = np.arange(1, 6)
        return int(np.abs(completed(ranks) - place).sum())

    assert distance == away(tuple(order.tolist())) == min(map(away, permutations(range(5))))


def test_without_scipy_the_footrule_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(Missing, match="scipy") as error:
        footrule(RANKS)
    assert "[stats]" in error.value.hint


@settings(max_examples=60, deadline=None)
@given(ORDERS, st.randoms(use_true_random=False))
def test_the_order_of_the_lists_has_no_say(orders, random):
    shuffled = orders[:]
    random.shuffle(shuffled)
    one, other = wins(ranks_of(orders)), wins(ranks_of(shuffled))
    for rate in (win_rate, pagerank, rank_centrality, mc4, elo, bradley_terry):
        assert rate(one).tolist() == rate(other).tolist()


@pytest.mark.parametrize("rate", [win_rate, pagerank, rank_centrality, mc4, elo, bradley_terry])
def test_a_consensus_is_followed(rate):
    values = rate(wins(ranks_of([[3, 1, 4, 0, 2]] * 3)))
    assert values[[3, 1, 4, 0, 2]].tolist() == sorted(values.tolist(), reverse=True)
    assert len(set(values.tolist())) > 1


def test_elo_depends_on_the_seed_and_on_nothing_else():
    table = wins(ranks_of([[0, 1, 2, 3, 4], [4, 2, 0, 1, 3]]))
    assert elo(table, seed=3).tolist() == elo(table, seed=3).tolist()
    assert elo(table, orders=1, seed=3).tolist() != elo(table, orders=1, seed=4).tolist()


def test_countdown_shares_places_between_equals():
    keys = [np.array([1.0, 2.0, 2.0, 0.0]), np.array([0.0, 5.0, 5.0, 9.0])]
    assert countdown_by(keys).tolist() == [2.0, 4.0, 4.0, 1.0]


@pytest.mark.parametrize("noise", [0.3, 5.0])
def test_long_lists_that_agree_settle_too(noise):
    """The slope of the log posterior is zero everywhere, not only where neighbours meet."""
    rng = np.random.default_rng(4)
    table = wins(ranks_of([np.argsort(np.arange(150) + rng.normal(0, noise, 150)).tolist() for _ in range(2)], 150))
    for p in (bradley_terry(table), newman(table, np.zeros_like(table))[0]):
        chance = p[:, None] / (p[:, None] + p[None, :])
        slope = table.sum(1) - ((table + table.T) * chance).sum(1) + 0.1 - 2 * 0.1 * p / (1 + p)
        assert np.abs(slope).max() < 1e-3
