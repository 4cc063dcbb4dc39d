"""Vectors that are kept while a process runs: a document that several queries meet is embedded once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

#: Texts kept at most; 384 numbers a text make 200 MB of that.
KEPT = 131_072


class Embedded(NamedTuple):
    """Texts as vectors: `vectors (n, d)` float32, `tokens (n,)` int64, `truncated (n,)` bool; `calls` model batches."""

    vectors: np.ndarray
    tokens: np.ndarray
    truncated: np.ndarray
    calls: int


class VectorMemory:
    """The last `limit` texts' vectors, by the text's hash; the oldest are forgotten first."""

    def __init__(self, embed: Callable[[Sequence[str]], Embedded], limit: int = KEPT) -> None:
        self._embed = embed
        self._limit = limit
        self._kept: dict[bytes, tuple[np.ndarray, int, bool]] = {}

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed n texts, only those not kept through the model."""
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        fresh = self._embed(list(new.values()))
        columns = zip(fresh.vectors, fresh.tokens.tolist(), fresh.truncated.tolist(), strict=True)
        self._kept.update(zip(new, columns, strict=True))
        rows = [self._kept[key] for key in keys]
        for key in list(self._kept)[: max(0, len(self._kept) - self._limit)]:
            del self._kept[key]
        if not rows:
            return fresh
        vectors, tokens, truncated = zip(*rows, strict=True)
        return Embedded(np.stack(vectors), np.array(tokens), np.array(truncated), fresh.calls)
