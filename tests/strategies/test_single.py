"""The simplest algorithm, which also tries out the oracles."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import constant, cyclic, drive, forgetful, ideal, noisy, nothing, perfect, shuffled_gains

from rerank_cli.strategies import strategy_named

SINGLE = strategy_named("single")


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 20, 100, 1000])
def test_one_question_ranks_all(n: int) -> None:
    gains = shuffled_gains(n)
    driven = drive(SINGLE, n, perfect(gains))
    assert driven.order == ideal(gains) and len(driven.questions) == (n > 1)


def test_any_answer_gives_a_permutation() -> None:
    gains = shuffled_gains(9)
    for oracle in (noisy(gains), cyclic(9), forgetful(gains)):
        drive(SINGLE, 9, oracle)
    for oracle in (nothing, constant()):
        assert drive(SINGLE, 9, oracle).order == list(range(9))


def test_what_was_left_out_comes_last_and_has_no_score() -> None:
    driven = drive(SINGLE, 4, lambda question: np.array([1, np.nan, 3, np.nan]))
    assert driven.order == [2, 0, 1, 3]
    assert driven.scores is not None and list(np.isnan(driven.scores)) == [False, True, False, True]
