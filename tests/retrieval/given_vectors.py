"""Stand-ins for what first stages are made of: a corpus in memory, and an encoder whose arrays are given by text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tiny_models import WORDS

from rerank_cli.core.texts import Document, MemoryTexts
from rerank_cli.methods.pointwise import Description
from rerank_cli.methods.vectors import Embedded


class GivenCorpus(MemoryTexts):
    """Documents in memory as a `Corpus`."""

    def __init__(self, texts: dict[bytes, str] | list[tuple[bytes, str]], fingerprint: str = "f") -> None:
        pairs = texts.items() if isinstance(texts, dict) else texts
        self._all = [Document(docid, "", text) for docid, text in pairs]
        super().__init__({document.docid: document for document in self._all})
        self.fingerprint = fingerprint

    def __iter__(self) -> Iterator[Document]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


class GivenEncoder:
    """What a `TextModel` is to a first stage: texts to arrays, in batches of its own order; counts the documents."""

    def __init__(
        self, array_of: Callable[[str], np.ndarray], *, name: str = "given", precision: str = "fp32", batch: int = 3
    ) -> None:
        self.description = Description(
            name, "bi-encoder", "dot", 8, "onnx", "cpu", "cpu", precision, "", "", None, "hash", 512
        )
        self._array_of, self._batch = array_of, batch
        self.documents = 0

    def embed(self, texts: Sequence[str], as_query: bool) -> Iterator[Embedded]:
        self.documents += 0 if as_query else len(texts)
        order = np.arange(len(texts))[::-1]
        for start in range(0, len(texts), self._batch):
            at = order[start : start + self._batch]
            arrays = [self._array_of(texts[position]) for position in at]
            cut = np.array([len(texts[position].split()) > 8 for position in at])
            yield Embedded(at, arrays, np.ones(len(at), np.int64), cut, np.zeros(len(at), bool), 1)


def sentences(number: int, seed: int = 0) -> list[str]:
    """Texts that the tiny tokenizers know the words of, from one word to twenty."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, 20))) for _ in range(number)]


def silent(_: str) -> None:
    """A note that nobody reads."""


def folders(root: Path) -> list[str]:
    """The names of the folders there, in order."""
    return sorted(path.name for path in root.iterdir() if path.is_dir())
