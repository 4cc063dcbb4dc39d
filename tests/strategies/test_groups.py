"""Groups: shufflings cut into groups, the mean of the votes there are, and those without one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import constant, cyclic, drive, forgetful, ideal, noisy, nothing, perfect, shuffled_gains

from rerank_cli.strategies import Settings, strategy_named

GROUPS = strategy_named("groups")


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 20, 100, 1000])
def test_ratings_on_one_scale_order_everything(n: int) -> None:
    gains = shuffled_gains(n)
    driven = drive(GROUPS, n, perfect(gains, "rate"))
    assert driven.order == ideal(gains)
    assert len(driven.questions) == (2 * -(-n // 10) if n > 1 else 0) and len(driven.rounds) <= 1
    if n > 1:
        assert driven.scores is not None and driven.scores.tolist() == gains


@pytest.mark.parametrize(
    ("told", "calls"),
    [({}, 20), ({"window": 20, "passes": 6}, 30), ({"window": 20, "step": 10}, 20), ({"window": 8, "step": 30}, 26)],
)
def test_calls_of_a_hundred(told: dict, calls: int) -> None:
    driven = drive(GROUPS, 100, perfect(shuffled_gains(100), "rate"), Settings(**told))
    assert len(driven.questions) == calls
    assert {position for group in driven.questions for position in group} == set(range(100))


def test_every_shuffling_holds_everybody_once_in_another_order() -> None:
    questions = drive(GROUPS, 25, constant()).questions
    assert [len(group) for group in questions] == [10, 10, 5] * 2
    one, other = (list(itertools.chain(*half)) for half in (questions[:3], questions[3:]))
    assert sorted(one) == sorted(other) == list(range(25)) and one != other != list(range(25))


def test_overlapping_groups_are_steps_of_one_shuffling() -> None:
    questions = drive(GROUPS, 10, constant(), Settings(window=4, step=2, passes=1)).questions
    assert [len(group) for group in questions] == [4, 4, 4, 4, 2]
    assert all(one[2:] == other[:2] for one, other in itertools.pairwise(questions))


def test_the_score_is_the_mean_of_the_votes_there_are() -> None:
    votes = {0: [8.0, 6.0], 1: [np.nan, 9.0], 2: [7.0, 7.0], 3: [np.nan, np.nan], 4: [-2.0, 1.0], 5: [np.nan, np.nan]}
    driven = drive(GROUPS, 6, lambda group: np.array([votes[position].pop() for position in group]))
    assert driven.scores is not None and driven.scores.tolist() == [7, 9, 7, -1.5, -0.5, -1.5]
    assert driven.order == [1, 0, 2, 4, 3, 5], "equals as they came; without a vote one below the lowest"


def test_any_answers_end_in_an_order() -> None:
    gains = shuffled_gains(30)
    for oracle in (noisy(gains, "rate"), cyclic(30, "rate"), forgetful(gains, "rate"), perfect(gains, "order")):
        driven = drive(GROUPS, 30, oracle)
        assert driven.scores is not None and np.isfinite(driven.scores).all()
    for oracle in (nothing, constant()):
        assert drive(GROUPS, 30, oracle).order == list(range(30))
