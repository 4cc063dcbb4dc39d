"""The border between ranking and models: what a ranking algorithm may ask, what an engine answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class Pair(NamedTuple):
    """One question of a pointwise method: how relevant is this document to this query?"""

    query: str
    document: str


class Lengths(NamedTuple):
    """What pairs cost before any model runs: `tokens (n,)` int64 as scored, `truncated (n,)` bool (the document was cut)."""

    tokens: np.ndarray
    truncated: np.ndarray


class Scores(NamedTuple):
    """Answers to n pairs: `values (n,)` float32, higher is better; `tokens`, `truncated` as in `Lengths`; `calls`, the model's batches."""

    values: np.ndarray
    tokens: np.ndarray
    truncated: np.ndarray
    calls: int


class Scorer(Protocol):
    """A pointwise model. The score of a pair does not depend on the pairs beside it (to 1e-5)."""

    def score(self, pairs: Sequence[Pair]) -> Scores:
        """Score n pairs in whatever batches are quickest; n model calls' worth of work."""
        ...

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """Tokenise only: what `score` would cost."""
        ...


class Backend(Protocol):
    """One loaded graph: token arrays in, numbers out. Knows no query, no document, no ranking."""

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """Run a padded batch of int64 arrays (n, L); returns float32 (n,) for scores, (n, d) for vectors."""
        ...
