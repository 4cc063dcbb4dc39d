"""Where the words come from: topics by query id, documents by document id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

#: What is read of a document where nobody says otherwise.
TITLE_AND_TEXT = "{title} {text}"
#: Query id -> what the model is asked; in the order of the source.
Topics = Mapping[bytes, str]


class Document(NamedTuple):
    """One document of a corpus; `title` is empty where the corpus has none."""

    docid: bytes
    title: str
    text: str


class Texts(Protocol):
    """Documents by id, without the corpus in memory."""

    def lookup(self, docids: Sequence[bytes]) -> list[Document | None]:
        """Return the documents in the order asked, None for an id that is not there; one read a document."""
        ...

    def contains(self, docids: Sequence[bytes]) -> list[bool]:
        """Whether each id is there, in the order asked; reads no text where the ids are kept apart from it."""
        ...


class Corpus(Texts, Protocol):
    """A whole collection of documents: looked up by id, or walked from the first to the last."""

    @property
    def fingerprint(self) -> str:
        """A short hash that changes when the documents may have changed."""
        ...

    def __iter__(self) -> Iterator[Document]: ...

    def __len__(self) -> int: ...


class MemoryTexts:
    """Documents that came with the run itself (jsonl, top1000): a dictionary."""

    def __init__(self, documents: Mapping[bytes, Document]) -> None:
        self._documents = documents

    def lookup(self, docids: Sequence[bytes]) -> list[Document | None]:
        """See `Texts.lookup`; O(n)."""
        return [self._documents.get(bytes(docid)) for docid in docids]

    def contains(self, docids: Sequence[bytes]) -> list[bool]:
        """See `Texts.contains`; O(n)."""
        return [bytes(docid) in self._documents for docid in docids]


def rendered(document: Document, template: str) -> str:
    """What the model sees of a document: `template` with `{title}` and `{text}` filled in, outer blanks stripped.

    Only these two fields are replaced; braces inside a document are left alone.
    """
    if template == TITLE_AND_TEXT:
        return f"{document.title} {document.text}".strip()
    fields = {"{title}": document.title, "{text}": document.text}
    return "".join([fields.get(piece, piece) for piece in _pieces(template)]).strip()


@lru_cache(maxsize=8)
def _pieces(template: str) -> list[str]:
    """A template taken apart into fields and what stands between them."""
    return re.split(r"(\{title\}|\{text\})", template)
