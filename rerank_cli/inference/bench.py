"""How fast a model is here, where the time goes, and how near that is to what the machine can do.

The machine's peak is measured, not looked up: the product of two matrices, in numpy's library, on as many threads. A
transformer is little else than such products, so its share of that peak says how much is left to gain. Large products
keep many threads busy; small ones are over before another process gets its turn, on a machine that does other things too.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Pair, Scorer, gathered
from rerank_cli.errors import WorkFailed

#: Pairs at the beginning that warm the model up, and as many that are timed alone.
WARM, ALONE = 2, 7
#: Batches whose operations are counted, spread over all.
_COUNTED = 3
_PEAK = """
import os, sys, time
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = sys.argv[1]
import numpy
def seconds(a):
    began = time.perf_counter()
    a @ a
    return time.perf_counter() - began
def rate(n, times):
    a = numpy.random.default_rng(0).random((n, n), dtype=numpy.float32)
    return 2 * n**3 / min(seconds(a) for _ in range(times))
print(max(rate(384, 200), rate(1536, 8)))
"""


class Watched:
    """A backend that remembers its batches and the seconds that each of them took."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.batches: list[tuple[dict[str, np.ndarray], float]] = []

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """See `Backend.run`."""
        return self._watched(self._backend.run, batch)

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Every output of the graph."""
        return self._watched(self._backend.outputs, batch)

    def _watched(self, work: Callable[[dict[str, np.ndarray]], Any], batch: dict[str, np.ndarray]) -> Any:
        began = time.perf_counter()
        answer = work(batch)
        self.batches.append((batch, time.perf_counter() - began))
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class Speed(NamedTuple):
    """What was measured. Rates are of tokenising and scoring one after the other, as no run with several windows does.

    `model_seconds` is the mean over the backend's workers; `operations` (a second) of the model while a batch runs,
    `peak` the machine's, or None where it cannot be told (a GPU).
    """

    pairs: int
    tokens: int
    truncated: int
    batches: int
    latency: float
    tokenise_seconds: float
    model_seconds: float
    other_seconds: float
    operations: float
    peak: float | None

    @property
    def seconds(self) -> float:
        """All stages."""
        return self.tokenise_seconds + self.model_seconds + self.other_seconds


def speed(scorer: Scorer, watched: Watched, pairs: Sequence[Pair], threads: int) -> Speed:
    """Score `pairs` once, no text twice, and say how long each stage took; `pairs` holds WARM + ALONE more than are counted."""
    _scored(scorer, pairs[:WARM])
    alone = pairs[WARM : WARM + ALONE]
    latency = statistics.median(_timed(lambda pair=pair: _scored(scorer, [pair])) for pair in alone)  # type: ignore[misc]
    pairs = pairs[WARM + ALONE :]
    watched.batches.clear()
    began = time.perf_counter()
    lengths = scorer.measure(pairs)
    tokenised = time.perf_counter() - began
    scoring = _timed(lambda: _scored(scorer, pairs))
    model = sum(seconds for _, seconds in watched.batches) / watched.workers
    counted = watched.batches[:: max(1, len(watched.batches) // _COUNTED)]
    each = sum(watched.operations(batch) for batch, _ in counted) / sum(seconds for _, seconds in counted)
    return Speed(
        len(pairs),
        int(lengths.tokens.sum()),
        int(lengths.truncated.sum()),
        len(watched.batches),
        latency,
        tokenised,
        model,
        max(0.0, scoring - model),
        each * watched.workers,
        peak(threads) if watched.device.kind == "cpu" else None,
    )


def peak(threads: int) -> float:
    """The machine's floating-point operations a second in a product of matrices on `threads`; takes a second, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", _PEAK, str(threads)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorkFailed(f"the machine's peak cannot be measured: {done.stderr.strip().splitlines()[-1:]}")
    return float(done.stdout)


def _scored(scorer: Scorer, pairs: Sequence[Pair]) -> None:
    gathered(scorer.stream(pairs), len(pairs))


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
