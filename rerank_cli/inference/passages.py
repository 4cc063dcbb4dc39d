"""Long documents as overlapping windows of tokens.

A model that reads 512 tokens sees the beginning of a long document and nothing else. Cut into passages, each
scored by itself, all of it is seen (Dai and Callan, Deeper Text Understanding for IR with Contextual Neural
Language Modeling, arXiv:1905.09217). The cuts are made between tokens of the model's own tokenizer.
"""

from __future__ import annotations

from typing import Any

from rerank_cli.inference.tokens import PlainText


class Passages:
    """Cuts a text into passages of `size` tokens that begin every `stride` tokens; the last one ends with the text."""

    def __init__(self, tokenizer: Any, size: int, stride: int, *, first_only: bool = False) -> None:
        self._tokenizer = tokenizer
        self._plain = PlainText(tokenizer)
        self._size = size
        self._stride = stride
        self._first_only = first_only

    def __call__(self, text: str) -> list[str]:
        """The passages of `text`, at least one: a text without tokens is its own passage. Costs one tokenisation."""
        text = self._plain(text)
        # Characters of each token. One character may be several tokens (bytes): they share its span.
        spans = self._tokenizer.encode(text, add_special_tokens=False).offsets
        out = []
        for start in range(0, max(len(spans), 1), self._stride):
            within = spans[start : start + self._size]
            out.append(text[within[0][0] : within[-1][1]] if within else text)
            if self._first_only or start + self._size >= len(spans):
                break
        return out
