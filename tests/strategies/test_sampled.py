"""Sampled pairs: which duels are asked, how many, and how near a third of them comes to the whole."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import constant, cyclic, drive, forgetful, ideal, noisy, nothing, perfect, shuffled_gains

from rerank_cli.strategies import Settings, strategy_named

NAMES = ["sampled", "neighbourhood", "skip-window"]


def asked(name: str, n: int, seed: int = 0, **told) -> list[tuple[int, ...]]:
    return drive(strategy_named(name), n, perfect(shuffled_gains(n), "prefer"), Settings(**told), seed).questions


def test_the_neighbourhood_goes_round_the_circle() -> None:
    assert asked("neighbourhood", 4, pairs=2) == [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3), (2, 0), (3, 1)]


def test_the_reference_presents_the_lower_ranked_first() -> None:
    """It numbers documents from the worst: what it calls 0 is the last here."""
    n, m = 7, 2
    worst_first = [(i, (i + j) % n) for j in range(1, m + 1) for i in range(n)]
    expected = {(n - 1 - one, n - 1 - other) for one, other in worst_first}
    assert set(asked("neighbourhood", n, pairs=m, compat="ascending")) == expected
    mirrored = {(other, one) for one, other in asked("neighbourhood", n, pairs=m)}
    assert expected == mirrored, "the same pairs, the other way round"
    assert set(asked("skip-window", n, pairs=m, step=3, compat="ascending")) == {
        (other, one) for one, other in asked("skip-window", n, pairs=m, step=3)
    }


def test_wide_steps_never_meet_themselves_or_the_same_twice() -> None:
    assert asked("skip-window", 6, pairs=4, step=3) == [(i, (i + 3) % 6) for i in range(6)]
    assert asked("skip-window", 5, pairs=2, step=2) == [(i, (i + 2 * j) % 5) for j in (1, 2) for i in range(5)]
    assert asked("skip-window", 4, pairs=1, step=8) == [(i, (i + 1) % 4) for i in range(4)], "not twice round to itself"


@pytest.mark.parametrize(("n", "m"), [(2, 1), (9, 3), (30, 29), (30, 200)])
def test_drawn_opponents(n: int, m: int) -> None:
    duels = asked("sampled", n, pairs=m)
    assert len(set(duels)) == len(duels) == n * min(m, n - 1)
    assert np.bincount([one for one, _ in duels]).tolist() == [min(m, n - 1)] * n
    assert asked("sampled", n, pairs=m) == duels, "the seed decides"
    if m == 3:
        assert asked("sampled", n, seed=1, pairs=m) != duels


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 20, 100])
def test_a_third_of_the_comparisons_by_default(name: str, n: int) -> None:
    assert len(asked(name, n)) == (n * max((n - 1) // 3, 1) if n > 1 else 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_third_orders_nearly_as_well_as_all(name: str) -> None:
    gains = shuffled_gains(100, seed=3)
    driven = drive(strategy_named(name), 100, perfect(gains, "prefer"))
    place = np.empty(100)
    place[driven.order] = np.arange(100)
    assert np.abs(place[ideal(gains)] - np.arange(100)).mean() < 3


@pytest.mark.parametrize("name", NAMES)
def test_any_answers_end_in_an_order(name: str) -> None:
    strategy, gains = strategy_named(name), shuffled_gains(20)
    for oracle in (noisy(gains, "prefer"), cyclic(20, "prefer"), forgetful(gains, "prefer")):
        drive(strategy, 20, oracle)
    for oracle in (nothing, constant("prefer")):
        assert drive(strategy, 20, oracle).order == list(range(20))
