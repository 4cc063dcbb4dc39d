"""Overlap, tau and RBO: cases by hand, bounds, and the definition of each as an oracle."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WrongUsage
from rerank_cli.evaluation.rank_similarity import kendall_tau, overlap, rbo

lists = st.lists(st.integers(0, 12), unique=True, max_size=10)


def test_overlap_by_hand() -> None:
    assert overlap("abcd", "badc", 1) == 0 and overlap("abcd", "badc", 2) == 1
    assert overlap("ab", "abcd", 4) == 0.5 and overlap("", "", 10) == 1 and overlap("a", "", 10) == 0


def test_tau_by_hand() -> None:
    assert kendall_tau("abcd", "dcba") == -1 and kendall_tau("abcd", "abcd") == 1
    # Of six pairs, ab and cd are turned.
    assert kendall_tau("abcd", "badc") == pytest.approx(1 / 3)
    # x and y are in one list only.
    assert kendall_tau("axb", "bya") == -1
    assert kendall_tau("ab", "ac") is None


def test_rbo_by_hand() -> None:
    assert rbo("abc", "abc") == pytest.approx(1) and rbo("abc", "xyz") == 0
    assert rbo("", "") == 1 and rbo("a", "") == 0
    # Shared at depths 1 to 5: 0, 0, 1, 3, 5.
    sums = 0.9**3 / 3 + 0.9**4 * 3 / 4 + 0.9**5
    assert rbo("abcde", "edcba", 0.9) == pytest.approx(0.1 / 0.9 * sums + 0.9**5)
    # A list that begins as the other does is taken to go on so.
    assert rbo("ab", "abcdef") == pytest.approx(1)
    with pytest.raises(WrongUsage, match="between 0 and 1"):
        rbo("a", "b", 1.0)


@given(lists, lists)
def test_tau_is_the_share_of_ordered_pairs(first: list[int], second: list[int]) -> None:
    shared = [document for document in first if document in second]
    signs = [1 if second.index(a) < second.index(b) else -1 for a, b in combinations(shared, 2)]
    tau = kendall_tau(first, second)
    assert tau == (pytest.approx(sum(signs) / len(signs)) if signs else None)


@given(lists, lists, st.floats(0.05, 0.99))
def test_rbo_is_symmetric_between_0_and_1_and_extrapolates_the_sum_of_overlaps(
    first: list[int], second: list[int], p: float
) -> None:
    value = rbo(first, second, p)
    assert value == pytest.approx(rbo(second, first, p)) and -1e-9 <= value <= 1 + 1e-9
    if len(first) == len(second) > 0:
        # Equation 23 of the paper, for lists of the same length.
        n = len(first)
        agreement = [len(set(first[:d]) & set(second[:d])) / d for d in range(1, n + 1)]
        sums = sum(a * p**d for d, a in enumerate(agreement, start=1))
        assert value == pytest.approx(agreement[-1] * p**n + (1 - p) / p * sums)


def test_what_lies_far_down_counts_nothing() -> None:
    far = list(range(2000))
    assert rbo(far, far, 0.9) == pytest.approx(1)
    assert rbo(far, [*range(1000), *range(5000, 6000)], 0.9) == pytest.approx(1)
