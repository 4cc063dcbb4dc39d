"""Where the programs that people compare with are wrong: our answer against a computation of its own.

Other such places have their tests beside their subject: equal scores under min-max (0 in ranx) and a negative best
under max in test_fusion_norms.py and test_fusion_rules.py; ln(h) that makes everything that one run found equal
(log_isr) and negative scores under mnz in test_fusion_rules.py; weights that are dropped because .1 + .2 + .7 is not
1.0 in test_fusion_tuning.py; lists beyond a thousand under bayesfuse in test_trained_rules.py; Bradley-Terry
strengths that are all 0 when one item never wins in tests/aggregation; the rank column that Pyserini trusts in
tests/cli/test_fuse_oracles.py.
"""

from __future__ import annotations

from functools import cmp_to_key
from itertools import combinations, permutations
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fusion_rules import fused, lists

Order = tuple[str, ...]


def as_scores(orders: list[Order]) -> list[dict[str, dict[str, float]]]:
    return [{"q": {d: float(len(order) - n) for n, d in enumerate(order)}} for order in orders]


def above(orders: list[Order], x: str, y: str, weights: list[float]) -> float:
    """The weight of the runs that rank x above y: ranked beats unranked, and who lacks both has no say."""
    return sum(w for o, w in zip(orders, weights, strict=True) if x in o and (y not in o or o.index(x) < o.index(y)))


def by_majority(orders: list[Order], weights: list[float]) -> Order:
    """Duels won minus lost, then the margins added up, then the sum of weight/rank, then the id; straight from the words."""
    documents = {d for order in orders for d in order}

    def key(x: str) -> tuple[float, float, float, str]:
        margins = [above(orders, x, y, weights) - above(orders, y, x, weights) for y in documents]
        duels = sum((margin > 0) - (margin < 0) for margin in margins)
        shares = sorted(w / (o.index(x) + 1) for o, w in zip(orders, weights, strict=True) if x in o)
        return duels, round(sum(margins), 9), round(sum(shares), 9), x

    return tuple(sorted(documents, key=key, reverse=True))


def by_their_comparator(orders: list[Order], start: Order) -> Order:
    """Sorting as ranx does: x goes first when the runs that rank it above y are no fewer than all others.

    Runs that lack both are among the others, so of two documents that most runs lack each goes behind the other,
    and at a draw each goes before the other: what comes out depends on how the documents lay before.
    """

    def compare(x: str, y: str) -> int:
        votes = above(orders, x, y, [1.0] * len(orders))
        return -1 if votes >= len(orders) - votes else 1

    return tuple(sorted(start, key=cmp_to_key(compare)))


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        # Two runs of three put c first. Only one knows b and a, and it prefers b: nobody contradicts it.
        ([("c",), ("b", "a"), ("c",)], ("c", "b", "a")),
        # Likewise d and c, which one run of four knows, behind a and b.
        ([("a", "b"), ("a",), ("a",), ("b", "d", "a", "c")], ("a", "b", "d", "c")),
    ],
)
def test_condorcet_follows_a_majority_that_ranxs_comparator_misses(orders, expected):
    everyone = sorted(expected)
    pairs = combinations(expected, 2)
    ones = [1.0] * len(orders)
    assert all(above(orders, x, y, ones) > above(orders, y, x, ones) for x, y in pairs), "a majority with no cycle"
    theirs = {by_their_comparator(orders, start) for start in permutations(everyone)}
    assert len(theirs) > 1, "the comparator has no one answer here"
    assert tuple(d for d, _ in lists(fused(as_scores(orders), "condorcet"))["q"]) == expected


ORDERS = st.lists(
    st.permutations("abcde").flatmap(lambda p: st.integers(1, 5).map(lambda n: tuple(p[:n]))), min_size=2, max_size=5
)


@settings(max_examples=100, deadline=None)
@given(ORDERS, st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=5, max_size=5))
def test_condorcet_equals_its_definition(orders, weights):
    ones, some = [1.0] * len(orders), weights[: len(orders)]
    plain, weighted = fused(as_scores(orders), "condorcet"), fused(as_scores(orders), "w_condorcet", weights=some)
    assert tuple(d for d, _ in lists(plain)["q"]) == by_majority(orders, ones)
    assert tuple(d for d, _ in lists(weighted)["q"]) == by_majority(orders, some)


#: The rules of Fox and Shaw from the scores of the runs that hold a document.
COMB = {
    "min": min,
    "max": max,
    "med": median,
    "sum": sum,
    "anz": lambda held: sum(held) / len(held),
    "mnz": lambda held: sum(held) * len(held),
}
#: Beyond the 1e9 that ranx takes for "no run has it".
VALUES = st.sampled_from([0.0, 0.25, 1.0, 3.0, 7.5, 2e9, 4e12])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1), min_size=3, max_size=6))
def test_comb_rules_of_three_runs_and_more(runs):
    """trectools looks at two of them only; polyfuse's median reads one place too far; ranx's sentinels are scores too."""
    for rule, of in COMB.items():
        got = dict(lists(fused([{"q": run} for run in runs], rule))["q"])
        held = {d: [run[d] for run in runs if d in run] for d in got}
        assert got == {d: pytest.approx(of(values)) for d, values in held.items()}


def test_scores_beyond_a_sentinel_are_scores():
    low = [{"q": {"a": -2e9, "b": -3e9}}, {"q": {"a": -4e9}}]
    assert lists(fused(low, "max"))["q"] == [("a", -2e9), ("b", -3e9)]
    assert lists(fused(low, "min"))["q"] == [("b", -3e9), ("a", -4e9)]
