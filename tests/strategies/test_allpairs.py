"""All pairs at once: exact with a model that knows, a permutation with any, as many calls as stated."""

from __future__ import annotations

import time

import numpy as np
import pytest
from oracles import constant, cyclic, drive, forgetful, ideal, noisy, nothing, perfect, shuffled_gains

from rerank_cli.aggregation.rules import rules
from rerank_cli.errors import WrongUsage
from rerank_cli.strategies import Settings, strategy_named

ALLPAIRS = strategy_named("allpairs")


def answered(table: list[list[float]]):
    """A model whose P(row beats column) with the row first is in a table."""
    return lambda question: np.array([table[question[0]][question[1]], 1 - table[question[0]][question[1]]])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 20, 100])
@pytest.mark.parametrize("orders", [None, "once", "both", "calibrated"])
def test_a_model_that_knows_is_followed_to_the_last_place(n: int, orders) -> None:
    gains = shuffled_gains(n)
    driven = drive(ALLPAIRS, n, perfect(gains, "prefer"), Settings(orders=orders))
    assert driven.order == ideal(gains)
    assert len(driven.questions) == n * (n - 1) // (2 if orders == "once" else 1)
    assert len(driven.rounds) <= 1


@pytest.mark.parametrize("kind", ["pick", "order", "rate"])
def test_models_of_other_kinds_can_answer(kind) -> None:
    gains = shuffled_gains(9)
    assert drive(ALLPAIRS, 9, perfect(gains, kind)).order == ideal(gains)


@pytest.mark.parametrize("rule", rules())
def test_any_answers_end_in_an_order(rule: str) -> None:
    gains = shuffled_gains(8)
    for oracle in (noisy(gains, "prefer"), cyclic(8, "prefer"), forgetful(gains, "prefer")):
        driven = drive(ALLPAIRS, 8, oracle, Settings(aggregate_by=rule))
        assert driven.scores is not None and np.isfinite(driven.scores).all()
    assert drive(ALLPAIRS, 8, constant("prefer"), Settings(aggregate_by=rule)).order == list(range(8))
    unread = drive(ALLPAIRS, 8, nothing, Settings(aggregate_by=rule))
    assert unread.order == list(range(8)) and unread.scores is None


def test_every_ordered_pair_is_asked_once_and_the_first_ones_are_spread_evenly() -> None:
    questions = drive(ALLPAIRS, 6, perfect(shuffled_gains(6), "prefer")).questions
    assert sorted(questions) == [(i, j) for i in range(6) for j in range(6) if i != j]
    met = np.bincount(np.array(questions[:12]).ravel())
    assert met.tolist() == [4] * 6
    once = drive(ALLPAIRS, 6, perfect(shuffled_gains(6), "prefer"), Settings(orders="once")).questions
    assert sorted(once) == [(i, j) for i in range(6) for j in range(i + 1, 6)]


def test_scores_are_the_sum_of_both_sides() -> None:
    table = [[0, 0.9, 0.2], [0.4, 0, 0.3], [0.8, 0.6, 0]]
    driven = drive(ALLPAIRS, 3, answered(table))
    assert driven.scores == pytest.approx([0.9 + 0.6 + 0.2 + 0.2, 0.4 + 0.1 + 0.3 + 0.4, 0.8 + 0.8 + 0.6 + 0.7])
    assert driven.order == [2, 0, 1]


def test_a_liking_for_the_first_place_is_calibrated_away_and_a_tie_to_the_prompting_rule() -> None:
    table = [[0, 0.8, 0.7], [0.9, 0, 0.8], [0.95, 0.6, 0]]
    won = drive(ALLPAIRS, 3, answered(table), Settings(orders="calibrated"))
    assert won.scores is not None and won.scores.tolist() == [0, 4, 2] and won.order == [1, 2, 0]
    tied = drive(ALLPAIRS, 3, answered(table), Settings(aggregate_by="consistent"))
    assert tied.scores is not None and tied.scores.tolist() == [1, 1, 1] and tied.order == [0, 1, 2]


def test_what_a_budget_left_unasked_keeps_the_incoming_order_below() -> None:
    knows = perfect([5, 6, 7, 8, 9], "prefer")
    driven = drive(ALLPAIRS, 5, lambda asked: knows(asked) if asked in [(1, 3), (3, 1)] else nothing(asked))
    assert driven.order == [3, 1, 0, 2, 4]
    assert driven.scores is not None and driven.scores.tolist() == [-1, 0, -1, 2, -1]


def test_a_rule_that_there_is_not_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(WrongUsage, match="'majority'"):
        next(ALLPAIRS.run(5, Settings(aggregate_by="majority"), np.random.default_rng(0)))


def test_a_thousand_documents_take_seconds() -> None:
    begun = time.thread_time()
    gains = np.array(shuffled_gains(1000))
    asking = ALLPAIRS.run(1000, Settings(), np.random.default_rng(0))
    questions = next(asking).questions
    won, lost = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    with pytest.raises(StopIteration) as end:
        asking.send([won if gains[one] > gains[other] else lost for one, other in questions])
    assert len(questions) == 999_000 and end.value.value.order == ideal(gains.tolist())
    assert time.thread_time() - begun < 60, "about 2 s here"
