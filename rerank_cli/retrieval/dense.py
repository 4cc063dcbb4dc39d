"""Dense retrieval: documents and queries are vectors, and the best documents are those whose product with the query is largest.

A folder holds the documents' vectors, one a row, memory-mapped. Search is exact: the rows are taken
block by block, multiplied with all queries at once in 32 bits, and each query keeps what can still be among its best.
A product in 32 bits depends in its last digits on where in the matrix it stands, so the few that are left are computed
once more in 64 bits: scores and ties do not depend on the block, the batch or the number of threads.

    vectors.npy   (N, d) float16, in the order of the corpus; float32 below 256 dimensions      docids: see `docids`

Rounding to 16 bits changes a cosine by about 0.0002 / sqrt(d), five times as much at worst: unseen in four digits where
vectors are long, and short ones take little room.

V. Karpukhin et al.: Dense passage retrieval for open-domain question answering. EMNLP 2020, arXiv:2004.04906.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.build_once import opened
from rerank_cli.core.by_place import by_place
from rerank_cli.core.texts import TITLE_AND_TEXT
from rerank_cli.errors import WorkFailed
from rerank_cli.retrieval.docids import DocIds, write_docids
from rerank_cli.retrieval.encoding import Asked, Parts, Unfinished, Watch, encoded_once
from rerank_cli.retrieval.manifest import key_of, read_manifest, refuse_other, write_manifest
from rerank_cli.retrieval.retriever import Found, Topic
from rerank_cli.retrieval.sharing import TOGETHER, Over
from rerank_cli.retrieval.topk import top_k

if TYPE_CHECKING:
    from rerank_cli.core.texts import Corpus
    from rerank_cli.methods.vectors import TextModel

KIND, FORMAT = "dense", 1
#: Topics that are searched for together; the documents' vectors are read once for all of them.
_TOPICS = 256
#: Bytes of one block in 32 bits, vectors and products together.
_BLOCK_BYTES = 1 << 24
_VECTORS = "vectors.npy"
#: Vectors of so many numbers are kept in 16 bits.
_HALF_FROM = 256


class DenseIndex:
    """The vectors of a corpus, opened; nothing is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Open the folder; raises `Missing` when there is no index, `BadData` when it is damaged or of another kind."""
        self.folder = folder
        self.manifest = read_manifest(folder, KIND, FORMAT)
        self.vectors = np.load(folder / _VECTORS, mmap_mode="r")
        self.ids = DocIds(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        """See `by_place`."""
        return by_place(DenseIndex, self.folder)

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.vectors)

    def nearest(self, queries: np.ndarray, k: int) -> Iterator[Found]:
        """The k documents of the largest products with each of `queries (Q, d)` float32, one `Found` a query.

        O(Q N d), all queries at once; memory for a block and k candidates a query.
        """
        rows = max(1, _BLOCK_BYTES // (4 * max(1, queries.shape[1] + len(queries))))
        bests = [_Best(self, query, k) for query in queries]
        for start in range(0, len(self), rows):
            products = queries @ self.vectors[start : start + rows].astype(np.float32).T
            for best, own in zip(bests, products, strict=True):
                best.add(start, own)
        for best in bests:
            numbers, scores = best.chosen()
            yield Found(self.ids.of(numbers), scores.astype(np.float64))

    def scores(self, query: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """The products (n,) float32 of a query (d,) with documents given by number, each rounded once."""
        out = np.empty(len(numbers), dtype=np.float32)
        rows, wide = max(1, _BLOCK_BYTES // (8 * max(1, len(query)))), query.astype(np.float64)
        for start in range(0, len(numbers), rows):
            some = slice(start, start + rows)
            # A sum along a row is made in one order whatever the number of rows; a matrix product is not.
            out[some] = (self.vectors[numbers[some]].astype(np.float64) * wide).sum(axis=1)
        return out


class _Best:
    """One query's candidates: the documents seen so far that may be among its k best."""

    def __init__(self, index: DenseIndex, query: np.ndarray, k: int) -> None:
        self._index, self._query, self._k = index, query, k
        norm = float(np.linalg.norm(query)) * float(index.manifest["largest_norm"])
        #: Twice as much as a product of d numbers in 32 bits can be wrong.
        self._slack = 2 * len(query) * float(np.finfo(np.float32).eps) * norm
        self._floor = -np.inf
        self._numbers = np.empty(0, dtype=np.int64)
        self._products = np.empty(0, dtype=np.float32)

    def add(self, first: int, products: np.ndarray) -> None:
        """A block's products (rows,) float32; its documents are numbered from `first`."""
        new = np.flatnonzero(products >= self._floor)
        if not len(new):
            return
        self._numbers = np.concatenate([self._numbers, new + first])
        self._products = np.concatenate([self._products, products[new]])
        if len(self._numbers) > 2 * self._k:
            self._floor = float(np.partition(self._products, -self._k)[-self._k]) - self._slack
            left = self._products >= self._floor
            self._numbers, self._products = self._numbers[left], self._products[left]
            if len(self._numbers) > 2 * self._k:  # many are equal or nearly so
                self._numbers, self._products = self.chosen()

    def chosen(self) -> tuple[np.ndarray, np.ndarray]:
        """The k best so far in canonical order: numbers (n,) and scores (n,) float32."""
        scores = self._index.scores(self._query, self._numbers)
        best = top_k(scores, self._index.ids.order[self._numbers], self._k)
        return self._numbers[best], scores[best]


