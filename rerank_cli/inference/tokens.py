"""Texts to token rows, with the `tokenizers` library alone.

What a model needs around a text (separators, a question's last words) is never cut: the document is,
and the query only when it would leave the document less than a quarter of the room. A special token
written inside a text (`[SEP]`, `</s>`) is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BadData
from rerank_cli.inference.batching import Row

#: What keeping a text costs beside its tokens, in tokens: its key, an array's head, a place in the dictionary.
_ENTRY = 64


def load_tokenizer(path: Path) -> Any:
    """Load a tokenizer.json without truncation, padding or special tokens inside texts; raises `BadData`."""
    from tokenizers import Tokenizer

    try:
        return as_plain(Tokenizer.from_file(str(path)))
    except Exception as error:  # the library raises bare Exception
        raise BadData(f"is not a tokenizer: {error}", where=str(path)) from error


def as_plain(tokenizer: Any) -> Any:
    """Turn off what a tokenizer file may have turned on: truncation, padding, special tokens inside texts."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


class PlainText:
    """What a tokenizer can be given: text without half characters, and with its special tokens as plain words.

    A Unigram vocabulary holds `</s>` as a piece and finds it in a text even when told to leave special
    tokens alone; a blank after the first character keeps the text from ending there. So it is with every special
    token when the tokenizer reads them, and with other added tokens that the text `also_in` uses (`</think>`).
    """

    def __init__(self, tokenizer: Any, also_in: str = "") -> None:
        added = {
            number: token.content
            for number, token in tokenizer.get_added_tokens_decoder().items()
            if token.special or (token.content.strip() and token.content in also_in)
        }
        trials = tokenizer.encode_batch_fast([f"a {content} a" for content in added.values()], add_special_tokens=False)
        unknown = set(tokenizer.encode("\ue000", add_special_tokens=False).ids)
        found = [
            added[number]
            for number, trial in zip(added, trials)
            if number in trial.ids and number not in unknown and len(added[number]) > 1
        ]
        self._markers = re.compile("|".join(map(re.escape, found))) if found else None

    def __call__(self, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
        if self._markers is None:
            return text
        return self._markers.sub(lambda marker: f"{marker[0][0]} {marker[0][1:]}", text)


def cut(query: int, document: int, room: int) -> tuple[int, int]:
    """How many tokens of a query and a document fit in `room`: the document gives way, down to a quarter of the room."""
    if query + document <= room:
        return query, document
    query = min(query, max(room - document, room - room // 4))
    return query, min(document, room - query)


class Frame(NamedTuple):
    """What a tokenizer puts around texts: `pieces`, one more than texts, and the type id of each piece and text."""

    pieces: tuple[np.ndarray, ...]
    piece_types: tuple[np.ndarray, ...]
    text_types: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of tokens around the texts."""
        return sum(map(len, self.pieces))

    def filled(self, texts: Sequence[np.ndarray], *, typed: bool, truncated: bool) -> Row:
        """Put token ids into the frame."""
        parts = [self.pieces[0]]
        types = [self.piece_types[0]]
        for at, text in enumerate(texts):
            parts += [text, self.pieces[at + 1]]
            if typed:
                types += [np.full(len(text), self.text_types[at], dtype=np.int64), self.piece_types[at + 1]]
        return Row(np.concatenate(parts), np.concatenate(types) if typed else None, truncated)


def frame_of(tokenizer: Any, texts: int) -> Frame:
    """Read off the frame for one text or a pair; raises `BadData` for a layout that is not first text, then second."""
    whole = tokenizer.encode(*["a"] * texts)
    owners = whole.sequence_ids
    order = [owner for at, owner in enumerate(owners) if owner is not None and (at == 0 or owners[at - 1] != owner)]
    if order != list(range(texts)):
        raise BadData("the tokenizer does not put the query first and the document second")
    ids, types = np.array(whole.ids, dtype=np.int64), np.array(whole.type_ids, dtype=np.int64)
    bounds = [0]
    text_types = []
    for number in range(texts):
        own = [at for at, owner in enumerate(owners) if owner == number]
        bounds += [own[0], own[-1] + 1]
        text_types.append(int(types[own[0]]))
    bounds.append(len(ids))
    spans = [slice(bounds[i], bounds[i + 1]) for i in range(0, len(bounds), 2)]
    return Frame(tuple(ids[s] for s in spans), tuple(types[s] for s in spans), tuple(text_types))


class TokenMemory:
    """The token ids of texts without the tokenizer's frame; a text that comes again soon is not tokenised again.

    Holds at most `limit` tokens (4 bytes each; the default is 40 MB, 100,000 passages) and forgets the oldest texts first.
    """

    def __init__(self, tokenizer: Any, limit: int = 10_000_000) -> None:
        self._tokenizer = tokenizer
        self._plain = PlainText(tokenizer)
        self._limit = limit
        self._kept: dict[bytes, np.ndarray] = {}
        self._size = 0

    def ids(self, texts: Iterable[str]) -> dict[str, np.ndarray]:
        """The ids (L,) int32 of each distinct text."""
        keys = {text: blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts}
        found = {text: self._kept[key] for text, key in keys.items() if key in self._kept}
        new = [text for text in keys if text not in found]
        for text, encoding in zip(
            new, self._tokenizer.encode_batch_fast(list(map(self._plain, new)), add_special_tokens=False)
        ):
            ids = found[text] = self._kept[keys[text]] = np.array(encoding.ids, dtype=np.int32)
            self._size += len(ids) + _ENTRY
        while self._size > self._limit:
            self._size -= len(self._kept.pop(next(iter(self._kept)))) + _ENTRY
        return found


class PairTokens:
    """Query and document as the tokenizer's own pair: `[CLS] q [SEP] d [SEP]`, `<s> q </s></s> d </s>`."""

    def __init__(self, tokenizer: Any, max_length: int, *, typed: bool) -> None:
        self._memory = TokenMemory(tokenizer)
        self._frame = frame_of(tokenizer, 2)
        self._room = max_length - self._frame.size
        self._typed = typed

    def rows(self, pairs: Sequence[Pair]) -> list[Row]:
        """One row a pair; each distinct query and document is tokenised once."""
        ids = self._memory.ids(text for pair in pairs for text in pair)
        return [self._row(ids[pair.query], ids[pair.document]) for pair in pairs]

    def _row(self, query: np.ndarray, document: np.ndarray) -> Row:
        q, d = cut(len(query), len(document), self._room)
        truncated = q < len(query) or d < len(document)
        return self._frame.filled((query[:q], document[:d]), typed=self._typed, truncated=truncated)


class TextTokens:
    """One text a row, as the tokenizer frames it: `[CLS] text [SEP]`."""

    def __init__(self, tokenizer: Any, max_length: int, *, typed: bool) -> None:
        self._memory = TokenMemory(tokenizer)
        self._frame = frame_of(tokenizer, 1)
        self._room = max_length - self._frame.size
        self._typed = typed

    def rows(self, texts: Sequence[str]) -> list[Row]:
        """One row a text."""
        ids = self._memory.ids(texts)
        return [
            self._frame.filled((ids[text][: self._room],), typed=self._typed, truncated=len(ids[text]) > self._room)
            for text in texts
        ]


class TemplateTokens:
    """Query and document inside a sentence: `Query: {query} Document: {document} Relevant:`.

    The sentence is tokenised whole, as in training; when it is too long, tokens are taken from the end
    of the document's stretch (by character offsets), so that the sentence keeps its last words.
    The ids `first` stand before it.
    """

    def __init__(self, tokenizer: Any, max_length: int, template: str, first: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._plain = PlainText(tokenizer)
        self._max_length = max_length - len(first)
        self._first = np.array(first, dtype=np.int64)
        self._before, rest = template.split("{query}")
        self._between, self._after = rest.split("{document}")

    def rows(self, pairs: Sequence[Pair]) -> list[Row]:
        """One row a pair; a repeated pair is tokenised once."""
        distinct = list(dict.fromkeys(pairs))
        plain = [Pair(self._plain(pair.query), self._plain(pair.document)) for pair in distinct]
        sentences = [f"{self._before}{p.query}{self._between}{p.document}{self._after}" for p in plain]
        rows = [self._row(p, e) for p, e in zip(plain, self._tokenizer.encode_batch(sentences))]
        if len(self._first):
            rows = [row._replace(ids=np.concatenate([self._first, row.ids])) for row in rows]
        of_pair = dict(zip(distinct, rows))
        return [of_pair[pair] for pair in pairs]

    def _row(self, pair: Pair, encoding: Any) -> Row:
        ids = np.array(encoding.ids, dtype=np.int64)
        if len(ids) <= self._max_length:
            return Row(ids, None, False)
        # A token belongs where it ends; ends never decrease, but for the tokens added around the sentence.
        own = np.array(encoding.special_tokens_mask) == 0
        ends = np.array([end for _, end in encoding.offsets])
        query_at = len(self._before)
        document_at = query_at + len(pair.query) + len(self._between)
        query = np.flatnonzero(own & (ends > query_at) & (ends <= query_at + len(pair.query)))
        document = np.flatnonzero(own & (ends > document_at) & (ends <= document_at + len(pair.document)))
        kept = cut(len(query), len(document), self._max_length - (len(ids) - len(query) - len(document)))
        gone = np.concatenate([query[max(kept[0], 0) :], document[max(kept[1], 0) :]])
        return Row(np.delete(ids, gone), None, True)
