"""Heapsort and bubblesort: exact for the first places, as many questions as published, side by side without changing a thing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Oracle, Question, cyclic, drive, ideal, nothing, perfect, shuffled_gains

from rerank_cli.strategies import Settings, Strategy, strategy_named

HEAPSORT, BUBBLESORT = strategy_named("heapsort"), strategy_named("bubblesort")
BOTH = pytest.mark.parametrize("sort", [HEAPSORT, BUBBLESORT], ids=["heapsort", "bubblesort"])


@BOTH
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_top_is_exact_and_the_rest_as_it_came(sort: Strategy, data: st.DataObject) -> None:
    gains = data.draw(st.permutations(range(data.draw(st.integers(0, 60)))))
    top, fanout = data.draw(st.integers(1, 62)), data.draw(st.integers(1, 22))
    orders = data.draw(st.sampled_from([None, "once", "both", "calibrated"]))
    oracle = perfect(gains, "pick" if orders is None else "prefer")
    driven = drive(sort, len(gains), oracle, Settings(top=top, fanout=fanout, orders=orders))
    best = ideal(gains)[:top]
    assert driven.order == best + [one for one in range(len(gains)) if one not in best]
    assert all(len(question) <= fanout + 1 for question in driven.questions)


@pytest.mark.parametrize(("fanout", "heap", "bubble"), [(2, 140, 475), (3, 82, 318), (9, 31, 109), (19, 23, 54)])
def test_published_numbers_of_slates(fanout: int, heap: int, bubble: int) -> None:
    """Simulated over random lists of 100, top 10."""
    told = Settings(fanout=fanout)
    calls = [
        len(drive(HEAPSORT, 100, perfect(shuffled_gains(100, seed), "pick"), told).questions) for seed in range(10)
    ]
    assert np.mean(calls) == pytest.approx(heap, abs=1)
    assert BUBBLESORT.count(100, told) == bubble


def test_published_numbers_of_duels() -> None:
    told = Settings(orders="both")
    driven = [drive(HEAPSORT, 100, perfect(shuffled_gains(100, seed), "prefer"), told) for seed in range(10)]
    assert np.mean([len(one.questions) for one in driven]) == pytest.approx(2 * 278, rel=0.01)
    assert BUBBLESORT.count(100, told) == 2 * 945
    assert BUBBLESORT.count(100, Settings(orders="once")) == 945


def test_fifty_queries_in_lockstep_take_few_rounds() -> None:
    """Every query's next round is asked together, so the longest query decides."""
    driven = [drive(HEAPSORT, 100, perfect(shuffled_gains(100, seed), "pick")) for seed in range(50)]
    assert max(len(one.rounds) for one in driven) <= 50
    assert sum(len(one.questions) for one in driven) > 50 * 75
    assert len(drive(BUBBLESORT, 100, perfect(shuffled_gains(100), "pick")).rounds) <= 60


def one_by_one(n: int, top: int, fanout: int, heap: bool) -> tuple[list[int], list[Question]]:
    """Both sorts as they are described, a question after the other, against the oracle that has no right order."""
    order, asked, found = list(range(n)), list[Question](), list[int]()
    oracle = cyclic(n, "pick")

    def best_at(places: list[int]) -> int:
        asked.append(tuple(order[at] for at in places))
        return places[int(np.argmax(oracle(asked[-1])))]

    def sift_down(node: int) -> None:
        children = [at for at in range(fanout * node + 1, fanout * node + fanout + 1) if at < len(order)]
        if children and (best := best_at([node, *children])) != node:
            order[node], order[best] = order[best], order[node]
            sift_down(best)

    if heap:
        for node in range(n // fanout, -1, -1):
            sift_down(node)
        while len(found) < top:
            order[0], order[-1] = order[-1], order[0]
            found.append(order.pop())
            if len(found) < top:
                sift_down(0)
        return found, asked
    for place in range(top):
        low = n - 1
        while low > place:
            first = max(place, low - fanout)
            best = best_at(list(range(first, low + 1)))
            order[first], order[best] = order[best], order[first]
            low = first
    return order[:top], asked


@pytest.mark.parametrize("fanout", [1, 2, 3, 9, 40])
@BOTH
def test_side_by_side_asks_what_one_by_one_asks(sort: Strategy, fanout: int) -> None:
    found, asked = one_by_one(31, 6, fanout, heap=sort is HEAPSORT)
    driven = drive(sort, 31, cyclic(31, "pick"), Settings(top=6, fanout=fanout))
    assert driven.order[:6] == found
    assert Counter(driven.questions) == Counter(asked)


@BOTH
def test_both_orders_of_a_duel_are_in_one_round(sort: Strategy) -> None:
    driven = drive(sort, 30, perfect(shuffled_gains(30), "prefer"), Settings(orders="both"))
    for asked in driven.rounds:
        assert Counter(asked) == Counter(question[::-1] for question in asked)


def favours_the_first(gains: list[int]) -> Oracle:
    """A model that is surer of the better document than of the worse one, and of the first, whichever it is, than of the second."""

    def answer(question: Question) -> np.ndarray:
        first = 0.9 if gains[question[0]] > gains[question[1]] else 0.6
        return np.array([first, 1 - first])

    return answer


@BOTH
def test_calibration_sees_through_a_model_that_favours_the_first(sort: Strategy) -> None:
    gains = shuffled_gains(30)
    results = {
        orders: drive(sort, 30, favours_the_first(gains), Settings(orders=orders)).order[:10]
        for orders in ("once", "both", "calibrated")
    }
    assert results["calibrated"] == ideal(gains)[:10]
    assert results["once"] != ideal(gains)[:10] and results["both"] != ideal(gains)[:10]


def test_who_stands_stays_where_the_orders_disagree() -> None:
    """Bubblesort's windows have the higher document first, so nothing moves."""
    told = Settings(orders="both")
    assert drive(BUBBLESORT, 12, favours_the_first(shuffled_gains(12)), told).order == list(range(12))


def test_one_order_that_tells_nothing_is_no_agreement() -> None:
    told = Settings(orders="both")
    for unsure in ([0.5, 0.5], [np.nan, np.nan]):
        driven = drive(BUBBLESORT, 2, lambda question, unsure=unsure: np.array([1, 0] if question[0] else unsure), told)
        assert driven.order == [0, 1]


@pytest.mark.parametrize("orders", ["once", "both", "calibrated"])
@BOTH
def test_duels_that_tell_nothing_keep_the_incoming_order(sort: Strategy, orders: str) -> None:
    for oracle in (nothing, lambda question: np.array([0.5, 0.5])):
        assert drive(sort, 25, oracle, Settings(orders=orders)).order == list(range(25))


def test_what_was_taken_off_the_heap_leads_the_order_on_the_way() -> None:
    gains = shuffled_gains(50)
    driven = drive(HEAPSORT, 50, perfect(gains, "pick"))
    assert driven.bests[0] == list(range(50))
    assert driven.bests[-1][:9] == ideal(gains)[:9]
