"""Top-down partitioning, TourRank and iterative drop: what they ask, how often, and what comes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Question, constant, drive, ideal, nothing, perfect, shuffled_gains

from rerank_cli.errors import WrongUsage
from rerank_cli.strategies import Settings, strategy_named

TOPDOWN, TOUR, DROP = (strategy_named(name) for name in ("topdown", "tour", "drop"))
TDPART = Settings(compat="tdpart")


def test_topdown_compares_everything_with_the_tenth_of_the_first_window() -> None:
    driven = drive(TOPDOWN, 100, perfect(range(100, 0, -1)))
    assert [len(asked) for asked in driven.rounds] == [1, 5]
    assert driven.rounds[0] == [tuple(range(20))]
    assert driven.rounds[1][0] == (9, *range(20, 39)) and driven.rounds[1][4] == (9, *range(96, 100))


def test_topdown_takes_a_higher_pivot_for_fewer_places() -> None:
    driven = drive(TOPDOWN, 100, perfect(range(100, 0, -1)), Settings(top=3))
    assert {question[0] for question in driven.rounds[1]} == {2}


def test_topdown_takes_the_published_calls_and_is_exact() -> None:
    driven = []
    for seed in range(60):
        gains = shuffled_gains(100, seed)
        driven.append(drive(TOPDOWN, 100, perfect(gains)))
        assert driven[-1].order[:10] == ideal(gains)[:10]
    assert np.mean([len(one.questions) for one in driven]) == pytest.approx(10.7, abs=0.4)
    assert np.mean([len(one.rounds) for one in driven]) == pytest.approx(6, abs=0.6)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_topdown_is_exact_for_any_list_window_and_top(data: st.DataObject) -> None:
    gains = data.draw(st.permutations(range(data.draw(st.integers(0, 90)))))
    top, window = data.draw(st.integers(1, 95)), data.draw(st.integers(2, 25))
    driven = drive(TOPDOWN, len(gains), perfect(gains), Settings(top=top, window=window))
    assert driven.order[:top] == ideal(gains)[:top]


def test_tdpart_is_quick_and_right_only_on_a_good_first_stage() -> None:
    driven, exact = [], 0
    for seed in range(100):
        gains = shuffled_gains(100, seed)
        driven.append(drive(TOPDOWN, 100, perfect(gains), TDPART))
        exact += driven[-1].order[:9] == ideal(gains)[:9]
    assert np.mean([len(one.questions) for one in driven]) == pytest.approx(4.7, abs=0.3)
    assert exact <= 5
    assert all(len(asked) == 1 for one in driven for asked in one.rounds)
    good = drive(TOPDOWN, 100, perfect(range(100, 0, -1)), TDPART)
    # It sorts the nine once more that it has sorted already.
    assert good.order == list(range(100)) and good.questions[-1] == tuple(range(9))


def test_tdpart_stops_at_a_window_of_better_ones_and_leaves_the_rest_unread() -> None:
    driven = drive(TOPDOWN, 100, perfect(range(100)), TDPART)
    # 19 beat the tenth of the first window and stand after its best nine: the first 20 of these 28 (19 to 11, 38 to 28)
    # are looked at again, and 39 on never.
    assert driven.questions[1] == (10, *range(20, 39))
    assert not {one for question in driven.questions for one in question} & set(range(39, 100))
    assert driven.order[:9] == list(range(38, 29, -1))
    # Behind the unread ones stand those that fell behind the second pivot, which beat the first.
    assert driven.order[-72:] == [*range(39, 100), 29, 28, *range(19, 10, -1)]


def test_tdpart_needs_a_pivot_inside_the_window() -> None:
    with pytest.raises(WrongUsage, match="place 20 of a window of 20"):
        TOPDOWN.count(100, Settings(top=20, compat="tdpart"))


def test_tour_over_a_hundred_is_thirteen_questions_a_tournament() -> None:
    driven = drive(TOUR, 100, perfect(shuffled_gains(100)), Settings(passes=3))
    sizes = [sorted({len(question) for question in asked}) for asked in driven.rounds]
    assert [len(asked) for asked in driven.rounds] == [15, 15, 3, 3, 3] and sizes == [[20], [10], [20], [10], [5]]
    assert TOUR.count(100, Settings()) == 130


def test_tour_deals_every_fifth_document_into_a_group_and_shuffles_it() -> None:
    driven = drive(TOUR, 100, nothing)
    for at, question in enumerate(driven.rounds[0]):
        assert set(question) == set(range(at % 5, 100, 5))
    assert len(set(driven.rounds[0])) == 50, "two tournaments saw a group in the same order"
    other = drive(TOUR, 100, nothing, seed=1)
    assert other.rounds[0] != driven.rounds[0]


def test_tour_gives_a_point_for_each_stage() -> None:
    gains = shuffled_gains(100)
    driven = drive(TOUR, 100, perfect(gains), Settings(passes=2))
    assert driven.scores is not None
    reached = {score: int(np.sum(driven.scores >= score)) for score in (2, 4, 6, 8, 10)}
    assert reached == {2: 50, 4: 20, 6: 10, 8: 5, 10: 2}
    assert driven.scores[ideal(gains)[0]] == 10
    assert driven.order == sorted(range(100), key=lambda one: -driven.scores[one])  # type: ignore[index]


def test_tour_takes_a_model_that_only_marks_the_chosen() -> None:
    """Position 0 is the best of all; the model names as many as it must and says nothing of the others."""

    def marks(question: Question) -> np.ndarray:
        chosen = sorted(question)[: {20: 10, 10: 4, 5: 2}[len(question)]]
        return np.array([1.0 if one in chosen else np.nan for one in question])

    assert drive(TOUR, 100, marks).order == list(range(100))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.integers(3, 30))
def test_tour_fits_any_list_and_group(n: int, window: int) -> None:
    driven = drive(TOUR, n, perfect(shuffled_gains(n)), Settings(window=window, passes=1))
    assert all(2 <= len(question) <= window for question in driven.questions)
    best = ideal(shuffled_gains(n))[0] if n else 0
    assert n == 0 or driven.order.index(best) < 2


def test_tour_needs_groups_of_three() -> None:
    with pytest.raises(WrongUsage, match="too small for a tour"):
        TOUR.count(100, Settings(window=2))


def test_drop_asks_about_what_is_left() -> None:
    gains = shuffled_gains(100)
    driven = drive(DROP, 100, perfect(gains))
    assert [len(question) for question in driven.questions] == [100, 80, 64, 51, 40, 30, 20]
    assert driven.order == ideal(gains)
    assert all(question == tuple(sorted(question)) for question in driven.questions)
    assert set(driven.questions[1]) == set(ideal(gains)[:80])


def test_drop_adds_its_round_to_each_rating() -> None:
    ratings = [one / 100 for one in range(30, 0, -1)]
    driven = drive(DROP, 30, perfect(ratings, "rate"))
    assert driven.scores is not None
    assert driven.scores[:20] == pytest.approx([rating + 1 for rating in ratings[:20]])
    assert driven.scores[20:] == pytest.approx(ratings[20:])


def test_drop_keeps_ratings_that_do_not_add_up_to_itself() -> None:
    """An order of 20 counts from 20 down, less than the 30 that the first of those dropped may have had."""
    driven = drive(DROP, 40, lambda question: np.array([-100.0 * len(question) - one for one in question]))
    assert driven.scores is not None
    driven = drive(DROP, 40, lambda question: np.array([100.0 * len(question) - one for one in question]))
    assert driven.scores is None and driven.order == list(range(40))


def test_drop_takes_those_along_that_equal_the_last_dropped() -> None:
    ratings = [0.9] * 10 + [0.5] * 15 + [0.1] * 5
    driven = drive(DROP, 30, perfect(ratings, "rate"))
    assert [len(question) for question in driven.questions] == [30, 10]
    assert driven.order == list(range(30))


def test_drop_ends_when_all_are_equal() -> None:
    driven = drive(DROP, 100, constant())
    assert driven.order == list(range(100)) and len(driven.questions) == 1


def test_drop_asks_nothing_about_one_that_is_left_alone() -> None:
    driven = drive(DROP, 50, perfect([0.2] * 30 + [0.9] + [0.2] * 19, "rate"))
    assert driven.order[0] == 30 and len(driven.questions) == 1
    assert driven.scores is not None and driven.scores[30] == pytest.approx(1.9)
