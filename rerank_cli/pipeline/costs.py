"""What a query costs to rerank, guessed without reading a text: by how long its documents are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.texts import Texts

#: Bytes of text that make a token, roughly; beyond a model's length nothing is read.
BYTES_A_TOKEN = 4


@runtime_checkable
class Measured(Protocol):
    """Texts whose lengths are known without reading them."""

    def sizes(self, docids: list[bytes]) -> np.ndarray:
        """About how many bytes each takes (n,) int64, 0 for an id that is not there."""
        ...


def costs(candidates: Iterable[Candidates], texts: Texts | None, depth: int, longest: int | None) -> np.ndarray:
    """A cost for each query (Q,) int64, 1 at least: the bytes of its first `depth` documents, each up to `longest` tokens.

    Where lengths are not known without reading (a document store of another program), each document costs the same.
    About 3 µs a document. The same numbers in every process.
    """
    return np.array([1 + _cost(one, texts, depth, longest) for one in candidates], dtype=np.int64)


def _cost(one: Candidates, texts: Texts | None, depth: int, longest: int | None) -> int:
    docids = one.ranking.docids[:depth].tolist()
    if one.documents is not None:
        found = [one.documents.get(docid) for docid in docids]
        sizes = np.array([len(document.title) + len(document.text) if document else 0 for document in found])
    elif isinstance(texts, Measured):
        sizes = texts.sizes(docids)
    else:
        return len(docids)
    return int(np.minimum(sizes, longest * BYTES_A_TOKEN).sum() if longest else sizes.sum())
