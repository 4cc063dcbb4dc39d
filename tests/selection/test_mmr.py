"""Maximal marginal relevance against the definition, written as the slow loop that it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.methods.vectors import unit
from rerank_cli.selection.mmr import mmr
from rerank_cli.selection.scores import reaching


def by_definition(relevance: list[float], vectors: np.ndarray, balance: float, k: int) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        gains = {}
        for at in range(len(relevance)):
            if at not in chosen:
                closest = max((float(vectors[at] @ vectors[other]) for other in chosen), default=0.0)
                gains[at] = balance * relevance[at] - (1 - balance) * closest
        best = max(gains.values())
        chosen.append(next(at for at, gain in gains.items() if gain > best - 1e-9))
    return chosen


@given(
    n=st.integers(0, 12),
    seed=st.integers(0, 10**6),
    balance=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]),
    k=st.integers(1, 14),
)
def test_equals_the_definition(n: int, seed: int, balance: float, k: int) -> None:
    random = np.random.default_rng(seed)
    vectors = unit(random.normal(size=(n, 4))).astype(np.float64)
    relevance = np.sort(random.random(n))[::-1]
    assert mmr(relevance, vectors, balance, k).tolist() == by_definition(relevance.tolist(), vectors, balance, k)


def test_the_copy_of_the_best_comes_after_what_is_unlike_it() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    relevance = np.array([1.0, 0.9, 0.2])
    assert mmr(relevance, vectors, 0.5, 3).tolist() == [0, 2, 1]
    assert mmr(relevance, vectors, 1.0, 3).tolist() == [0, 1, 2]


def test_vectors_that_all_point_away_count_as_unlike_not_as_nothing() -> None:
    """The nearest chosen document may have a negative cosine: 0 is no floor."""
    vectors = np.array([[1, 0], [-0.6, 0.8], [-1, 0]], dtype=np.float64)
    assert mmr(np.array([1.0, 0.5, 0.5]), vectors, 0.5, 2).tolist() == [0, 2]


def test_a_cut_keeps_what_reaches_the_least_score() -> None:
    scores = np.array([3.0, 2.0, 2.0, -1.0])
    assert [reaching(scores, least) for least in (4, 3, 2, 1.9, -1, -2)] == [0, 1, 3, 3, 4, 4]
