"""The pipeline: what is scored, in which order it comes out, and what follows below."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import settled, until

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import Answers, Lengths, Ratings, Scores
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document, MemoryTexts
from rerank_cli.errors import Missing, WrongUsage
from rerank_cli.pipeline import Options, Sources, estimate, rerank


class WordOverlap:
    """A complete Scorer without a model: the number of the query's words in the document. Remembers its batches."""

    def __init__(self):
        self.batches = []

    def measure(self, pairs):
        tokens = np.array([len(f"{q} {d}".split()) for q, d in pairs], dtype=np.int64)
        return Lengths(tokens, tokens > 8)

    def stream(self, pairs):
        self.batches.append(len(pairs))
        values = np.array([len(set(q.split()) & set(d.split())) for q, d in pairs], dtype=np.float32)
        tokens, truncated = self.measure(pairs)
        yield Answers(np.arange(len(pairs)), values, tokens, truncated, 1)


WORDS = ["a", "b", "c", "d", "e"]


def collection(texts, topics):
    documents = {docid: Document(docid, "", text) for docid, text in texts.items()}
    return Sources(topics, MemoryTexts(documents), "{title} {text}", "collection test")


def ranked(answer):
    return [bytes(d).decode() for d in answer.ranking.docids]


SOURCES = collection(
    {b"d1": "nothing", b"d2": "cats", b"d3": "cats and dogs", b"d4": "dogs cats"}, {b"1": "cats dogs", b"2": "and"}
)


def candidates(qid=b"1", docids=(b"d1", b"d2", b"d3", b"d4"), scores=(9.0, 8.0, 7.0, 6.0)):
    return Candidates(Ranking.build(qid, list(docids), list(scores)))


def test_best_first_and_equal_scores_keep_the_order_of_the_input():
    (answer,) = rerank([candidates()], SOURCES, WordOverlap(), Options())
    assert ranked(answer) == ["d3", "d4", "d2", "d1"]
    assert answer.stats.ties == 1
    assert np.all(np.diff(answer.ranking.scores.astype(np.float32)) < 0)


def test_documents_below_the_depth_follow_in_their_old_order_below_the_lowest_score():
    (answer,) = rerank([candidates()], SOURCES, WordOverlap(), Options(depth=2))
    assert ranked(answer) == ["d2", "d1", "d3", "d4"]
    assert answer.ranking.scores[:2].tolist() == [1.0, 0.0]
    assert np.all(np.diff(answer.ranking.scores.astype(np.float32)) < 0)
    assert answer.stats.pairs == 2
    assert answer.stats.ties == 0


def test_the_tail_can_be_dropped_and_the_rows_limited():
    (answer,) = rerank([candidates()], SOURCES, WordOverlap(), Options(depth=2, tail="drop"))
    assert ranked(answer) == ["d2", "d1"]
    (answer,) = rerank([candidates()], SOURCES, WordOverlap(), Options(keep=3))
    assert ranked(answer) == ["d3", "d4", "d2"]


def test_depth_zero_scores_nothing_and_changes_nothing():
    (answer,) = rerank([candidates()], SOURCES, WordOverlap(), Options(depth=0))
    assert ranked(answer) == ["d1", "d2", "d3", "d4"]
    assert answer.ranking.scores.tolist() == [9.0, 8.0, 7.0, 6.0]


def test_interpolation_is_of_min_max_scores_and_treats_steps_as_ties():
    # Model: d1 0, d2 1, d3 2, d4 2 -> 0, .5, 1, 1. First stage: 3, 2, 2 (one step apart), 1 -> 1, .5, .5, 0.
    first = np.array([3.0, 2.0, np.nextafter(np.float32(2), np.float32(0)), 1.0])
    (answer,) = rerank([candidates(scores=first)], SOURCES, WordOverlap(), Options(interpolate=0.75))
    got = dict(zip(ranked(answer), answer.ranking.scores.tolist(), strict=True))
    assert got == pytest.approx({"d1": 0.25, "d2": 0.5, "d3": 0.875, "d4": 0.75})


