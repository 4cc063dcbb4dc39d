"""A scorer with a memory: the same answers as without, each paid for once, and never another question's."""

from dataclasses import fields

import numpy as np
import pytest
from counted_model import DESCRIPTION, CountedModel
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import Answers, Pair
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document
from rerank_cli.inference.cache import AnswerCache
from rerank_cli.pipeline import Options, rerank
from rerank_cli.pipeline.cached import CachedScorer

pytest_plugins = ["tiny_scorers"]

TEXTS = st.sampled_from(["", "a", "b", "ab", "a b", "a\0b", "\ud800", "é", "copper in a mine " * 20])
PAIRS = st.lists(st.builds(Pair, TEXTS, TEXTS), max_size=30)


class Memory(dict):
    """What is kept, in a dictionary."""

    def get(self, keys):
        return [super(Memory, self).get(key) for key in keys]

    def put(self, items):
        self.update(items)


@settings(deadline=None)
@given(st.lists(PAIRS, max_size=5), st.integers(1, 9))
def test_answers_are_those_of_the_model_and_each_pair_is_asked_once(calls, batch):
    model = CountedModel(batch=batch)
    scorer = CachedScorer(model, Memory())
    for pairs in calls:
        before = set(model.asked)
        measured = scorer.measure(pairs)
        scores = scorer.score(pairs)
        assert scores.values.tolist() == model.answers(pairs).tolist()
        assert measured.tokens.tolist() == scores.tokens.tolist() == CountedModel().measure(pairs).tokens.tolist()
        assert measured.truncated.tolist() == scores.truncated.tolist()
        assert scores.cached.tolist() == [pair in before for pair in pairs]
    assert len(model.asked) == len(set(model.asked)) == len({pair for pairs in calls for pair in pairs})


@settings(deadline=None)
@given(PAIRS, PAIRS, st.integers(1, 9))
def test_what_is_kept_comes_first_and_a_batch_is_kept_before_it_is_handed_on(earlier, pairs, batch):
    memory, model = Memory(), CountedModel(batch=batch)
    scorer = CachedScorer(model, memory)
    scorer.score(earlier)
    places = []
    for number, answers in enumerate(scorer.stream(pairs)):
        assert answers.cached is False or (number == 0 and answers.calls == 0)
        places += answers.positions.tolist()
        assert len(memory) == len(set(model.asked))
    assert sorted(places) == list(range(len(pairs)))


def test_what_is_kept_is_not_tokenised_again():
    scorer = CachedScorer(model := CountedModel(), Memory())
    scorer.score([Pair("q", "kept")])
    model.measured.clear()
    asked = [Pair("q", "kept"), Pair("q", "new"), Pair("q", "new")]
    assert scorer.kept(asked).tolist() == [True, False, False]
    scorer.measure(asked)
    scorer.score(asked[:2])
    assert set(model.measured) == {Pair("q", "new")}


#: Whose change leaves every answer as it is.
SAME = {"name": "other", "source": "elsewhere", "revision": "2", "batch_tokens": 7}


@pytest.mark.parametrize("field", [field.name for field in fields(DESCRIPTION)])
def test_a_model_asked_in_another_way_shares_no_answer(field):
    memory = Memory()
    CachedScorer(CountedModel(), memory).score([Pair("q", "d")])
    before = getattr(DESCRIPTION, field)
    other = SAME.get(field, before + 1 if isinstance(before, int) else f"{before}x")
    scores = CachedScorer(CountedModel(**{field: other}), memory).score([Pair("q", "d")])
    assert scores.cached.tolist() == [field in SAME]


def test_one_gpu_knows_what_another_has_answered():
    memory = Memory()
    CachedScorer(CountedModel(device="cuda:0"), memory).score([Pair("q", "d")])
    assert CachedScorer(CountedModel(device="cuda:1"), memory).score([Pair("q", "d")]).cached.all()
    assert not CachedScorer(CountedModel(device="cpu"), memory).score([Pair("q", "d")]).cached.any()


def test_a_document_whose_text_changed_is_asked_anew():
    scorer = CachedScorer(model := CountedModel(), Memory())

    def reranked(text, query="q"):
        documents = {b"d": Document(b"d", "", text)}
        (answer,) = rerank([Candidates(Ranking.build(b"1", [b"d"], [1.0]), query, documents)], None, scorer, Options())
        return answer.stats.cached

    assert [reranked("first"), reranked("first"), reranked("second"), reranked("first")] == [0, 1, 0, 1]
    assert reranked("first", query="another") == 0
    assert len(model.asked) == 3


def test_depth_and_window_find_what_others_paid_for():
    memory = Memory()
    documents = {b"d%d" % n: Document(b"d%d" % n, "", f"text {n}") for n in range(50)}
    run = [
        Candidates(Ranking.build(b"%d" % q, list(documents), range(50, 0, -1)), f"q{q}", documents) for q in range(4)
    ]
    list(rerank(run, None, CachedScorer(CountedModel(), memory), Options(depth=20, window_pairs=1)))
    scorer = CachedScorer(model := CountedModel(batch=7), memory)
    answers = list(rerank(run, None, scorer, Options(depth=50, window_pairs=64)))
    assert [answer.stats.cached for answer in answers] == [20] * 4
    assert len(model.asked) == 4 * 30


def test_an_answer_that_is_no_number_is_not_kept():
    class Overflowing(CountedModel):
        def answers(self, pairs):
            return np.where([pair.document == "bad" for pair in pairs], np.nan, np.float32(1)).astype(np.float32)

    memory = Memory()
    pairs = [Pair("q", "good"), Pair("q", "bad")]
    CachedScorer(Overflowing(), memory).score(pairs)
    assert CachedScorer(CountedModel(), memory).score(pairs).cached.tolist() == [True, False]


def test_a_scorer_with_a_memory_of_its_own_says_so():
    class Remembering(CountedModel):
        def stream(self, pairs):
            n = len(pairs)
            yield Answers(np.arange(n), self.answers(pairs), np.ones(n, np.int64), np.zeros(n, bool), 0, cached=True)

    assert CachedScorer(Remembering(), Memory()).score([Pair("q", "d")]).cached.all()


@pytest.mark.parametrize("name", ["bert-1", "bi-mean"])
def test_a_real_model_answers_the_same_with_and_without(tiny, pairs, tmp_path, name):
    scorer = tiny.scorer(name, batch_tokens=64)
    wanted = scorer.score(pairs)
    with AnswerCache(tmp_path, 1 << 30, pytest.fail) as cache:
        cached = CachedScorer(scorer, cache)
        cached.score(pairs[::3])
        some = cached.score(pairs)
        again = cached.score(pairs)
    assert np.abs(some.values - wanted.values).max() < 1e-5
    assert again.values.tobytes() == some.values.tobytes()
    assert again.tokens.tolist() == wanted.tokens.tolist()
    assert again.truncated.tolist() == wanted.truncated.tolist()
    assert again.calls == 0
    assert again.cached.all()
    assert some.cached.tolist() == [at % 3 == 0 for at in range(len(pairs))]


def test_engines_and_lengths_of_a_real_model_do_not_share(tiny, pairs, tmp_path):
    with AnswerCache(tmp_path, 1 << 30, pytest.fail) as cache:
        CachedScorer(tiny.scorer("bert-1"), cache).score(pairs)
        for other in (tiny.scorer("bert-1", "torch"), tiny.scorer("bert-1", max_length=20), tiny.scorer("bert-2")):
            assert not CachedScorer(other, cache).score(pairs).cached.any()
