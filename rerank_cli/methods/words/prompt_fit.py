"""A prompt that fits: only documents give way, all alike, and what was cut is counted.

A document is cut first to what its prompt file says, and then, where the model's context is short, to ever fewer words
until prompt and answer fit or every document is down to one word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from rerank_cli.inference.writing import Prompt, Writer
from rerank_cli.methods.words.prompt import PromptFile

_WORD = re.compile(r"\S+")


class Fitted(NamedTuple):
    """A rendered prompt, its tokens where the context is known (else 0), and how many of its documents were cut."""

    prompt: Prompt
    tokens: int
    truncated: int


def fit(
    file: PromptFile,
    writer: Writer,
    query: str,
    documents: Sequence[str],
    *,
    room: int | None,
    instruction: str = "",
    scores: Sequence[float] | None = None,
) -> Fitted:
    """Render `documents` into at most `room` tokens of prompt (None: no limit), with as much of each as fits.

    Shrinks as the field's reference does: by a quarter of the excess, shared by all, a round. Costs no model call, one
    count of tokens a round. A prompt that is too long with one word of each is returned as it is: the writer says so.
    """
    texts = [file.shortened(text, len(documents)) for text in documents]
    if "tokens" in file.cut:
        texts = first_tokens(texts, file.cut["tokens"], writer)
    words = max((len(_WORD.findall(text)) for text in texts), default=0)
    while True:
        prompt = file.filled(query, texts, instruction=instruction, scores=scores)
        tokens = 0 if room is None else writer.count([prompt])[0]
        if room is None or tokens <= room or words <= 1:
            cut = sum(_letters(short) != _letters(file.cleaned(text)) for short, text in zip(texts, documents))
            return Fitted(prompt, tokens, cut)
        words = max(1, words - max(1, (tokens - room) // (4 * len(texts))))
        texts = [first_words(text, words) for text in texts]


def first_words(text: str, n: int) -> str:
    """The first n words of a text, with the blanks that part them."""
    for at, word in enumerate(_WORD.finditer(text), 1):
        if at == n:
            return text[: word.end()]
    return text


def first_tokens(texts: Sequence[str], n: int, writer: Writer) -> list[str]:
    """The first n tokens of each text by the writer's own `tokenizer`; of a server's model as many words as it estimates to be n."""
    tokenizer: Any = getattr(writer, "tokenizer", None)
    if tokenizer is not None:
        encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [text if len(one.ids) <= n else text[: one.offsets[n - 1][1]] for text, one in zip(texts, encoded)]
    frame, *whole = writer.count([Prompt(text=text) for text in ("", *texts)])
    words = [len(_WORD.findall(text)) for text in texts]
    bounds = [[0 if tokens - frame > n else most, most] for tokens, most in zip(whole, words)]
    while wide := [at for at, (fits, beyond) in enumerate(bounds) if beyond - fits > 1]:
        middles = [sum(bounds[at]) // 2 for at in wide]
        counted = writer.count([Prompt(text=first_words(texts[at], middle)) for at, middle in zip(wide, middles)])
        for at, middle, tokens in zip(wide, middles, counted):
            bounds[at][int(tokens - frame > n)] = middle
    return [first_words(text, max(1, fits)) for text, (fits, _) in zip(texts, bounds)]


def _letters(text: str) -> str:
    return "".join(text.split())
