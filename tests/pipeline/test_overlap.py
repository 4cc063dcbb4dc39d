"""Three things at once: the order stays, an error comes out where it belongs, nobody waits for what is no longer wanted."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from test_pipeline import SOURCES, WordOverlap, candidates, ranked
from waiting import PATIENCE, until

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import Answers, Pair
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, WorkFailed
from rerank_cli.inference.batching import Row, computed
from rerank_cli.pipeline import Options, rerank
from rerank_cli.pipeline.ahead import ahead


def many(n: int) -> Iterator[Candidates]:
    """n queries that carry their texts."""
    for number in range(n):
        documents = {b"%d-%d" % (number, at): Document(b"", "", f"cats {'dogs ' * at}{number}") for at in range(8)}
        yield Candidates(Ranking.build(b"%d" % number, list(documents), range(8, 0, -1)), f"dogs {number}", documents)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


def all_end() -> None:
    """All threads end, a moment granted."""
    until(lambda: not threads())


def test_answers_come_in_the_order_of_the_input_and_are_those_of_each_query_alone() -> None:
    together = list(rerank(many(40), None, WordOverlap(), Options(window_pairs=30)))
    assert [answer.ranking.qid for answer in together] == [b"%d" % number for number in range(40)]
    for answer, one in zip(together, many(40), strict=True):
        (alone,) = rerank([one], None, WordOverlap(), Options())
        assert ranked(answer) == ranked(alone)
    all_end()


def test_the_next_window_is_prepared_while_this_one_is_scored() -> None:
    prepared = threading.Event()

    class Waits(WordOverlap):
        def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
            if pairs[0].query == "dogs 1":
                prepared.set()
            return self.later(pairs)

        def later(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
            assert prepared.wait(PATIENCE), "the first window's scoring ended before the second was prepared"
            yield from super().stream(pairs)

    assert len(list(rerank(many(2), None, Waits(), Options(window_pairs=8)))) == 2


def test_the_next_window_is_scored_while_this_one_is_written() -> None:
    scored: list[str] = []

    class Remembers(WordOverlap):
        def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
            yield from super().stream(pairs)
            scored.append(pairs[0].query)

    answers = rerank(many(3), None, Remembers(), Options(window_pairs=8))
    next(answers)
    until(lambda: "dogs 1" in scored)
    answers.close()


def test_an_error_in_the_reading_comes_after_the_answers_before_it() -> None:
    def broken() -> Iterator[Candidates]:
        yield from many(3)
        raise BadData("turned bad")

    written = []
    with pytest.raises(BadData, match="turned bad"):
        written.extend(answer.ranking.qid for answer in rerank(broken(), None, WordOverlap(), Options(window_pairs=8)))
    answers = rerank(broken(), None, WordOverlap(), Options(window_pairs=8))
    assert [next(answers).ranking.qid for _ in range(3)] == [b"0", b"1", b"2"]
    with pytest.raises(BadData):
        next(answers)
    all_end()


@pytest.mark.parametrize("when", ["prepared", "scored"])
def test_an_error_in_the_model_or_the_tokenizer_ends_the_run(when: str) -> None:
    class Breaks(WordOverlap):
        def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
            if when == "prepared" and pairs[0].query == "dogs 2":
                raise WorkFailed("no more")
            return self.later(pairs)

        def later(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
            if pairs[0].query == "dogs 2":
                raise WorkFailed("no more")
            yield from super().stream(pairs)

    with pytest.raises(WorkFailed, match="no more"):
        list(rerank(many(100), None, Breaks(), Options(window_pairs=8)))
    all_end()


def test_who_stops_early_does_not_wait_for_the_input() -> None:
    more = threading.Event()

    def slow() -> Iterator[Candidates]:
        yield candidates()
        more.wait(PATIENCE)
        yield candidates(qid=b"2")

    answers = rerank(slow(), SOURCES, WordOverlap(), Options(window_pairs=1))
    next(answers)
    answers.close()
    assert threads(), "the input is still being read"
    more.set()
    all_end()


def test_a_closed_iterator_asks_for_no_more() -> None:
    made = []

    def endless() -> Iterator[int]:
        while True:
            made.append(1)
            yield len(made)

    items = ahead(endless(), 2)
    assert [next(items) for _ in range(3)] == [1, 2, 3]
    items.close()
    all_end()
    assert len(made) <= 3 + 2 + 2


def test_batches_at_once_give_each_row_its_own_answer_and_no_more_wait_than_there_are_workers() -> None:
    class Slow:
        workers = 3

        def __init__(self) -> None:
            self.begun = 0

        def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
            self.begun += 1
            time.sleep(0.002 * (batch["input_ids"][0, 0] % 5))
            return (batch["input_ids"] * batch["attention_mask"]).sum(1).astype(np.float32)

    rows = [Row(np.full(1 + at % 7, at), None, False) for at in range(60)]
    backend = Slow()
    values = {}
    for taken, (positions, batch) in enumerate(computed(backend, rows, ("input_ids", "attention_mask"), 0, 8), 1):
        assert backend.begun - taken < backend.workers, "a batch was begun although one that is done was not taken yet"
        values |= dict(zip(positions.tolist(), batch.tolist(), strict=True))
    assert values == {at: float(row.ids.sum()) for at, row in enumerate(rows)}


def test_a_long_run_holds_a_few_windows_and_no_more() -> None:
    def held(n: int) -> int:
        tracemalloc.start()
        for answer in rerank(many(n), None, WordOverlap(), Options(window_pairs=64)):
            assert len(answer.ranking) == 8
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    held(100)
    assert held(3000) < 1.5 * held(300) + 300_000
