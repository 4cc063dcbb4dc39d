"""Pairs scored by servers: windows go on side by side, lists come out in their order, and no more is read than is needed."""

import threading
import time

import numpy as np
import pytest
from counted_model import DESCRIPTION
from inference.loopback import Loopback, Reply
from waiting import until

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import Answers
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document
from rerank_cli.errors import WorkFailed
from rerank_cli.http.servers import Servers
from rerank_cli.inference.cache import AnswerCache
from rerank_cli.inference.rerank_servers import SHAPES, RemoteScorer
from rerank_cli.pipeline import Options, rerank
from rerank_cli.pipeline.cached import CachedScorer

DEPTH, SMALL = 8, Options(window_pairs=16)


def lists(n, taken=None):
    """n lists of `DEPTH`; each document's text is its score."""
    for query in range(n):
        if taken is not None:
            taken.append(query)
        docids = np.array([f"{query}-{at}".encode() for at in range(DEPTH)])
        documents = {docid: Document(docid, "", str((query + 3 * at) % 11)) for at, docid in enumerate(docids.tolist())}
        ranking = Ranking(str(query).encode(), docids, np.arange(DEPTH, 0, -1.0))
        yield Candidates(ranking, f"query {query}", documents)


def scoring(after=lambda seen: 0.0):
    """A rerank server: a document's score is the number that it reads."""

    def answer(seen):
        rows = [{"index": at, "relevance_score": float(text)} for at, text in enumerate(seen.json["documents"])]
        return Reply({"results": rows, "usage": {"total_tokens": len(rows)}}, after=after(seen))

    return Loopback(answer)


def remote(urls, **settings):
    servers = Servers(urls, note=pytest.fail, **settings)
    return RemoteScorer(servers, SHAPES["jina"], "m", DESCRIPTION, batch=4)


def expected(query):
    scores = [(query + 3 * at) % 11 for at in range(DEPTH)]
    return [f"{query}-{at}".encode() for at in sorted(range(DEPTH), key=lambda at: (-scores[at], at))]


def left_alone():
    """Return when no thread is left that could ask something."""
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith(("ahead", "side by side"))])


def test_one_request_that_takes_long_holds_up_its_own_list_only(tmp_path):
    """The second list's halves take until the servers have been asked for twenty lists."""

    def asked():
        return {seen.json["query"] for seen in one.posts + two.posts}

    def stuck(seen):
        if seen.json["query"] == "query 1":
            until(lambda: len(asked()) >= 20)
        return 0.01

    with scoring(stuck) as one, scoring(stuck) as two, AnswerCache(tmp_path, 1 << 27, pytest.fail) as store:
        scorer = CachedScorer(remote([one.url, two.url], concurrency=2), store)
        answers = rerank(lists(40), None, scorer, SMALL)
        done = list(answers)
        assert [answer.ranking.qid for answer in done] == [str(query).encode() for query in range(40)]
        assert [answer.ranking.docids.tolist() for answer in done] == [expected(query) for query in range(40)]
        assert len(one.posts) + len(two.posts) == 80
        # Every answer was kept: nothing is asked a second time.
        assert len(list(rerank(lists(40), None, scorer, SMALL))) == 40
        assert len(one.posts) + len(two.posts) == 80


def test_no_more_is_read_than_the_servers_have_room_for():
    """Twelve windows of four lists: three at the servers, three that wait, and those that are read and written."""
    taken = []
    with scoring() as one:
        answers = rerank(lists(1000, taken), None, remote([one.url], concurrency=4), SMALL)
        next(answers)
        time.sleep(0.3)
        assert len(taken) <= 12 * 4
        answers.close()
        left_alone()
        assert len(one.posts) <= 12 * 4 * 2, "a run that was left asks nothing more"


def test_a_window_that_is_left_asks_nothing_more_whoever_still_holds_it():
    """The first window fails while the second is asked; here, as an error's traceback may, somebody holds on to both streams."""
    held, begun, ended, second = [], [], [], threading.Event()

    class Fails:
        under_way = 8

        def stream(self, pairs):
            held.append(self._answers(fails=not held))
            return held[-1]

        def _answers(self, fails):
            begun.append(fails)
            try:
                if fails:
                    assert second.wait(60)
                    raise WorkFailed("no more")
                while True:
                    second.set()
                    time.sleep(0.01)
                    yield Answers(np.array([0]), np.ones(1, np.float32), np.ones(1, int), np.zeros(1, bool), 1)
            finally:
                ended.append(fails)

    with pytest.raises(WorkFailed, match="no more"):
        list(rerank(lists(8), None, Fails(), SMALL))
    until(lambda: len(ended) == len(begun))


def test_what_a_server_refuses_ends_the_run_and_nothing_more_is_asked():
    def refusing(seen):
        return Reply(b"", 400) if seen.json["query"] == "query 5" else honest.answer(seen)

    honest = scoring(lambda seen: 0.02)
    with honest, Loopback(refusing) as one:
        scorer = remote([one.url], concurrency=2)
        with pytest.raises(WorkFailed, match="answered 400"):
            list(rerank(lists(1000), None, scorer, Options(window_pairs=512)))
        left_alone()
        # Nobody says which window's turn comes first: at most the six that are taken, of 128 requests each.
        assert len(one.posts) <= 6 * 128
