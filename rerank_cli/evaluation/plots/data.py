"""What a picture shows: plain records of names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rerank_cli.evaluation.comparison import Interval


@dataclass(frozen=True, eq=False)
class Differences:
    """One run against another in one measure: `values (Q,)` are run minus baseline, `queries` their Q names."""

    measure: str
    run: str
    baseline: str
    queries: Sequence[str]
    values: np.ndarray
    interval: Interval

    def order(self) -> np.ndarray:
        """Positions from the largest gain to the largest loss, (Q,); equal ones in the order given."""
        return np.argsort(-self.values, kind="stable")

    def summary(self) -> str:
        """One line: how many queries are better, equal and worse, and the mean."""
        better, worse = int((self.values > 0).sum()), int((self.values < 0).sum())
        mean = f"mean {self.values.mean():+.4f} [{self.interval.low:+.4f}, {self.interval.high:+.4f}]"
        return f"{better} better, {len(self.values) - better - worse} equal, {worse} worse; {mean}"


@dataclass(frozen=True)
class Means:
    """One measure: (run, mean, its interval) for each run."""

    measure: str
    runs: Sequence[tuple[str, float, Interval]]


@dataclass(frozen=True)
class Curve:
    """One measure by depth: the base run's value, and for each run its value at each of `depths`."""

    measure: str
    base: str
    base_value: float
    depths: Sequence[int]
    runs: Sequence[tuple[str, Sequence[float]]]
