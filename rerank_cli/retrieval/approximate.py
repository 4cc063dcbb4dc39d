"""Approximate dense retrieval: a graph of neighbours leads to nearly all of the best documents without looking at each.

Exact search reads every vector for every batch of queries. Beyond some millions of documents a graph in which each vector
knows a few near ones (HNSW) answers in a thousandth of the work, and misses some. How many is measured when the graph
is built, with vectors of the corpus itself as queries, and said: their best documents by exact search are the truth.
What the graph finds is scored as exact search scores it. Building holds the whole graph in memory; several threads
build it in another order each time, so that two builds differ in what they miss.

Y. Malkov, D. Yashunin: Efficient and robust approximate nearest neighbor search using hierarchical navigable small
world graphs. TPAMI 42(4), 2020, arXiv:1603.09320.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.build_once import build_once, opened
from rerank_cli.core.by_place import by_place
from rerank_cli.errors import missing_extra
from rerank_cli.retrieval.dense import DenseIndex
from rerank_cli.retrieval.manifest import read_manifest, refuse_other, write_manifest
from rerank_cli.retrieval.retriever import Found
from rerank_cli.retrieval.topk import top_k

KIND, FORMAT = "graph", 1
_GRAPH = "graph.usearch"
#: Neighbours of a vector, and candidates looked at to find them.
_CONNECTIVITY, _EXPANSION = 16, 128
#: Candidates looked at for each document asked for, and at least.
_PER_DOCUMENT, _LEAST = 2, 128
#: Documents put into the graph at a time, and those that ask it when its recall is measured.
_BLOCK, _SAMPLE = 10_000, 100
_DEPTHS = (10, 100, 1000)


class ApproximateIndex(DenseIndex):
    """A dense index that is asked through a graph, memory-mapped."""

    def __init__(self, exact: DenseIndex, folder: Path) -> None:
        """Open the folder; raises `Missing` when there is no graph or no usearch, `BadData` when it is damaged."""
        # Not opened again: its folder may have been removed since.
        self.folder, self.vectors, self.ids = exact.folder, exact.vectors, exact.ids
        self._place = folder
        self.graph = read_manifest(folder, KIND, FORMAT)
        self.manifest = {**exact.manifest, "recall": self.graph["recall"]}
        self._graph = _new_graph(exact)
        self._graph.view(str(folder / _GRAPH))

    def __reduce__(self) -> tuple[Any, ...]:
        """See `by_place`."""
        return by_place(_opened_at, self.folder, self._place)

    def nearest(self, queries: np.ndarray, k: int) -> Iterator[Found]:
        """See `DenseIndex.nearest`; nearly the k best."""
        for query in queries:
            numbers = _met(self._graph, query, min(k, len(self)))
            scores = self.scores(query, numbers)
            best = top_k(scores, self.ids.order[numbers], k)
            yield Found(self.ids.of(numbers[best]), scores[best].astype(np.float64))


def _opened_at(vectors: Path, graph: Path) -> ApproximateIndex:
    return ApproximateIndex(DenseIndex(vectors), graph)


def kept_graph(exact: DenseIndex, *, threads: int, note: Callable[[str], None]) -> ApproximateIndex:
    """Open the graph of a dense index, in the folder `NAME.ann` beside it, building it first where there is none.

    Raises `Missing` without the extra `ann`, `BadData` when the folder holds the graph of another index.
    """
    place = exact.folder.with_name(exact.folder.name + ".ann")
    wanted = {"of": {name: exact.manifest[name] for name in ("fingerprint", "doc_template", "model_hash", "precision")}}

    def build(aside: Path) -> None:
        graph, began = _new_graph(exact), time.monotonic()
        note(f"building the graph of {len(exact)} vectors, once")
        for start in range(0, len(exact), _BLOCK):
            some = exact.vectors[start : start + _BLOCK]
            graph.add(np.arange(start, start + len(some)), np.asarray(some), threads=threads)
        try:
            graph.save(str(aside / _GRAPH))
        except RuntimeError as error:
            raise OSError(str(error)) from error  # usearch does not tell that a disk is full
        recall = _recall(exact, graph)
        write_manifest(aside, KIND, FORMAT, {**wanted, "documents": len(exact), "recall": recall})
        told = ", ".join(f"{share:.4f} of the best {depth}" for depth, share in recall.items())
        finds = f"finds {told} (documents as queries)" if told else "has too few documents to measure what it misses"
        note(f"the graph took {time.monotonic() - began:.1f} s and {finds}; {place}")

    waiting = f"waiting for another process to finish {place}"
    index = opened(
        lambda: build_once(place, build, waiting=lambda: note(waiting)), lambda folder: ApproximateIndex(exact, folder)
    )
    refuse_other(index.graph, wanted, place)
    return index


def needs_usearch() -> None:
    """Raise `Missing` without the extra `ann`, for who wants to know before a corpus is encoded.

    The package is looked for and not imported: it brings a C++ library with which ONNX Runtime, imported later, ends in a
    segmentation fault, and an export by PyTorch never. Behind them it does no harm.
    """
    from importlib.util import find_spec

    if find_spec("usearch") is None:
        raise missing_extra("usearch", "ann", "--ann")


def _new_graph(exact: DenseIndex) -> Any:
    needs_usearch()
    if "usearch" not in sys.modules:
        with suppress(ImportError):
            import onnxruntime  # noqa: F401 (see `needs_usearch`)
    from usearch.index import Index

    kind = "f16" if exact.vectors.dtype == np.float16 else "f32"
    return Index(
        ndim=max(1, exact.vectors.shape[1]),
        metric="ip",
        dtype=kind,
        connectivity=_CONNECTIVITY,
        expansion_add=_EXPANSION,
    )


def _met(graph: Any, query: np.ndarray, k: int) -> np.ndarray:
    """The numbers (n,) int64 of the documents that the graph leads to."""
    if not k:
        return np.empty(0, dtype=np.int64)
    graph.expansion_search = max(_PER_DOCUMENT * k, _LEAST)
    return np.asarray(graph.search(query, k).keys, dtype=np.int64)


def _recall(exact: DenseIndex, graph: Any) -> dict[str, float]:
    """The share of the truly best documents that the graph finds, by depth; each query's own document is not counted."""
    asked = np.unique(np.linspace(0, max(0, len(exact) - 1), _SAMPLE).astype(np.int64))
    found: dict[str, float] = {}
    for depth in (depth for depth in _DEPTHS if depth < len(exact)):
        shares = []
        queries = exact.vectors[asked].astype(np.float32)
        for number, query, best in zip(asked, queries, exact.nearest(queries, depth + 1), strict=True):
            truth = set(exact.ids.numbers(best.docids.tolist()).tolist()) - {int(number)}
            shares.append(len(truth & set(_met(graph, query, depth + 1).tolist())) / max(1, len(truth)))
        found[str(depth)] = round(float(np.mean(shares)), 4)
    return found