class Dense:
    """A `Retriever` over the vectors of a corpus, or a graph of them, and the bi-encoder that made them."""

    def __init__(self, index: DenseIndex, model: TextModel, note: Callable[[str], None]) -> None:
        self.index, self._model, self._asked = index, model, Asked(model, note)
        self.name = "-".join(model.description.name.split())

    @property
    def folder(self) -> Path:
        """See `Indexed.folder`."""
        return self.index.folder

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        recall = self.index.manifest.get("recall")
        return model_facts(self._model) | ({"recall": recall} if recall else {})

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; a text a topic through the model. Every document has a score."""
        for some in batches_of(topics):
            yield from self.index.nearest(self.vectors(some), k)

    def vectors(self, topics: Sequence[Topic]) -> np.ndarray:
        """Their vectors (n, d) float32; raises `WorkFailed` for one that is not finite."""
        found = [vector for some in batches_of(topics, TOGETHER) for vector in self._asked.arrays(some)]
        return _finite(found, self._model)


def batches_of(topics: Sequence[Topic], size: int = _TOPICS) -> Iterator[Sequence[Topic]]:
    """Topics as many at a time as are searched for together."""
    for start in range(0, len(topics), size):
        yield topics[start : start + size]


def model_facts(model: TextModel) -> dict[str, Any]:
    """What a header says of the model of a first stage."""
    about = model.description
    names = ("method", "score", "max_length", "engine", "provider", "device", "precision", "model_hash")
    return {"model": about.name, **{name: getattr(about, name) for name in names}}


def encoder_facts(corpus: Corpus, model: TextModel, template: str) -> dict[str, Any]:
    """What an index of encoded documents depends on; not on what computed it, so that another machine may search in it."""
    about = model.description
    return {
        "fingerprint": corpus.fingerprint,
        "doc_template": template,
        "model_hash": about.model_hash,
        "max_length": about.max_length,
        "precision": about.precision,
        "prompts": about.template,
        "similarity": about.score,
    }


def kept_dense_index(
    corpus: Corpus,
    model: TextModel,
    *,
    cache_dir: Path,
    note: Callable[[str], None],
    template: str = TITLE_AND_TEXT,
    folder: Path | None = None,
    watch: Watch = iter,
    over: Over = map,
) -> DenseIndex:
    """Open the vectors of a corpus, encoding it first where there are none: in `folder`, or in the cache.

    A killed build is gone on with; `over` says who encodes (see `sharing`). Raises `BadData` when `folder` holds an index of other documents, of another
    model or template, `WorkFailed` when the model gives numbers that 16 bits do not hold.
    """
    wanted = encoder_facts(corpus, model, template)
    place = folder or cache_dir / KIND / key_of(wanted, FORMAT)

    def begun(parts: Parts) -> Parts:
        vectors = np.asarray(parts[_VECTORS])
        return {**parts, _VECTORS: _header(len(corpus), vectors) + vectors.tobytes()}

    def finish(work: Unfinished, docids: list[bytes], aside: Path) -> None:
        write_docids(docids, aside)
        largest = float(np.fromfile(work.folder / "norms", np.float32).max()) if docids else 0.0
        if docids:
            work.give(_VECTORS, aside)
        else:
            (aside / _VECTORS).write_bytes(_header(0, np.empty((0, 0), np.float32)))
        counts = {"documents": len(docids), "truncated": work.truncated, "largest_norm": largest}
        write_manifest(aside, KIND, FORMAT, {**wanted, **counts, "encoder": model_facts(model)})

    how: dict[str, Any] = {"template": template, "note": note, "watch": watch, "over": over, "begun": begun}
    index = opened(lambda: encoded_once(place, wanted, corpus, model, _parts, finish, **how), DenseIndex)
    refuse_other(index.manifest, wanted, place)
    return index


def _parts(model: TextModel, arrays: list[np.ndarray]) -> Parts:
    """What is kept of some documents' vectors: these (n, d) in the bits that they are kept in, and their `norms (n,)`."""
    exact = _finite(arrays, model)
    vectors = _finite(exact.astype(np.float16 if exact.shape[1] >= _HALF_FROM else np.float32), model)
    return {_VECTORS: vectors, "norms": np.linalg.norm(vectors.astype(np.float32), axis=1)}


def _header(documents: int, some: np.ndarray) -> bytes:
    """The beginning of a .npy file of `documents` rows such as those of `some`."""
    import io

    out = io.BytesIO()
    told = {"descr": some.dtype.str, "fortran_order": False, "shape": (documents, some.shape[1])}
    np.lib.format.write_array_header_1_0(out, told)
    return out.getvalue()


def _finite(vectors: list[np.ndarray] | np.ndarray, model: TextModel) -> np.ndarray:
    whole = np.stack(vectors) if isinstance(vectors, list) else vectors
    if not np.isfinite(whole).all():
        raise WorkFailed(
            f"{model.description.name} made a vector with a number that is not finite, or too large for 16 bits",
            "a model that overflows in fp16 is computed in fp32: leave --precision out",
        )
    return whole
