"""Models of pairs and of whole lists as answerers of slates, so that every ranking algorithm runs with them.

A pair's score does not depend on the slate it is in: it is asked for once a query, however many slates hold it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rerank_cli.core.protocols import Lengths, ListScorer, Pair, Ranker, Reply, Scorer, Slate, gathered

#: Pairs whose scores are remembered; beyond it the oldest are forgotten.
_REMEMBERED = 1 << 17


def as_ranker(scorer: Scorer | ListScorer | Ranker) -> Ranker:
    """The model as a `Ranker`: itself, or its ratings as replies."""
    if isinstance(scorer, Ranker):
        return scorer
    return RatedLists(scorer) if isinstance(scorer, ListScorer) else ScoredPairs(scorer)


class _Rating:
    asks: Any = "rate"
    most: int | None = None
    at_once = 1
    strategy = ""
    settings: Mapping[str, Any] = {}


class ScoredPairs(_Rating):
    """A `Ranker` over a `Scorer`."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._scores: dict[Pair, float] = {}

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """See `Ranker.answer`; the distinct pairs of all slates that were not asked before go through the model."""
        fresh, owner = self._fresh(slates)
        costs = gathered(self._scorer.stream(fresh), len(fresh)) if fresh else None
        tokens = np.zeros(len(slates), np.int64)
        truncated, cached, asked, repaired = (np.zeros(len(slates), np.int64) for _ in range(4))
        if costs is not None:
            self._scores.update(zip(fresh, costs.values.astype(np.float64).tolist()))
            np.add.at(tokens, owner, costs.tokens)
            np.add.at(truncated, owner, costs.truncated)
            np.add.at(cached, owner, costs.cached)
            np.add.at(asked, owner, 1)
            if costs.repaired is not None:
                np.add.at(repaired, owner, costs.repaired)
        for at, slate in enumerate(slates):
            values = np.array([self._scores[Pair(slate.query, text)] for text in slate.documents])
            yield (
                at,
                Reply(
                    values,
                    int(tokens[at]),
                    calls=int(asked[at] - cached[at]),
                    truncated=int(truncated[at]),
                    cached=bool(asked[at] == cached[at]),
                    repaired="wrong_format" if repaired[at] else "",
                ),
            )
        if len(self._scores) > _REMEMBERED:
            self._scores = dict(list(self._scores.items())[-_REMEMBERED // 2 :])

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        """See `Ranker.measure`; a pair that an earlier slate of these holds costs nothing."""
        pairs = dict.fromkeys(Pair(slate.query, text) for slate in slates for text in slate.documents)
        lengths = self._scorer.measure(list(pairs))
        tokens, truncated = np.zeros(len(slates), np.int64), np.zeros(len(slates), bool)
        of_pair = {pair: at for at, pair in enumerate(pairs)}
        for at, slate in enumerate(slates):
            for text in slate.documents:
                number = of_pair.pop(Pair(slate.query, text), None)
                if number is not None:
                    tokens[at] += lengths.tokens[number]
                    truncated[at] |= lengths.truncated[number]
        return Lengths(tokens, truncated)

    def _fresh(self, slates: Sequence[Slate]) -> tuple[list[Pair], np.ndarray]:
        """Pairs that have no score yet, and the first slate that holds each."""
        fresh: dict[Pair, int] = {}
        for at, slate in enumerate(slates):
            for text in slate.documents:
                pair = Pair(slate.query, text)
                if pair not in self._scores:
                    fresh.setdefault(pair, at)
        return list(fresh), np.fromiter(fresh.values(), np.int64, len(fresh))


class RatedLists(_Rating):
    """A `Ranker` over a `ListScorer`: each slate is a list of its own."""

    def __init__(self, scorer: ListScorer) -> None:
        self._scorer = scorer

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """See `Ranker.answer`."""
        values, costs, _ = self._scorer.rate(slates)
        bounds = np.cumsum([0, *(len(slate.documents) for slate in slates)])
        for at, own in enumerate(values):
            rows = slice(bounds[at], bounds[at + 1])
            yield (
                at,
                Reply(
                    np.asarray(own, np.float64),
                    int(costs.tokens[rows].sum()),
                    truncated=int(costs.truncated[rows].sum()),
                    cached=bool(costs.cached[rows].all()),
                ),
            )

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        """See `Ranker.measure`."""
        lengths = self._scorer.measure([Pair(slate.query, text) for slate in slates for text in slate.documents])
        bounds = np.cumsum([0, *(len(slate.documents) for slate in slates)])
        parts = [slice(start, stop) for start, stop in itertools.pairwise(bounds)]
        return Lengths(
            np.array([lengths.tokens[part].sum() for part in parts], np.int64),
            np.array([lengths.truncated[part].any() for part in parts], bool),
        )
