"""Rankers that know: the relevance is written in the document ("rel 7"). Complete implementations, without a model."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from waiting import PATIENCE

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import Answers, Lengths, Pair, Reply, Slate
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document, MemoryTexts
from rerank_cli.errors import BudgetSpent
from rerank_cli.pipeline import Sources


def relevance(text: str) -> float:
    return float(text.split()[1])


class Knowing:
    """A `Ranker` of any kind; remembers how many slates each call of `answer` held and how many were under way at once.

    It answers nobody until `together` calls have been under way at the same moment.
    """

    def __init__(
        self,
        asks: Any = "order",
        *,
        most: int | None = None,
        at_once: int = 1,
        together: int = 1,
        seconds: float = 0.0,
        strategy: str = "",
        settings: dict[str, Any] | None = None,
        calls_left: int | None = None,
    ) -> None:
        self.asks, self.most, self.at_once = asks, most, at_once
        self.strategy, self.settings = strategy, settings or {}
        self.batches: list[int] = []
        self.most_under_way = 0
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self._together, self._seconds, self._left = together, seconds, calls_left
        self._under_way = 0
        self._lock, self._met = threading.Lock(), threading.Event()

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        with self._lock:
            self.batches.append(len(slates))
            self.asked += [(slate.query, tuple(slate.documents)) for slate in slates]
            self._under_way += 1
            self.most_under_way = max(self.most_under_way, self._under_way)
            if self._under_way == self._together:
                self._met.set()
        self._met.wait(PATIENCE)
        if self._seconds:
            time.sleep(self._seconds)
        for at, slate in enumerate(slates):
            with self._lock:
                if self._left is not None:
                    if self._left == 0:
                        raise BudgetSpent("no more")
                    self._left -= 1
            yield at, Reply(self._values(np.array([relevance(text) for text in slate.documents])), 10, written=2)
        with self._lock:
            self._under_way -= 1

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        return Lengths(np.full(len(slates), 10), np.zeros(len(slates), bool))

    def _values(self, gains: np.ndarray) -> np.ndarray:
        if self.asks == "prefer":
            assert len(gains) == 2
            p = (np.sign(gains[0] - gains[1]) + 1) / 2
            return np.array([p, 1 - p])
        if self.asks == "pick":
            return (np.arange(len(gains)) == gains.argmax()).astype(float)
        if self.asks == "order":
            return np.argsort(np.argsort(gains, kind="stable")) + 1.0
        return gains


class Scoring:
    """A `Scorer`; counts the pairs that it scored."""

    def __init__(self) -> None:
        self.pairs = 0

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        self.pairs += len(pairs)
        values = np.array([relevance(pair.document) for pair in pairs], dtype=np.float32)
        yield Answers(np.arange(len(pairs)), values, *self.measure(pairs), 1)

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        return Lengths(np.full(len(pairs), 5), np.zeros(len(pairs), bool))


def lists(queries: int, n: int, seed: int = 0) -> tuple[list[Candidates], Sources, dict[bytes, list[bytes]]]:
    """Queries with n documents of distinct relevance in a random order: candidates, texts, and each list in its true order."""
    rng = np.random.default_rng(seed)
    candidates, documents, truth = [], {}, {}
    for number in range(queries):
        qid = b"q%d" % number
        gains = rng.permutation(n)
        ids = [b"q%d-%d" % (number, at) for at in range(n)]
        documents |= {docid: Document(docid, "", f"rel {gain}") for docid, gain in zip(ids, gains)}
        candidates.append(Candidates(Ranking.build(qid, ids, [float(n - at) for at in range(n)])))
        truth[qid] = [ids[at] for at in np.argsort(-gains)]
    topics = {one.ranking.qid: one.ranking.qid.decode() for one in candidates}
    return candidates, Sources(topics, MemoryTexts(documents), "{title} {text}", "collection test"), truth


def docids(ranking: Ranking) -> list[bytes]:
    return [bytes(docid) for docid in ranking.docids]
