"""Blocks: every document in one, all of them connected, no more than stated; and the order that their answers make."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import constant, cyclic, drive, forgetful, ideal, noisy, nothing, perfect, shuffled_gains

from rerank_cli.aggregation.rules import rules
from rerank_cli.strategies import Settings, strategy_named
from rerank_cli.strategies.designs import dealt, joined, latin, triangular

NAMES = ["blocks", "blocks-random", "blocks-latin", "blocks-triangular"]


def blocks_of(name: str, n: int, seed: int = 0, **told) -> list[tuple[int, ...]]:
    return drive(strategy_named(name), n, perfect(shuffled_gains(n)), Settings(**told), seed).questions


def reached(blocks: list[tuple[int, ...]]) -> set[int]:
    """Who can be reached from the first document of the first block."""
    found, grown = set(blocks[0]), True
    while grown:
        wider = found.union(*(block for block in blocks if found & set(block)))
        grown, found = len(wider) > len(found), wider
    return found


@pytest.mark.parametrize("name", NAMES)
@given(n=st.integers(2, 150), size=st.integers(2, 40), replicas=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_everybody_is_in_a_block_and_all_hang_together(name: str, n: int, size: int, replicas: int, seed: int) -> None:
    blocks = blocks_of(name, n, seed, window=size, passes=replicas)
    assert reached(blocks) == set(range(n))
    if name in ("blocks", "blocks-random"):
        assert max(map(len, blocks)) <= max(size, 2)
        if n > size and replicas > 1:
            assert len(blocks) == math.ceil(replicas * n / size)
            assert all(len(block) == size for block in blocks)


@pytest.mark.parametrize(
    ("n", "size", "replicas", "calls"),
    [(100, 20, 4, 20), (1000, 100, 3, 30), (100, 10, 2, 20), (15, 20, 3, 3), (7, 3, 2, 5)],
)
def test_calls_of_the_paper(n: int, size: int, replicas: int, calls: int) -> None:
    assert len(blocks_of("blocks", n, window=size, passes=replicas)) == calls


def test_dealt_blocks_hold_each_document_equally_often() -> None:
    blocks = blocks_of("blocks", 100, window=20, passes=4)
    assert np.bincount(np.concatenate(blocks)).tolist() == [4] * 100
    ragged = dealt(101, 20, 3, np.random.default_rng(0))
    assert set(np.bincount(np.concatenate(ragged))) == {3, 4}, "rounded up: nobody has fewer"


def test_two_replicas_of_a_square_are_its_rows_and_columns() -> None:
    blocks = blocks_of("blocks", 9, window=3)
    assert blocks == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8)] == latin(9)
    assert latin(5) == [(0, 1, 2), (3, 4), (0, 3), (1, 4)], "a square that is not full"


def test_any_two_rows_of_a_triangular_table_share_one_document() -> None:
    blocks = triangular(10)
    assert len(blocks) == 5 and all(len(block) == 4 for block in blocks)
    assert all(len(set(one) & set(other)) == 1 for one, other in itertools.combinations(blocks, 2))
    assert np.bincount(np.concatenate(blocks)).tolist() == [2] * 10


def test_one_replica_is_parts_and_what_links_them() -> None:
    blocks = blocks_of("blocks", 12, window=3, passes=1)
    assert sorted(itertools.chain(*blocks[:4])) == list(range(12))
    assert len(blocks) == 4 + 2, "three more parts, two of them a link"
    assert len(blocks_of("blocks", 13, window=3, passes=1)) == 4 + 2, "a part of one is asked in its link only"


def test_what_falls_apart_is_joined_without_a_block_more() -> None:
    apart = [[0, 1, 2], [2, 1, 0], [3, 4], [4, 3]]
    whole = joined(6, [*apart])
    assert reached(whole) == set(range(6)) and [len(block) for block in whole] == [3, 3, 2, 2]
    pairs = joined(8, [[one, one + 1] for one in (0, 2, 4, 6)] + [[one + 1, one] for one in (0, 2, 4, 6)])
    assert reached(pairs) == set(range(8)) and len(pairs) == 8, "each part has one place to spare"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 20])
def test_one_block_is_the_order_itself(name: str, n: int) -> None:
    gains = shuffled_gains(n)
    driven = drive(strategy_named(name), n, perfect(gains))
    assert len(driven.rounds) == (n > 1)
    if name in ("blocks", "blocks-random"):
        assert driven.order == ideal(gains)


@pytest.mark.parametrize("rule", ["pagerank", "win-rate", "bradley-terry"])
def test_a_model_that_knows_puts_nearly_the_best_on_top(rule: str) -> None:
    gains = shuffled_gains(100, seed=5)
    driven = drive(strategy_named("blocks"), 100, perfect(gains), Settings(passes=4, aggregate_by=rule))
    assert driven.order[0] == ideal(gains)[0]
    assert len(set(driven.order[:10]) & set(ideal(gains)[:10])) >= 7


@pytest.mark.parametrize("rule", rules())
def test_any_answers_end_in_an_order(rule: str) -> None:
    strategy, gains, told = strategy_named("blocks"), shuffled_gains(30), Settings(window=6, aggregate_by=rule)
    for oracle in (noisy(gains), cyclic(30), forgetful(gains), perfect(gains, "pick"), constant()):
        driven = drive(strategy, 30, oracle, told)
        assert driven.scores is not None and np.isfinite(driven.scores).all()
    unread = drive(strategy, 30, nothing, told)
    assert unread.order == list(range(30)) and unread.scores is None


def test_a_block_that_was_not_asked_counts_for_nothing() -> None:
    knows = perfect([1, 2, 3, 4, 5, 6, 7, 8, 9])
    driven = drive(
        strategy_named("blocks"),
        9,
        lambda block: knows(block) if block == (3, 4, 5) else nothing(block),
        Settings(window=3),
    )
    assert driven.order == [5, 4, 3, 0, 1, 2, 6, 7, 8]
