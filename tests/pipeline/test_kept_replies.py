"""A ranker with a memory: each slate paid for once, kept before it is used, and never another slate's reply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from counted_model import DESCRIPTION
from knowing import Knowing, docids, lists

from rerank_cli.core.protocols import Reply, Slate
from rerank_cli.inference.cache import AnswerCache
from rerank_cli.pipeline import Options, estimate_asked, planned, rerank
from rerank_cli.pipeline.kept_replies import KeptReplies


class Described(Knowing):
    """A ranker that says what it is."""

    checkpoint, description, tokenizer = "knowing", DESCRIPTION, None


@pytest.fixture
def cache(tmp_path):
    with AnswerCache(tmp_path / "answers", 1 << 30, lambda text: pytest.fail(text)) as store:
        yield store


def slate(
    *documents: str, query: str = "q", first: tuple[float, ...] | None = None, at: tuple[int, ...] | None = None
) -> Slate:
    n = len(documents)
    return Slate(query, documents, np.array(first or range(n, 0, -1), float), np.array(at or range(n)))


def replies(ranker, *slates):
    found = dict(ranker.answer(slates))
    return [found[at] for at in range(len(slates))]


def test_a_second_run_asks_nothing_and_writes_the_same_lists(cache) -> None:
    candidates, sources, _ = lists(6, 30)

    def ranked(ranker):
        plan = planned(ranker, "heapsort", {"fanout": 3})
        return list(rerank(candidates, sources, ranker, Options(), plan))

    first = ranked(KeptReplies(Described("order"), cache))
    model = Described("order")
    again = ranked(KeptReplies(model, cache))
    assert [docids(answer.ranking) for answer in again] == [docids(answer.ranking) for answer in first]
    assert model.batches == []
    assert all(answer.stats.cached == answer.stats.questions > 0 == answer.stats.calls for answer in again)
    assert [a.stats.tokens for a in again] == [a.stats.tokens for a in first]


def test_an_estimate_knows_which_replies_are_kept(cache) -> None:
    candidates, sources, _ = lists(4, 30)
    ranker = KeptReplies(Described("order"), cache)
    plan = planned(ranker, "single", {})
    list(rerank(candidates[1:], sources, ranker, Options(), plan))
    cost = estimate_asked(candidates, sources, ranker, plan, Options())
    assert (cost.questions, cost.cached) == (4, 3)


def test_a_run_that_broke_off_pays_again_for_nothing_that_had_arrived(cache) -> None:
    candidates, sources, _ = lists(8, 40)

    class Breaks(Described):
        left = 13

        def answer(self, slates):
            for at, reply in super().answer(slates):
                if not self.left:
                    raise KeyboardInterrupt
                self.left -= 1
                yield at, reply

    def run(ranker):
        return list(rerank(candidates, sources, KeptReplies(ranker, cache), Options(), planned(ranker, "sliding", {})))

    with pytest.raises(KeyboardInterrupt):
        run(Breaks("order"))
    model = Described("order")
    answers = run(model)
    assert sum(answer.stats.questions for answer in answers) == 8 * 3
    assert sum(model.batches) == 8 * 3 - 13


def test_every_part_of_a_question_parts_the_replies(cache) -> None:
    ranker = KeptReplies(Described("order"), cache)
    one = slate("rel 1", "rel 2")
    others = [
        slate("rel 2", "rel 1"),
        slate("rel 1", "rel 2", query="other"),
        slate("rel 1", "rel 2", "rel 0"),
        slate("rel 1", "rel 2", at=(5, 3)),
    ]
    replies(ranker, one)
    assert [reply.cached for reply in replies(ranker, one, *others)] == [True, False, False, False, False]
    other = Described("order")
    other.description = replace(DESCRIPTION, model_hash="another")
    assert not replies(KeptReplies(other, cache), one)[0].cached


def test_first_scores_part_the_replies_of_a_model_that_reads_them(cache) -> None:
    class Reads(Described):
        uses_first_stage = True

    one, two = slate("rel 1", "rel 2", first=(9.0, 8.0)), slate("rel 1", "rel 2", first=(9.0, 7.0))
    assert [
        r.cached
        for r in replies(KeptReplies(Described("order"), cache), one)
        + replies(KeptReplies(Described("order"), cache), two)
    ] == [False, True]
    reading = KeptReplies(Reads("order"), cache)
    replies(reading, one)
    assert not replies(reading, two)[0].cached


def test_a_reply_comes_back_whole_and_one_that_says_nothing_is_not_kept(cache) -> None:
    class Says(Described):
        def answer(self, slates):
            self.batches.append(len(slates))
            for at, one in enumerate(slates):
                values = np.full(len(one.documents), np.nan) if one.query == "?" else np.array([0.1, np.nan, -3.5])
                yield at, Reply(values, 7, 3, 1, 2, repaired="repetition", reason="the third is\nabout é \ud800")

    model = Says("rate")
    ranker = KeptReplies(model, cache)
    one, nothing = slate("a", "b", "c"), slate("a", "b", "c", query="?")
    (fresh, again), _ = replies(ranker, one, one), replies(ranker, nothing)
    (kept,) = replies(ranker, one)
    for reply in (fresh, again, kept):
        assert reply.values.tolist()[::2] == [0.1, -3.5] and np.isnan(reply.values[1])
        assert (reply.tokens, reply.written, reply.truncated, reply.repaired) == (7, 3, 2, "repetition")
        assert reply.reason == "the third is\nabout é \ud800"
    assert [(r.calls, r.cached) for r in (fresh, again, kept)] == [(1, False), (0, True), (0, True)]
    asked = sum(model.batches)
    replies(ranker, nothing)
    assert sum(model.batches) == asked + 1