def test_a_document_without_text_stops_the_run_and_says_how_many():
    with pytest.raises(Missing, match=r"2 of 4 documents have no text in collection test: x1, x2"):
        list(rerank([candidates(docids=(b"d1", b"x1", b"x2", b"d4"))], SOURCES, WordOverlap(), Options()))


@pytest.mark.parametrize(("missing", "expected"), [("tail", ["d4", "d1", "x1", "x2"]), ("drop", ["d4", "d1"])])
def test_documents_without_text_go_last_or_are_left_out_and_are_counted(missing, expected):
    run = [candidates(docids=(b"d1", b"x1", b"x2", b"d4"))]
    (answer,) = rerank(run, SOURCES, WordOverlap(), Options(missing=missing))
    assert ranked(answer) == expected
    assert answer.stats.missing == 2


def test_a_query_without_a_topic_is_named():
    with pytest.raises(Missing, match="query 77 has no topic in collection test"):
        list(rerank([candidates(qid=b"77")], SOURCES, WordOverlap(), Options()))


def test_a_run_that_carries_its_texts_needs_no_collection():
    carried = Candidates(
        Ranking.build(b"9", [b"x", b"y"], [2.0, 1.0]),
        "dogs",
        {b"x": Document(b"x", "", "cats"), b"y": Document(b"y", "", "dogs")},
    )
    (answer,) = rerank([carried], None, WordOverlap(), Options())
    assert ranked(answer) == ["y", "x"]


def test_the_document_that_is_the_query_can_be_left_out():
    sources = collection({b"1": "cats dogs", b"d2": "cats"}, {b"1": "cats dogs"})
    (answer,) = rerank(
        [candidates(docids=(b"1", b"d2"), scores=(2, 1))], sources, WordOverlap(), Options(exclude_self=True)
    )
    assert ranked(answer) == ["d2"]


class InBatches(WordOverlap):
    """The same, some pairs a batch; answers to texts that `kept` names were paid for earlier."""

    def __init__(self, size, kept=()):
        super().__init__()
        self._size, self._kept = size, kept

    def stream(self, pairs):
        old = [at for at, pair in enumerate(pairs) if pair.document in self._kept]
        new = [at for at in range(len(pairs)) if at not in old]
        for places in [old, *(new[i : i + self._size] for i in range(0, len(new), self._size))]:
            tokens, truncated = self.measure([pairs[at] for at in places])
            cached = places is old
            yield Answers(
                np.array(places, int), np.ones(len(places), np.float32), tokens, truncated, int(not cached), cached
            )


def test_calls_are_whole_where_no_other_query_shares_them_and_have_two_decimals_where_it_does():
    run = [candidates(), candidates(qid=b"2", docids=(b"d1", b"d2"), scores=(2, 1))]
    alone = [answer.stats.calls for answer in rerank(run, SOURCES, InBatches(1), Options())]
    assert alone == [4, 2] and all(isinstance(calls, int) for calls in alone)
    shared = [answer.stats.calls for answer in rerank(run, SOURCES, InBatches(4), Options())]
    assert shared == [1.33, 0.67]  # two batches for six pairs


def test_a_query_whose_answers_are_all_kept_took_no_call_of_those_beside_it():
    run = [candidates(docids=(b"d1", b"d2"), scores=(2, 1)), candidates(qid=b"2", docids=(b"d3",), scores=(1,))]
    calls = [answer.stats.calls for answer in rerank(run, SOURCES, InBatches(1, kept={"nothing", "cats"}), Options())]
    assert calls == [0, 1]


def test_an_estimate_counts_what_a_rerank_then_costs():
    run = [candidates(), candidates(qid=b"2", docids=(b"d3",), scores=(1,))]
    cost = estimate(run, SOURCES, WordOverlap(), Options(depth=3))
    answers = list(rerank(run, SOURCES, WordOverlap(), Options(depth=3)))
    assert (cost.queries, cost.pairs) == (2, 4)
    assert cost.tokens == sum(answer.stats.tokens for answer in answers)


