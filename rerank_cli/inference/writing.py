"""Prompts in, words out: what every source of generated text has in common, a server's or a local model's.

Nothing here knows what a ranking is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class Message(NamedTuple):
    """One turn of a chat: `role` is system, user or assistant."""

    role: str
    content: str


class Prompt(NamedTuple):
    """What a model is told: turns that its chat template frames, or a bare `text` (then there are no turns).

    `prefill` is the beginning of the answer, which the model goes on from. `draw` tells apart several answers to one
    prompt that are left to chance: each is decoded with a seed so much higher.
    """

    messages: tuple[Message, ...] = ()
    text: str = ""
    prefill: str = ""
    draw: int = 0


class Decoding(NamedTuple):
    """How the words are chosen; the defaults are greedy."""

    max_tokens: int = 256
    min_tokens: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    #: Texts that end the answer, which is kept up to the end of the first; not looked for before `min_tokens`.
    stop: tuple[str, ...] = ()
    #: How many of the likeliest tokens are told at each place; 0: none.
    logprobs: int = 0
    #: Texts of single tokens, one of which the (only) token must be; empty: any.
    allowed: tuple[str, ...] = ()
    #: Texts whose log-probabilities a local model tells at each place, under these texts and however unlikely they are;
    #: those that are no single token are left out, and a server tells only the likeliest.
    watched: tuple[str, ...] = ()
    #: Whether a model that can think aloud is to: None leaves it to the model.
    thinking: bool | None = None
    seed: int = 0


class Completion(NamedTuple):
    """The words, tokens read and written, and whether they were paid for earlier."""

    text: str
    read: int
    written: int
    #: For each token written: its text and the log-probabilities of the likeliest (the token itself among them); empty unless asked for.
    tokens: tuple[tuple[str, Mapping[str, float]], ...] = ()
    #: Why it ended: stop, length, or what a server said.
    finish: str = "stop"
    cached: bool = False


@runtime_checkable
class Writer(Protocol):
    """A model that goes on from a prompt."""

    #: What is answering, for keys and headers: everything besides prompt and decoding that the words depend on.
    identity: str
    #: For headers: onnx, torch or endpoint; where it runs; the precision, empty where a server keeps it to itself.
    engine: str
    device: str
    precision: str
    #: How many threads may call `complete` at a time; 1: it batches what it is given by itself.
    at_once: int
    #: Tokens of prompt and answer together, None when nobody knows.
    context: int | None

    def complete(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Completion]]:
        """Complete every prompt once, in whatever order and batches are quickest: (place among `prompts`, completion).

        A completion is kept, where a store is given, before it is handed over; it is handed over before the next is waited for.
        """
        ...

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each framed prompt; an estimate where the tokenizer is a server's."""
        ...
