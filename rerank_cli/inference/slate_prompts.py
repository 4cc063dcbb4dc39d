"""A query and several documents in one prompt: exactly the tokens of the whole prompt, and the documents give way evenly.

A template says what stands around them: `Query: {query} {each}Document{label}: {document}{between} {end} Relevant:`. What
lies between `{each}` and `{between}` is written once a document, what lies between `{between}` and `{end}` stands between
two of them, `{num}` is how many there are. What fills a field is never read as template again (see `inference.prompts`).

When a prompt is too long, its longest documents lose tokens from their ends until all of those that are cut are as long
as one another; then the query, when it would leave them less than a quarter of the room; the prompt never.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Slate
from rerank_cli.inference.batching import Row
from rerank_cli.inference.tokens import PlainText, cut

_FIELD = re.compile(r"\{(query|num|label|document)\}")
#: Tokens that are left to each document, and to the query, when it is asked how many documents a prompt has room for.
_LEAST = 8


class SlateRow(NamedTuple):
    """A slate's prompt, and how many of its documents are cut."""

    row: Row
    cut: int


def whole(text: str) -> tuple[str, bool]:
    """A document as it is."""
    return text, False


class SlatePrompts:
    """Slates to rows of a filled template."""

    def __init__(
        self,
        tokenizer: Any,
        max_length: int,
        template: str,
        labels: Sequence[str],
        *,
        frame: tuple[Sequence[int], Sequence[int]] = ((), ()),
        chat: bool = False,
        passage: Callable[[str], tuple[str, bool]] = whole,
    ) -> None:
        """`labels` name the documents, `frame` are ids before and after the prompt, `passage` writes a document and says
        whether it cut it. In a `chat` the template's markers are markers, and `tokenizer` reads them so from here on."""
        tokenizer.encode_special_tokens = not chat
        self._tokenizer = tokenizer
        self._plain = PlainText(tokenizer, also_in=template) if chat else PlainText(tokenizer)
        self._max_length = max_length
        self._labels = labels
        self._before, self._after = (np.array(ids, dtype=np.int64) for ids in frame)
        self._passage = passage
        first, rest = template.split("{each}")
        one, rest = rest.split("{between}")
        between, last = rest.split("{end}")
        self._first, self._one, self._between, self._last = map(_FIELD.split, (first, one, between, last))

    def rows(self, slates: Sequence[Slate]) -> list[SlateRow]:
        """One row a slate."""
        written = [[self._passage(text) for text in slate.documents] for slate in slates]
        filled = [self._filled(slate.query, [text for text, _ in own]) for slate, own in zip(slates, written)]
        encodings = self._tokenizer.encode_batch([prompt.text for prompt in filled], add_special_tokens=False)
        return [self._row(*one) for one in zip(filled, encodings, written)]

    def fixed(self, count: int) -> int:
        """The number of tokens of a prompt whose query and `count` documents are empty."""
        return len(self.rows([Slate("", [""] * count, np.zeros(count), np.arange(count))])[0].row.ids)

    def most(self, length: int) -> int:
        """How many documents a prompt of `length` tokens has room for, no more than there are labels, no less than 2."""
        sizes = range(len(self._labels), 2, -1)
        return next((count for count in sizes if self.fixed(count) + _LEAST * (count + 1) <= length), 2)

    def _filled(self, query: str, documents: Sequence[str]) -> _Filled:
        prompt = _Filled()
        texts = {"query": self._plain(query), "num": str(len(documents))}
        prompt.add(self._first, texts)
        for label, document in zip(self._labels, documents, strict=False):
            if prompt.documents:
                prompt.add(self._between, texts)
            prompt.add(self._one, texts | {"label": label, "document": self._plain(document)})
        prompt.add(self._last, texts)
        return prompt

    def _row(self, prompt: _Filled, encoding: Any, written: Sequence[tuple[str, bool]]) -> SlateRow:
        ids = np.array(encoding.ids, dtype=np.int64)
        was_cut = np.array([was_cut for _, was_cut in written])
        over = len(ids) + len(self._before) + len(self._after) - self._max_length
        if over > 0:
            ends = np.array([end for _, end in encoding.offsets])  # a token belongs where it ends
            queries, documents = (
                [np.flatnonzero((ends > start) & (ends <= stop)) for start, stop in places]
                for places in (prompt.queries, prompt.documents)
            )
            asked, shown = (np.array([len(own) for own in places], dtype=np.int64) for places in (queries, documents))
            rooms = cut(int(asked.sum()), int(shown.sum()), max(0, int(asked.sum() + shown.sum()) - over))
            of_query, of_document = _level(asked, rooms[0]), _level(shown, rooms[1])
            gone = [own[of_query:] for own in queries] + [own[of_document:] for own in documents]
            ids = np.delete(ids, np.concatenate(gone))
            was_cut |= shown > of_document
        row = Row(np.concatenate([self._before, ids, self._after]), None, bool(over > 0 or was_cut.any()))
        return SlateRow(row, int(was_cut.sum()))


class _Filled:
    """A prompt's text, and where in it (start, stop) the query stands and each document."""

    def __init__(self) -> None:
        self.text = ""
        self.queries: list[tuple[int, int]] = []
        self.documents: list[tuple[int, int]] = []

    def add(self, pieces: Sequence[str], texts: Mapping[str, str]) -> None:
        """Write fixed texts (even places) and fields (odd places)."""
        for at, piece in enumerate(pieces):
            start = len(self.text)
            self.text += texts[piece] if at % 2 else piece
            if at % 2 and piece in ("query", "document"):
                (self.queries if piece == "query" else self.documents).append((start, len(self.text)))


def _level(sizes: np.ndarray, room: int) -> int:
    """The most tokens that each may keep so that all of them together have room."""
    low, high = 0, int(sizes.max(initial=0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(sizes, middle).sum() <= room else (low, middle - 1)
    return low