def test_the_input_is_read_five_windows_ahead_and_no_further():
    read = []

    def endless():
        while True:
            read.append(1)
            yield candidates(qid=b"%d" % (1 + len(read) % 2))

    answers = rerank(endless(), SOURCES, WordOverlap(), Options(window_pairs=8))
    next(answers)
    until(lambda: len(read) > 2)
    most = settled(lambda: len(read))
    answers.close()
    assert most <= 2 * 5


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), min_size=1, max_size=8),
    st.integers(0, 9),
    st.integers(1, 30),
)
def test_every_document_comes_out_once_whatever_the_window(texts, depth, window):
    documents = {b"d%d" % i: " ".join(words) for i, words in enumerate(texts)}
    sources = collection(documents, {b"%d" % q: WORDS[q] for q in range(4)})
    run = [candidates(b"%d" % q, tuple(documents), range(len(documents), 0, -1)) for q in range(4)]
    options = Options(depth=depth, window_pairs=window)
    answers = list(rerank(run, sources, WordOverlap(), options))
    alone = [next(iter(rerank([one], sources, WordOverlap(), options))) for one in run]
    assert [answer.ranking.qid for answer in answers] == [one.ranking.qid for one in run]
    for answer, single, one in zip(answers, alone, run, strict=True):
        assert sorted(answer.ranking.docids.tolist()) == sorted(one.ranking.docids.tolist())
        assert answer.ranking.docids.tolist() == single.ranking.docids.tolist()
        assert np.all(np.diff(answer.ranking.scores.astype(np.float32)) < 0)


class Places:
    """A ListScorer without a model: a document's score is how many documents of the list stood above it."""

    uses_first_stage = True

    def __init__(self):
        self.seen = []

    def measure(self, pairs):
        return WordOverlap().measure(pairs)

    def rate(self, slates):
        self.seen.append(slates)
        values = [np.arange(len(slate.documents), dtype=float) for slate in slates]
        n = sum(map(len, values))
        costs = Scores(np.zeros(n), np.full(n, 5), np.zeros(n, bool), np.zeros(n, bool), 2)
        return Ratings(values, costs, [{"at": number} for number in range(len(slates))])


def test_lists_keep_to_the_rules_of_what_is_written():
    scorer = Places()
    lists = [candidates(scores=(9.0, 8.0, float(np.nextafter(np.float32(8), np.float32(0))), 6.0)), candidates(b"2")]
    answers = list(rerank(lists, SOURCES, scorer, Options(depth=3, keep=3)))
    assert [ranked(answer) for answer in answers] == [["d3", "d2", "d1"]] * 2
    (slates,) = scorer.seen
    assert [slate.query for slate in slates] == ["cats dogs", "and"]
    assert slates[0].documents == ["nothing", "cats", "cats and dogs"]
    assert slates[0].first_stage.tolist() == [9.0, 8.0, 8.0], "the smallest steps are undone"
    assert [answer.stats.told for answer in answers] == [{"at": 0}, {"at": 1}]
    assert [answer.stats.tokens for answer in answers] == [15, 15]
    assert [answer.stats.calls for answer in answers] == [1.0, 1.0]


def test_a_list_with_a_document_without_text_rates_the_others():
    scorer = Places()
    lists = [candidates(docids=(b"d1", b"gone", b"d3", b"d4"))]
    (answer,) = rerank(lists, SOURCES, scorer, Options(missing="tail"))
    assert ranked(answer) == ["d4", "d3", "d1", "gone"]
    assert scorer.seen[0][0].positions.tolist() == [0, 2, 3]
    assert scorer.seen[0][0].first_stage.tolist() == [9.0, 7.0, 6.0]


def test_a_method_with_the_first_stage_in_it_is_not_interpolated():
    with pytest.raises(WrongUsage, match="--interpolate"):
        list(rerank([candidates()], SOURCES, Places(), Options(interpolate=0.5)))
