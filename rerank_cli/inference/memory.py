"""Batches that fit into memory: one that does not is done in halves, and so is every later one of its size.

How much memory a batch needs depends on the model, the provider and whoever else uses the machine; nobody
knows it beforehand. A score does not depend on the rows beside it, so halving changes nothing but the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rerank_cli.errors import WorkFailed

#: Arrays that belong to all rows of a batch, whichever of them are asked (`methods.graphs.causal_graph`); all others have a
#: row each.
_SHARED = frozenset({"prefix", "lengths", "keep"})


class OutOfMemory(WorkFailed):
    """A backend had no memory for a batch."""


def failed_batch(batch: Mapping[str, Any], why: str, *, is_memory: bool) -> WorkFailed:
    """The error for a batch that a backend could not run: `OutOfMemory` when `is_memory`, else `WorkFailed`."""
    rows, length = batch["input_ids"].shape
    what = f"the model failed on a batch of {rows} x {length} tokens: {why}"
    if is_memory:
        less = "a smaller --max-length or fewer --threads need less memory"
        return OutOfMemory(what, f"a smaller --batch-tokens, {less}" if rows > 1 else less)
    return WorkFailed(what)


def is_memory(error: RuntimeError) -> bool:
    """Whether PyTorch raised `error` for want of memory."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


class WithinMemory:
    """A backend that never gives up a batch of several rows for want of memory; says once that it halves them.

    Raises `OutOfMemory` when a single row does not fit.
    """

    def __init__(self, backend: Any, note: Callable[[str], None]) -> None:
        self._backend = backend
        self._note = note
        #: Tokens that are looked at beyond which a batch is halved before it is tried; none yet.
        self._most: float = float("inf")

    def __getattr__(self, name: str) -> Any:
        """What else there is to know of a backend is its own to say."""
        return getattr(self._backend, name)

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """See `Backend.run`."""
        return self._parts(lambda part: [self._backend.run(part)], batch)[0]

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Every output of a graph that has several: the answers (n, ...), then others that go layer by layer (layers, n, ...)."""
        return self._parts(self._backend.outputs, batch)

    def _parts(
        self, ask: Callable[[dict[str, np.ndarray]], list[np.ndarray]], batch: dict[str, np.ndarray]
    ) -> list[Any]:
        rows, length = batch["input_ids"].shape
        size = rows * (length + (batch["prefix"].shape[3] if "prefix" in batch else 0))
        if rows == 1 or size <= self._most:
            try:
                return ask(batch)
            except OutOfMemory:
                if rows == 1:
                    raise
            first, self._most = self._most == float("inf"), min(self._most, size // 2)
            if first:
                self._note(f"there is no memory for a batch of {rows} x {length} tokens: going on with smaller ones")
        half = rows // 2
        parts = (
            {name: array if name in _SHARED else array[some] for name, array in batch.items()}
            for some in (slice(half), slice(half, None))
        )
        answers = [self._parts(ask, part) for part in parts]
        return [np.concatenate(both, axis=min(at, 1)) for at, both in enumerate(zip(*answers, strict=True))]
