"""A writer that is asked nothing twice: what it wrote is kept under a hash of what it was asked.

The key holds all that the words depend on: who wrote them (`Writer.identity`), the whole prompt, and how the words were
chosen, the seed among it. Where they were written (a server's address) and who paid (its key) are no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from rerank_cli.core.protocols import Cache
from rerank_cli.core.side_by_side import side_by_side
from rerank_cli.inference.memory import numbered_by
from rerank_cli.inference.writing import Completion, Decoding, Prompt, Writer

#: Raised when the same question gets other words from a newer version of the program, or they are kept in another form.
_WORDS = 1


class KeptWriter:
    """A `Writer` over another one: completions that are in `store` without asking it, the others kept there first."""

    def __init__(self, writer: Writer, store: Cache) -> None:
        self.identity = writer.identity
        self.engine = writer.engine
        self.device = writer.device
        self.precision = writer.precision
        self.at_once = writer.at_once
        self.context = writer.context
        self._writer = writer
        self._store = store

    def complete(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Completion]]:
        """See `Writer.complete`; what is kept comes first, and of prompts that are equal one is asked.

        A completion is in the store before it is handed over. With a writer that may be called from many threads it is put
        there by the thread that waited for it, so that a slow taker loses nothing either.
        """
        places: dict[bytes, list[int]] = {}
        for at, prompt in enumerate(prompts):
            places.setdefault(self._key(prompt, decoding), []).append(at)
        unknown = []
        for key, value in zip(places, self._store.get(list(places)), strict=True):
            if value is None:
                unknown.append(key)
                continue
            kept = _unpacked(value)
            yield from ((at, kept) for at in places[key])
        asked = [prompts[places[key][0]] for key in unknown]
        with numbered_by([places[key][0] for key in unknown]):
            for number, completion in self._written(asked, unknown, decoding):
                first, *others = places[unknown[number]]
                yield first, completion
                yield from ((at, completion._replace(cached=True)) for at in others)

    def kept(self, asked: Sequence[tuple[Prompt, Decoding]]) -> list[bool]:
        """Which of the completions are in the store."""
        return [value is not None for value in self._store.get([self._key(*one) for one in asked])]

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """See `Writer.count`."""
        return self._writer.count(prompts)

    def _written(
        self, prompts: Sequence[Prompt], keys: Sequence[bytes], decoding: Decoding
    ) -> Iterator[tuple[int, Completion]]:
        """Completions of prompts that are not kept, each kept under its key when it is handed over."""

        def keep(number: int, completion: Completion) -> tuple[int, Completion]:
            self._store.put([(keys[number], _packed(completion))])
            return number, completion

        def alone(number: int) -> tuple[int, Completion]:
            ((_, completion),) = self._writer.complete([prompts[number]], decoding)
            return keep(number, completion)

        if self.at_once > 1:
            return side_by_side(alone, range(len(prompts)), self.at_once)
        return (keep(number, completion) for number, completion in self._writer.complete(prompts, decoding))

    def _key(self, prompt: Prompt, decoding: Decoding) -> bytes:
        told = prompt._asdict()
        decoding = decoding._replace(seed=decoding.seed + told.pop("draw"))
        asked = json.dumps([_WORDS, self.identity, told, decoding._asdict()], sort_keys=True)
        return hashlib.blake2b(asked.encode(), digest_size=16).digest()


def _packed(completion: Completion) -> bytes:
    return json.dumps(completion[:-1], separators=(",", ":")).encode()


def _unpacked(value: bytes) -> Completion:
    text, read, written, tokens, finish = json.loads(value)
    return Completion(text, read, written, tuple((token, told) for token, told in tokens), finish, cached=True)
