"""Models of pairs and of whole lists as answerers of slates, so that every ranking algorithm runs with them.

A pair's score does not depend on the slate it is in: it is asked for once a query, however many slates hold it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
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
        #: Each pair's score, and whether it was paid for earlier.
        self._scores: dict[Pair, tuple[float, bool]] = {}
        #: Pairs that were measured; of those that were looked for, which are kept.
        self._measured: dict[Pair, None] = {}
        self._kept: dict[Pair, bool] = {}

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """See `Ranker.answer`; the distinct pairs of all slates that were not asked before go through the model."""
        fresh, owner = _fresh(slates, self._scores)
        costs = gathered(self._scorer.stream(fresh), len(fresh)) if fresh else None
        tokens = np.zeros(len(slates), np.int64)
        truncated, cached, asked, repaired = (np.zeros(len(slates), np.int64) for _ in range(4))
        if costs is not None:
            values = costs.values.astype(np.float64).tolist()
            self._scores.update(zip(fresh, zip(values, costs.cached.tolist())))
            np.add.at(tokens, owner, costs.tokens)
            np.add.at(truncated, owner, costs.truncated)
            np.add.at(cached, owner, costs.cached)
            np.add.at(asked, owner, 1)
            if costs.repaired is not None:
                np.add.at(repaired, owner, costs.repaired)
        for at, slate in enumerate(slates):
            scores = [self._scores[pair] for pair in _pairs(slate)]
            yield (
                at,
                Reply(
                    np.array([value for value, _ in scores]),
                    int(tokens[at]),
                    calls=int(asked[at] - cached[at]),
                    truncated=int(truncated[at]),
                    cached=all(earlier for _, earlier in scores),
                    repaired="wrong_format" if repaired[at] else "",
                ),
            )
        self._scores = _remembered(self._scores)

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        """See `Ranker.measure`; a pair that an earlier slate held, of these or of those measured before, costs nothing."""
        fresh, owner = _fresh(slates, self._measured)
        lengths = self._scorer.measure(fresh)
        tokens, truncated = np.zeros(len(slates), np.int64), np.zeros(len(slates), bool)
        np.add.at(tokens, owner, lengths.tokens)
        truncated[owner[lengths.truncated]] = True
        self._measured.update(dict.fromkeys(fresh))
        self._measured = _remembered(self._measured)
        return Lengths(tokens, truncated)

    def kept(self, slates: Sequence[Slate]) -> np.ndarray:
        """Of which slates all pairs' answers are kept, (n,) bool."""
        fresh, _ = _fresh(slates, self._kept)
        self._kept.update(zip(fresh, kept_of(self._scorer, fresh).tolist()))
        found = np.array([all(self._kept[pair] for pair in _pairs(slate)) for slate in slates], bool)
        self._kept = _remembered(self._kept)
        return found


def _fresh(slates: Sequence[Slate], known: Container[Pair]) -> tuple[list[Pair], np.ndarray]:
    """The slates' distinct pairs that are not `known`, and the first slate that holds each."""
    fresh: dict[Pair, int] = {}
    for at, slate in enumerate(slates):
        for pair in _pairs(slate):
            if pair not in known:
                fresh.setdefault(pair, at)
    return list(fresh), np.fromiter(fresh.values(), np.int64, len(fresh))


def _remembered(pairs: dict[Pair, Any]) -> dict[Pair, Any]:
    """`pairs`, or the later half of them when they are too many."""
    return pairs if len(pairs) <= _REMEMBERED else dict(list(pairs.items())[-_REMEMBERED // 2 :])


def kept_of(model: Any, asked: Sequence[Any]) -> np.ndarray:
    """Which of the questions (pairs of a scorer, slates of a ranker) cost nothing because their answers are kept, (n,) bool."""
    kept: np.ndarray = model.kept(asked) if hasattr(model, "kept") else np.zeros(len(asked), bool)
    return kept


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
        """See `Ranker.measure`; each slate is a list of its own here too."""
        each = [self._scorer.measure(_pairs(slate)) for slate in slates]
        return Lengths(
            np.array([own.tokens.sum() for own in each], np.int64),
            np.array([own.truncated.any() for own in each], bool),
        )

    def kept(self, slates: Sequence[Slate]) -> np.ndarray:
        """Which slates cost nothing, (n,) bool."""
        return np.array([kept_of(self._scorer, _pairs(slate)).all() for slate in slates], bool)


def _pairs(slate: Slate) -> list[Pair]:
    return [Pair(slate.query, text) for text in slate.documents]
