"""The window rule, on the lengths where implementations differ, and how far one pass carries the best."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import drive, ideal, perfect, shuffled_gains

from rerank_cli.errors import WrongUsage
from rerank_cli.strategies import Settings, strategy_named
from rerank_cli.strategies.sliding import windows

SLIDING = strategy_named("sliding")


@pytest.mark.parametrize(
    ("n", "window", "step", "calls", "last", "rankgpt_calls", "rankgpt_last"),
    [
        (100, 20, 10, 9, (0, 20), 9, (0, 20)),
        (95, 20, 10, 9, (0, 15), 8, (5, 25)),
        (25, 20, 10, 2, (0, 15), 1, (5, 25)),
        (15, 20, 10, 1, (0, 15), 0, None),
        (100, 20, 15, 7, (0, 10), 6, (5, 25)),
        (10, 20, 10, 1, (0, 10), 0, None),
        (100, 10, 5, 19, (0, 10), 19, (0, 10)),
    ],
)
def test_windows_and_calls(
    n: int,
    window: int,
    step: int,
    calls: int,
    last: tuple[int, int],
    rankgpt_calls: int,
    rankgpt_last: tuple[int, int] | None,
) -> None:
    settings = Settings(window=window, step=step)
    driven = drive(SLIDING, n, perfect(range(n, 0, -1)), settings)
    # The model agrees with the incoming order, so a question's positions are its slots.
    assert len(driven.questions) == calls and driven.questions[-1] == tuple(range(*last))
    driven = drive(SLIDING, n, perfect(range(n, 0, -1)), Settings(window=window, step=step, compat="rankgpt"))
    assert len(driven.questions) == rankgpt_calls
    assert not driven.questions or driven.questions[-1] == tuple(range(*rankgpt_last or ()))


def test_windows_of_one_query_follow_one_another() -> None:
    driven = drive(SLIDING, 100, perfect(shuffled_gains(100)))
    assert len(driven.rounds) == 9 and all(len(asked) == 1 for asked in driven.rounds)
    assert all(len(question) == 20 for question in driven.questions)


@pytest.mark.parametrize(("passes", "right", "wrong"), [(1, 10, 11), (2, 20, 21), (10, 100, None)])
@pytest.mark.parametrize("seed", range(5))
def test_a_pass_puts_window_less_step_right(passes: int, right: int, wrong: int | None, seed: int) -> None:
    gains = shuffled_gains(100, seed)
    driven = drive(SLIDING, 100, perfect(gains), Settings(window=20, step=10, passes=passes))
    assert driven.order[:right] == ideal(gains)[:right] and len(driven.questions) == 9 * passes
    # From the worst of all orders not one more is right.
    worst = drive(SLIDING, 100, perfect(range(100)), Settings(window=20, step=10, passes=passes))
    assert worst.order[:right] == list(range(99, 99 - right, -1))
    assert wrong is None or worst.order[wrong - 1] != 100 - wrong


def test_rankgpt_never_reads_a_head_shorter_than_a_step() -> None:
    driven = drive(SLIDING, 95, perfect(range(95)), Settings(compat="rankgpt"))
    assert driven.order[:5] == [0, 1, 2, 3, 4] and driven.order[5] == 94


def test_the_best_order_on_the_way_has_every_window_so_far() -> None:
    driven = drive(SLIDING, 100, perfect(range(100)))
    assert driven.bests[0] == list(range(100))
    assert driven.bests[1] == [*range(80), *range(99, 79, -1)]


@given(st.integers(0, 200), st.integers(2, 30), st.data())
def test_the_formula(n: int, window: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, window - 1))
    calls = 0 if n < 2 else 1 if n <= window else 1 + -(-(n - window) // step)
    assert len(windows(n, Settings(window=window, step=step))) == calls


def test_a_smaller_window_moves_by_half_of_it() -> None:
    assert windows(10, Settings(window=4)) == [(6, 10), (4, 8), (2, 6), (0, 4)]


def test_a_step_as_wide_as_the_window_asks_about_no_single_document() -> None:
    assert windows(21, Settings(window=20, step=20)) == [(1, 21)]


@pytest.mark.parametrize("settings", [Settings(window=1), Settings(window=5, step=6)])
def test_windows_that_leave_documents_out_are_refused(settings: Settings) -> None:
    with pytest.raises(WrongUsage, match="leaves documents out"):
        SLIDING.count(100, settings)
