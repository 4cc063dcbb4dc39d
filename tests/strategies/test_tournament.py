"""ListT5's tournament: the published numbers of calls, exact first places, and no group asked twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Driven, drive, ideal, perfect, shuffled_gains

from rerank_cli.errors import WrongUsage
from rerank_cli.strategies import Settings, strategy_named

TOURNAMENT = strategy_named("tournament")


def trials(n: int, top: int, number: int) -> list[Driven]:
    """Tournaments over lists in no order, each with the exact top."""
    driven = []
    for seed in range(number):
        gains = shuffled_gains(n, seed)
        driven.append(drive(TOURNAMENT, n, perfect(gains), Settings(top=top)))
        assert driven[-1].order[:top] == ideal(gains)[:top]
    return driven


def calls(driven: list[Driven]) -> list[int]:
    return [len(one.questions) for one in driven]


def test_published_calls_for_a_hundred() -> None:
    assert calls(trials(100, 1, 20)) == [35] * 20
    found = calls(trials(100, 10, 60))
    assert np.mean(found) == pytest.approx(94, abs=1.5)
    assert min(found) > 80 and max(found) < 110


def test_published_calls_for_fifty_and_a_thousand() -> None:
    assert np.mean(calls(trials(50, 10, 40))) == pytest.approx(61, abs=1.5)
    assert np.mean(calls(trials(1000, 1, 5))) == pytest.approx(336, abs=1)
    assert np.mean(calls(trials(1000, 10, 5))) == pytest.approx(421, abs=5)


def test_groups_of_a_level_are_one_round() -> None:
    driven = trials(100, 1, 1)[0]
    assert [len(asked) for asked in driven.rounds] == [20, 8, 4, 2, 1]
    assert driven.rounds[0] == [tuple(range(at, at + 5)) for at in range(0, 100, 5)]


def test_a_short_group_is_filled_with_the_first_of_its_level() -> None:
    driven = drive(TOURNAMENT, 7, perfect(range(7)), Settings(top=1))
    assert driven.rounds[0] == [(0, 1, 2, 3, 4), (0, 1, 2, 5, 6)]
    # Two of each go on, and the first of the level fills the last group.
    assert driven.rounds[1] == [(0, 3, 4, 5, 6)]


def test_the_best_of_a_group_goes_on_behind_the_second_best() -> None:
    driven = drive(TOURNAMENT, 25, perfect(range(25, 0, -1)), Settings(top=1))
    assert driven.rounds[1] == [(0, 1, 5, 6, 11), (10, 15, 16, 20, 21)]


def test_no_group_is_asked_twice_and_a_question_is_in_the_incoming_order() -> None:
    for one in trials(100, 10, 5):
        assert len(set(one.questions)) == len(one.questions)
        assert all(question == tuple(sorted(question)) for question in one.questions)


def test_the_winner_of_a_hundred_is_stood_in_for() -> None:
    """Document 0 wins the first tournament; document 21 takes its place in the first group, and no other group is new."""
    driven = drive(TOURNAMENT, 100, perfect(range(100, 0, -1)), Settings(top=2))
    assert driven.rounds[5] == [(1, 2, 3, 4, 21)]


def test_a_list_no_longer_than_a_group_is_one_question() -> None:
    gains = shuffled_gains(5)
    driven = drive(TOURNAMENT, 5, perfect(gains), Settings(top=1))
    assert driven.order == ideal(gains) and driven.questions == [(0, 1, 2, 3, 4)]


def test_who_is_still_in_comes_before_who_is_out() -> None:
    driven = drive(TOURNAMENT, 25, perfect(range(25)))
    # After the first level: the best two of each five, in the incoming order.
    assert driven.bests[1][:10] == [3, 4, 8, 9, 13, 14, 18, 19, 23, 24]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_exact_for_any_list_group_and_number_that_goes_on(data: st.DataObject) -> None:
    gains = data.draw(st.permutations(range(data.draw(st.integers(0, 60)))))
    winners = data.draw(st.integers(1, 4))
    window, top = data.draw(st.integers(2 * winners, 12)), data.draw(st.integers(1, 62))
    told = Settings(top=top, window=window, winners=winners)
    best = ideal(gains)[:top]
    driven = drive(TOURNAMENT, len(gains), perfect(gains), told)
    assert driven.order[:top] == best
    if len(gains) > window:
        assert driven.order[top:] == [one for one in range(len(gains)) if one not in best]


def test_a_tournament_that_could_not_end_is_refused() -> None:
    with pytest.raises(WrongUsage, match="group of 5 cannot send 3 on"):
        TOURNAMENT.count(100, Settings(winners=3))
