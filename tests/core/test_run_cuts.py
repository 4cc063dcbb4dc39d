"""How a run is cut: every query in exactly one shard, the same cut in every process, no stretch dearer than need be."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.run import Ranking
from rerank_cli.core.shards import Shard, Share, by_cost, by_position, candidates_words
from rerank_cli.core.texts import Document
from rerank_cli.errors import WrongUsage

costs = st.lists(st.integers(1, 10**12), max_size=12).map(lambda values: np.array(values, dtype=np.int64))


def share(shard: Shard, positions: range, items: list[bytes]) -> tuple[list[bytes], Share]:
    one = Share(shard, "queries", positions)
    return list(one.of(items, lambda item: [item])), one


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 60))
def test_every_query_is_in_one_shard_and_its_place_is_known(queries: int, n: int) -> None:
    items = [b"q%d" % number for number in range(queries)]
    place = {}
    for number in range(1, n + 1):
        mine, one = share(Shard(number, n), by_position(Shard(number, n)), items)
        assert one.count(queries) == len(mine)
        told = one.facts()
        for k, item in enumerate(mine):
            assert item not in place
            place[item] = told["first"] + k * told["step"]
    assert sorted(place, key=place.__getitem__) == items
    assert sorted(place.values()) == list(range(queries))


@settings(deadline=None)
@given(costs, st.integers(1, 15))
def test_stretches_are_as_even_as_stretches_can_be(each: np.ndarray, n: int) -> None:
    parts = [by_cost(Shard(number, n), each) for number in range(1, n + 1)]
    assert [position for part in parts for position in part] == list(range(len(each)))
    dearest = max(int(each[part.start : part.stop].sum()) for part in parts)
    if len(each) <= 8:
        ends = [0, *np.cumsum(each).tolist()]
        inner = range(len(each) + 1)
        cuts = ([0, *cut, len(each)] for size in range(min(n - 1, len(inner)) + 1) for cut in combinations(inner, size))
        assert dearest == min(max((ends[b] - ends[a] for a, b in pairwise(cut)), default=0) for cut in cuts)


def test_of_many_more_shards_than_queries_the_last_are_empty_at_once() -> None:
    each, most = np.array([3, 1, 2], np.int64), 999_999_999
    parts = [by_cost(Shard(number, most), each) for number in (1, 2, 3, 4, most)]
    assert parts == [range(0, 1), range(1, 3), range(3, 3), range(3, 3), range(3, 3)]


@pytest.mark.parametrize("text", ["", "3", "/8", "3/", "0/8", "9/8", "-1/8", "a/8", "1.5/8", "3/8/2", "³/8", "1/0"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="--shard"):
        Shard.read(text)


def test_a_shard_reads_as_it_is_written() -> None:
    assert Shard.read("3/8") == Shard(3, 8)
    assert str(Shard.read("08/8")) == "8/8"


def candidates(docid: bytes, score: float, query: str | None = None, text: str = "") -> Candidates:
    ranking = Ranking.build(b"q", [docid, b"z"], [score, 0.0])
    return Candidates(ranking, query, None if query is None else {docid: Document(docid, "", text)})


def test_the_fingerprint_sees_ids_scores_and_texts_and_is_the_same_for_all_shards() -> None:
    def fingerprint(one: Candidates, number: int = 1) -> str:
        shard = Shard(number, 3)
        passed = Share(shard, "queries", by_position(shard))
        list(passed.of([one], candidates_words))
        told: str = passed.run()["run"]
        return told

    base = candidates(b"a", 1.0)
    others = [candidates(b"b", 1.0), candidates(b"a", 1.5), candidates(b"a", 1.0, "w"), candidates(b"a", 1.0, "w", "t")]
    assert fingerprint(base, 2) == fingerprint(base) == fingerprint(candidates(b"a", 1.0))
    assert len({fingerprint(one) for one in [base, *others]}) == 5


def test_items_are_kept_apart_in_the_fingerprint() -> None:
    one, other = (share(Shard(1, 1), by_position(Shard(1, 1)), items)[1] for items in ([b"ab", b"c"], [b"a", b"bc"]))
    assert one.run() != other.run()
