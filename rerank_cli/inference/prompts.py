"""Prompts to token rows: exactly the tokens of the whole prompt, and only the document gives way.

A template is text with the fields `{query}`, `{document}` and, where a model reads one, `{instruction}`; `{|}` stands
where its authors tokenise two parts apart. What fills a field is never read as template again, and a marker
in it that the vocabulary reserves or the template uses (`<|im_end|>`, `</think>`) gets a blank after its first
character, so that it is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Pair
from rerank_cli.inference.batching import Row
from rerank_cli.inference.tokens import PlainText, cut

APART = "{|}"
_FIELD = re.compile(r"\{(query|document|instruction)\}")


class _Part(NamedTuple):
    """A stretch of a prompt that is tokenised by itself: its text, and where in it query and document lie."""

    text: str
    places: tuple[tuple[str, int, int], ...]


class PromptTokens:
    """Pairs to rows of a filled template; what the tokenizer itself would put around a text is left out."""

    def __init__(self, tokenizer: Any, max_length: int, template: str, instruction: str = "") -> None:
        """From here on `tokenizer` reads the template's markers as such; raises nothing, cuts at `max_length`."""
        tokenizer.encode_special_tokens = False
        self._tokenizer = tokenizer
        self._plain = PlainText(tokenizer, also_in=template)
        self._max_length = max_length
        self._instruction = self._plain(instruction)
        self._parts = [_FIELD.split(part) for part in template.split(APART)]

    def rows(self, pairs: Sequence[Pair]) -> list[Row]:
        """One row a pair; a repeated pair, or a part that several pairs share, is tokenised once."""
        filled = {pair: self._filled(pair) for pair in dict.fromkeys(pairs)}
        texts = list(dict.fromkeys(part.text for parts in filled.values() for part in parts))
        encoded = dict(zip(texts, self._tokenizer.encode_batch(texts, add_special_tokens=False)))
        of_pair = {pair: self._row(parts, encoded) for pair, parts in filled.items()}
        return [of_pair[pair] for pair in pairs]

    def fixed(self) -> int:
        """The number of tokens of a prompt whose query and document are empty."""
        return len(self.rows([Pair("", "")])[0].ids)

    def _filled(self, pair: Pair) -> list[_Part]:
        texts = {
            "query": self._plain(pair.query),
            "document": self._plain(pair.document),
            "instruction": self._instruction,
        }
        return [_fill(pieces, texts) for pieces in self._parts]

    def _row(self, parts: Sequence[_Part], encoded: Mapping[str, Any]) -> Row:
        encodings = [encoded[part.text] for part in parts]
        ids = np.array([number for encoding in encodings for number in encoding.ids], dtype=np.int64)
        if len(ids) <= self._max_length:
            return Row(ids, None, False)
        found: dict[str, np.ndarray] = {}
        first = 0
        for part, encoding in zip(parts, encodings):
            ends = np.array([end for _, end in encoding.offsets])  # a token belongs where it ends
            for name, start, stop in part.places:
                found[name] = first + np.flatnonzero((ends > start) & (ends <= stop))
            first += len(ends)
        query, document = found["query"], found["document"]
        kept = cut(len(query), len(document), self._max_length - (len(ids) - len(query) - len(document)))
        return Row(np.delete(ids, np.concatenate([query[kept[0] :], document[kept[1] :]])), None, True)


def _fill(pieces: Sequence[str], texts: Mapping[str, str]) -> _Part:
    """Join fixed texts (even places) and fields (odd places)."""
    text = ""
    places = []
    for at, piece in enumerate(pieces):
        start = len(text)
        text += texts[piece] if at % 2 else piece
        if at % 2 and piece != "instruction":
            places.append((piece, start, len(text)))
    return _Part(text, tuple(places))
