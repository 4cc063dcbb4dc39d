"""Is the graph the model? Both score the same pairs; the largest difference and the agreement of the orders tell."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.export.sample import sample, sizes
from rerank_cli.inference.devices import Device
from rerank_cli.methods.exported import Record


class Agreement(NamedTuple):
    """What a comparison found: `difference` in the units of the score, `tau` (Kendall, mean over queries), the largest |score|."""

    difference: float
    tau: float
    largest: float
    pairs: int


class ReferenceBackend:
    """The checkpoint's own forward pass as a backend: slow, obvious, on the CPU."""

    engine = provider = "torch"
    device = Device("cpu")
    workers = 1

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self._answer = answer

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """See `Backend.run`."""
        import torch

        with torch.inference_mode():
            numbers: np.ndarray = self._answer({k: torch.from_numpy(v) for k, v in batch.items()}).float().numpy()
        return numbers


def answers(record: Record, tokenizer: Any, backend: Any) -> np.ndarray:
    """The sample's scores (n,) float64 through a backend, at no more than 512 tokens a pair."""
    from rerank_cli.methods import method_named

    scorer = method_named(record.method).scorer(record, tokenizer, backend, min(512, record.max_length), None)
    return scorer.score(sample()).values.astype(np.float64)


def agreement(wanted: np.ndarray, got: np.ndarray) -> Agreement:
    """Compare two lists of the sample's scores."""
    difference = float(np.abs(wanted - got).max()) if np.isfinite(got).all() else float("inf")
    bounds = np.cumsum([0, *sizes()])
    largest = float(np.abs(wanted).max())
    # Two documents cut to the same words are equal but for the last bits, which depend on their places in a batch.
    taus = [kendall(wanted[i:j], got[i:j], tie=1e-6 * max(1.0, largest)) for i, j in itertools.pairwise(bounds)]
    return Agreement(difference, float(np.mean(taus)), largest, len(wanted))


def kendall(a: np.ndarray, b: np.ndarray, tie: float = 0.0) -> float:
    """Kendall's tau-b of two lists of scores, equal within `tie`; 1.0 when neither tells any two apart. O(n^2)."""
    i, j = np.triu_indices(len(a), 1)
    x, y = (np.sign(one) * (np.abs(one) > tie) for one in (a[i] - a[j], b[i] - b[j]))
    scale = np.sqrt(np.count_nonzero(x) * np.count_nonzero(y))
    return float((x * y).sum() / scale) if scale else float(not x.any() and not y.any())
