"""Batches of similar length under a token budget, several of them at once where the backend takes several.

A padded batch costs rows x longest row. Sorting by length before cutting took the padding of a real
run from 70% to 6% of the work; small batches are quicker than large ones on a processor, whose caches they fit.

In 16 bits a processor's attention rounds a row by how wide it is padded, and by whether anything is hidden at all, and products
of a single row round otherwise than those of two or more. So there each row has a shape of its own, only rows of one shape share
a batch, and none is computed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from rerank_cli.core.protocols import Backend
from rerank_cli.inference.memory import halves_of

T = TypeVar("T")
R = TypeVar("R")
#: A call with little to do is cut into at least this many batches a worker, so that no worker waits long for the last.
_BATCHES_EACH = 2
#: What pads a further array: what cross-entropy ignores for labels, nothing for a mask, the padding id for the rest.
_FILLS = {"labels": -100, "attention_mask": 0}


class Row(NamedTuple):
    """One input of a model: token `ids (L,)` int64, their `types (L,)` where the model reads them, and whether text was cut.

    `attended`: how many tokens from the first the others may look at; None for all. The rest are still computed.
    `extra`: further int64 arrays by the graph's input names, of any length; see `padded`.
    `width`: how many tokens it is padded to at least, where it may be that only with others of its shape; see `of_fixed_width`.
    """

    ids: np.ndarray
    types: np.ndarray | None
    truncated: bool
    extra: Mapping[str, np.ndarray] = MappingProxyType({})
    attended: int | None = None
    width: int = 0


def batches(lengths: np.ndarray, budget: int, shapes: Sequence[tuple[int, ...]] | None = None) -> Iterator[np.ndarray]:
    """Cut rows of `lengths (n,)` into batches; yields arrays of positions, the longest rows first.

    A batch of b rows whose longest has L tokens keeps b * L <= budget, or is one row. With `shapes` (n) its rows have one shape.
    """
    if shapes is not None:
        lengths = np.array([shape[0] for shape in shapes], dtype=np.int64)
        ranks = {shape: rank for rank, shape in enumerate(dict.fromkeys(shapes))}
        groups = np.array([ranks[shape] for shape in shapes], dtype=np.int64)
    else:
        groups = np.zeros(len(lengths), dtype=np.int64)
    order = np.lexsort((groups, -lengths))
    start = 0
    while start < len(order):
        most = max(1, budget // max(1, int(lengths[order[start]])))
        some = order[start : start + most]
        some = some[groups[some] == groups[some[0]]]
        yield some
        start += len(some)


def shared_out(cut: list[np.ndarray], workers: int) -> list[np.ndarray]:
    """The batches with those of the last round in parts, one a worker, where there are too few of them for all workers."""
    left = len(cut) % workers
    if not left:
        return cut
    parts = [np.array_split(batch, -(-workers // left)) for batch in cut[-left:]]
    return cut[:-left] + [part for some in parts for part in some if len(part)]


def of_fixed_width(rows: Sequence[Row], backend: Any) -> Sequence[Row]:
    """The rows, each with a width of its own where the backend's numbers depend on it.

    A backend says so with a `length_step` above 1: a row is padded to the next multiple, so that something is hidden in every
    row, whoever is beside it; one that has no room for that below `longest`, the most that the model reads, is not padded.
    """
    step: int = getattr(backend, "length_step", 1)
    if step == 1:
        return rows
    wide = [(len(row.ids) // step + 1) * step for row in rows]
    return [row._replace(width=w if w <= backend.longest else len(row.ids)) for row, w in zip(rows, wide)]


def shapes(rows: Sequence[Row]) -> list[tuple[int, ...]] | None:
    """What rows of fixed width must have in common to share a batch, the width first; None where anything goes."""
    if not any(row.width for row in rows):
        return None
    return [
        (row.width, row.width > (len(row.ids) if row.attended is None else row.attended), *map(len, row.extra.values()))
        for row in rows
    ]


def in_company(positions: np.ndarray, rows: Sequence[Row]) -> np.ndarray:
    """`positions` of rows that make a batch; twice where that is one row of fixed width, whose second answer nobody needs."""
    return np.repeat(positions, 2) if len(positions) == 1 and rows[positions[0]].width else positions


def padded(rows: Sequence[Row], inputs: Sequence[str], pad_id: int) -> dict[str, np.ndarray]:
    """Pad rows on the right to the longest, or to their width; returns the named int64 arrays (n, L): input_ids, attention_mask, token_type_ids.

    Arrays of `Row.extra` are padded each to its own longest, by the end of their names: `labels` with -100,
    `attention_mask` with 0, others with `pad_id`.
    """
    mask = _filled_places([row.ids for row in rows], max(row.width for row in rows))
    attended = [len(row.ids) if row.attended is None else row.attended for row in rows]
    seen = np.arange(mask.shape[1])[None, :] < np.array(attended)[:, None]
    arrays = {"attention_mask": seen.astype(np.int64), "input_ids": np.full(mask.shape, pad_id, dtype=np.int64)}
    arrays["input_ids"][mask] = np.concatenate([row.ids for row in rows])
    if "token_type_ids" in inputs:
        arrays["token_type_ids"] = np.zeros(mask.shape, dtype=np.int64)
        types = [row.types for row in rows if row.types is not None]
        if types:
            arrays["token_type_ids"][mask] = np.concatenate(types)
    for name in rows[0].extra:
        parts = [row.extra[name] for row in rows]
        places = _filled_places(parts)
        fill = next((fill for ending, fill in _FILLS.items() if name.endswith(ending)), pad_id)
        arrays[name] = np.full(places.shape, fill, dtype=np.int64)
        arrays[name][places] = np.concatenate(parts)
    return {name: arrays[name] for name in inputs}


def _filled_places(parts: Sequence[np.ndarray], width: int = 1) -> np.ndarray:
    """Which places of the padded array (n, longest) hold a value; one place is left where all parts are empty."""
    lengths = np.array([len(part) for part in parts])
    return np.arange(max(1, width, lengths.max()))[None, :] < lengths[:, None]


def computed(
    backend: Backend, rows: Sequence[Row], inputs: Sequence[str], pad_id: int, budget: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Run all rows through the backend in sorted batches; yields (positions of a batch's rows, its numbers) batch by batch.

    A backend with `workers` runs as many batches at once; see `at_once`. On a processor there are enough for all of them,
    however few the rows, to the last round; a GPU wants them large.
    """
    lengths = np.array([len(row.ids) for row in rows], dtype=np.int64)
    rows = of_fixed_width(rows, backend)
    workers: int = getattr(backend, "workers", 1)
    on_gpu = getattr(getattr(backend, "device", None), "kind", "cpu") == "cuda"
    if workers > 1 and not on_gpu:
        budget = min(budget, int(lengths.sum()) // (_BATCHES_EACH * workers))

    def answered(positions: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        asked = [rows[i] for i in in_company(positions, rows)]
        yield positions, backend.run(padded(asked, inputs, pad_id))[: len(positions)]

    cut = list(batches(lengths, budget, shapes(rows)))
    if not on_gpu:
        cut = shared_out(cut, workers)
    return at_once(within_memory(backend, answered, lengths), iter(cut), workers)


def within_memory(
    backend: Backend, ask: Callable[[np.ndarray], Iterable[tuple[np.ndarray, R]]], sizes: np.ndarray
) -> Callable[[np.ndarray], Iterator[tuple[np.ndarray, R]]]:
    """What `ask` does with a batch of rows, in as many parts as memory wants it; see `memory.Halves.done`."""
    return partial(halves_of(backend).done, ask, sizes=sizes)


def at_once(work: Callable[[T], Iterable[R]], items: Iterator[T], workers: int) -> Iterator[R]:
    """`work` done for every item, `workers` of them at a time on threads; yields its answers as soon as they are there.

    A worker gets its next item when its last answer has been taken up, so that never more than one item a worker
    is paid for and not yet handed over.
    """
    if workers == 1:
        for item in items:
            yield from work(item)
        return

    def whole(item: T) -> list[R]:
        return list(work(item))

    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(whole, item) for item in islice(items, workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield from one.result()
                running |= {pool.submit(whole, item) for item in islice(items, 1)}
