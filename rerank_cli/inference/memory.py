"""What does not fit into memory at a time is done in halves, and so is every later batch of its size.

How much memory a batch needs depends on the model, the provider and whoever else uses the machine; nobody
knows it beforehand. An answer does not depend on the rows beside it, so halving changes nothing but the time. Every call
of a model that may be about several rows goes through `Halves`; one row that has no room is an error that names its texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from rerank_cli.core.protocols import Pair, Slate
from rerank_cli.errors import OutOfMemory, WorkFailed, first_line

R = TypeVar("R")
Rows = TypeVar("Rows", np.ndarray, list[int])
#: What ONNX Runtime, its arena, PyTorch, the C++ library and CUDA say when an allocation fails.
_NO_MEMORY = re.compile(
    "failed to allocate memory|can't allocate memory|bad_alloc|out of memory|Available memory of|_ALLOC_FAILED",
    re.IGNORECASE,
)
_LESS = "a smaller --max-length needs less memory; so do fewer --threads, and --precision bf16"


def is_memory(error: BaseException) -> bool:
    """Whether an engine raised `error` for want of memory."""
    # PyTorch's own class has this name; it is not imported for that.
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return known or bool(_NO_MEMORY.search(str(error)))


def failed_batch(batch: Mapping[str, Any], error: BaseException) -> WorkFailed:
    """The error for a batch that an engine could not compute: `OutOfMemory`, or else `WorkFailed`."""
    rows, length = batch["input_ids"].shape
    what = f"the model failed on a batch of {rows} x {length} tokens: {first_line(error)}"
    return OutOfMemory(what, _LESS) if is_memory(error) else WorkFailed(what)


class Halves:
    """A model's calls: those that memory has no room for go on in halves; it is said once, and counted."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._lock = Lock()
        #: Tokens (padded) above which a batch is halved before it is tried; none yet.
        self.most: float = float("inf")
        #: How many calls had no room.
        self.refused = 0

    def done(
        self, ask: Callable[[np.ndarray], Iterable[tuple[Rows, R]]], rows: np.ndarray, sizes: np.ndarray
    ) -> Iterator[tuple[Rows, R]]:
        """Answers to all `rows (n,)`, positions in `sizes`, the tokens of every row that there is.

        `ask(some)` yields (those that it has done, the answer) of some of them; what it had not done when it raised
        `OutOfMemory` is asked in halves. Raises that for a single row, with its position as `row`.
        """
        size = len(rows) * int(sizes[rows].max())
        if len(rows) == 1 or size <= self.most:
            left = dict.fromkeys(rows.tolist())
            try:
                for some, answer in ask(rows):
                    for row in some:
                        del left[int(row)]
                    yield some, answer
                return
            except OutOfMemory as error:
                if len(rows) == 1:
                    error.row = int(rows[0])
                    raise
            self.no_room(len(rows), size)
            rows = np.array(list(left), dtype=np.int64)
        half = (len(rows) + 1) // 2
        for part in (rows[:half], rows[half:]):
            if len(part):
                yield from self.done(ask, part, sizes)

    def no_room(self, rows: int, size: int) -> None:
        """From now on a batch has half of `size` tokens at the most."""
        with self._lock:
            first = not self.refused
            self.refused += 1
            self.most = min(self.most, size // 2)
        if first:
            self._note(f"there is no memory for a batch of {rows} ({size} tokens): going on with smaller ones")


def halves_of(backend: Any) -> Halves:
    """Those of a backend that was given some (`methods.load`); else new ones, which say nothing."""
    found: Halves | None = getattr(backend, "halves", None)
    return found or Halves(lambda said: None)


@contextmanager
def numbered_by(places: Sequence[int] | np.ndarray) -> Iterator[None]:
    """Number the row of an `OutOfMemory` that is raised inside as its caller does: row i is its row `places[i]`."""
    try:
        yield
    except OutOfMemory as error:
        error.row = int(places[error.row])
        raise


@contextmanager
def telling(asked: Sequence[str | Pair | Slate]) -> Iterator[None]:
    """Tell an `OutOfMemory` that is raised inside the texts of its row, which is one of `asked`."""
    try:
        yield
    except OutOfMemory as error:
        one = asked[error.row]
        error.texts = (one,) if isinstance(one, str) else one.texts if isinstance(one, Slate) else tuple(one)
        raise
