"""What methods that rate whole lists share: an answer to pairs, each query's as one list, and how lists are accounted for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rerank_cli.core.protocols import Answers, Lengths, Pair, Ratings, Scores, Slate, gathered
from rerank_cli.inference.batching import Row
from rerank_cli.methods.pointwise import Description, lengths


class ListRater(ABC):
    """A `core.protocols.ListScorer` that answers pairs too, as far as they can be answered without a first stage."""

    #: The model's tokenizer, for who must cut a text where the model would.
    tokenizer: Any = None
    #: Whether the incoming scores are a part of the answer.
    uses_first_stage = False

    def __init__(self, description: Description, name: str) -> None:
        self.description = description
        self.checkpoint = name

    @abstractmethod
    def rate(self, slates: Sequence[Slate]) -> Ratings:
        """See `ListScorer.rate`."""

    @abstractmethod
    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `ListScorer.measure`."""

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """The pairs of each query as one list without a first stage: how exports are compared and speed is measured."""
        places: dict[str, list[int]] = {}
        for at, pair in enumerate(pairs):
            places.setdefault(pair.query, []).append(at)
        slates = [
            Slate(query, [pairs[at].document for at in own], np.zeros(len(own)), np.arange(len(own)))
            for query, own in places.items()
        ]
        costs = self.rate(slates).costs
        positions = np.array([at for own in places.values() for at in own], dtype=np.int64)
        yield Answers(positions, costs.values.astype(np.float32), costs.tokens, costs.truncated, costs.calls)

    def score(self, pairs: Sequence[Pair]) -> Scores:
        """What `stream` answers, in the pairs' order."""
        return gathered(self.stream(pairs), len(pairs))


def ratings(
    values: list[np.ndarray], rows: Sequence[Sequence[Row]], told: list[dict[str, Any]] | None = None
) -> Ratings:
    """`Ratings` of lists that were each one call: values (n,) and the rows of each list's documents."""
    tokens, truncated = lengths([row for own in rows for row in own])
    whole = np.concatenate([np.zeros(0), *values])
    calls = sum(len(own) > 0 for own in rows)
    return Ratings(
        values, Scores(whole, tokens, truncated, np.zeros(len(whole), bool), calls), told or [{} for _ in rows]
    )
