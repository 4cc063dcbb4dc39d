"""The scorer of prompts that begin alike: what a query's prompts have in common goes through the model once.

A prompt puts instruction and query before the document, so the documents of a query differ only from some token
on. Where that is, is found on the tokens and not on the text: a tokenizer may join the last letter of one part with
the first of the next. What is left of each prompt is a row, batched by length across queries. In 16 bits on a processor
a prompt read in two parts rounds otherwise than one read whole, by what it shares with others: there each is read whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from rerank_cli.core.protocols import Answers, Pair
from rerank_cli.inference.batching import (
    Row,
    at_once,
    batches,
    computed,
    in_company,
    of_fixed_width,
    padded,
    shapes,
    within_memory,
)
from rerank_cli.inference.memory import numbered_by, telling
from rerank_cli.methods.pointwise import PairScorer, lengths

if TYPE_CHECKING:
    from rerank_cli.inference.prompts import PromptTokens
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import Description, LoadedBackend

#: Most bytes of keys and values of prefixes that are held at a time.
HELD = 1 << 28


@runtime_checkable
class GraphBackend(Protocol):
    """A backend that runs the graph of `methods.graphs.causal_graph` and gives both its outputs."""

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]: ...


class PromptScorer(PairScorer):
    """A `core.protocols.Scorer` over the graph of `methods.graphs.causal_graph`."""

    def __init__(self, tokens: PromptTokens, backend: LoadedBackend, record: Record, description: Description) -> None:
        super().__init__(tokens, backend, record, description)
        self._prompts = SharedPrompts(backend, record, description.batch_tokens)

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """See `Scorer.stream`; what a query's n prompts share once, then n rows of the rest; tokens are the whole prompts'."""
        rows = self._tokens.rows(pairs)
        tokens, truncated = lengths(rows)
        with telling(pairs):
            for at, values, calls in self._prompts.computed(rows, [pair.query for pair in pairs]):
                yield Answers(at, values, tokens[at], truncated[at], calls)


class SharedPrompts:
    """Runs prompts through the graph of `methods.graphs.causal_graph`; what those of one group begin with is computed once."""

    def __init__(self, backend: LoadedBackend, record: Record, batch_tokens: int) -> None:
        self._backend, self._record, self._batch_tokens = backend, record, batch_tokens
        size = record.params["prefix"]
        self._layers, self._heads, self._size = 2 * size["layers"], size["heads"], size["size"]

    def computed(self, rows: Sequence[Row], groups: Sequence[Hashable]) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Run n rows, each of a group; yields (positions of a batch's rows, its numbers, the batches they took)."""
        if not isinstance(self._backend, GraphBackend):  # the export's reference: every prompt whole
            whole = computed(self._backend, rows, self._record.inputs, self._record.pad_id, self._batch_tokens)
            yield from ((at, values, 1) for at, values in whole)
            return
        members: dict[Hashable, list[int]] = {}
        for i, group in enumerate(groups):
            members.setdefault(group, []).append(i)
        of_group = [np.array(own) for own in members.values()]
        rows = of_fixed_width(rows, self._backend)
        shared = np.zeros(len(of_group), dtype=np.int64)
        if shapes(rows) is None:
            shared[:] = [_shared([rows[i].ids for i in own]) for own in of_group]
        token_bytes = 4 * self._layers * self._heads * self._size
        for held in batches(shared, max(1, HELD // token_bytes)):
            first = [of_group[q][0] for q in held]
            with numbered_by(first):
                prefixes, calls = self._prefixes([rows[i].ids[:size] for i, size in zip(first, shared[held])])
            positions = np.concatenate([of_group[q] for q in held])
            owner = np.repeat(np.arange(len(held)), [len(of_group[q]) for q in held])
            rest = [rows[i]._replace(ids=rows[i].ids[shared[held[own]] :]) for i, own in zip(positions, owner)]
            # What a token attends to counts, shared or not: it is what a batch takes memory for.
            sizes = np.array([len(row.ids) for row in rest]) + prefixes.shape[3]
            answered = within_memory(self._backend, partial(self._answered, rest, owner, prefixes, shared[held]), sizes)
            with numbered_by(positions):
                some = batches(sizes, self._batch_tokens, shapes(rest))
                for chosen, values in at_once(answered, some, self._backend.workers):
                    yield positions[chosen], values, calls + 1
                    calls = 0

    def _answered(
        self, rest: Sequence[Row], owner: np.ndarray, prefixes: np.ndarray, sizes: np.ndarray, chosen: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        asked = in_company(chosen, rest)
        yield chosen, self._run([rest[i] for i in asked], owner[asked], prefixes, sizes, keep=0)[0][: len(chosen)]

    def _prefixes(self, beginnings: Sequence[np.ndarray]) -> tuple[np.ndarray, int]:
        """Keys and values (2 x layers, q, heads, longest, size) of prompts' beginnings, and the batches they took."""
        sizes = np.array([len(ids) for ids in beginnings])
        held = np.zeros((self._layers, len(beginnings), self._heads, sizes.max(), self._size), dtype=np.float32)
        there = np.flatnonzero(sizes)
        calls = 0
        none = np.zeros((self._layers, 1, self._heads, 0, self._size), dtype=np.float32)

        def kept(chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            rows = [Row(beginnings[i], None, False) for i in chosen]
            longest = int(sizes[chosen].max())
            owner = np.zeros(len(rows), dtype=np.int64)
            yield chosen, self._run(rows, owner, none, owner[:1], keep=longest)[1]

        some = (there[chosen] for chosen in batches(sizes[there], self._batch_tokens))
        for places, states in at_once(within_memory(self._backend, kept, sizes), some, self._backend.workers):
            held[:, places, :, : states.shape[3]] = states
            calls += 1
        return held, calls

    def _run(
        self, rows: Sequence[Row], owner: np.ndarray, prefixes: np.ndarray, sizes: np.ndarray, *, keep: int
    ) -> list[np.ndarray]:
        assert isinstance(self._backend, GraphBackend)
        return self._backend.outputs(
            {
                **padded(rows, self._record.inputs, self._record.pad_id),
                "owner": owner,
                "prefix": prefixes,
                "lengths": sizes,
                "keep": np.arange(keep),
            }
        )


def _shared(prompts: Sequence[np.ndarray]) -> int:
    """How many tokens all prompts of a group begin with, leaving one of each; none for a single prompt."""
    if len(prompts) == 1:
        return 0
    shortest = min(len(ids) for ids in prompts)
    same = (np.stack([ids[:shortest] for ids in prompts]) == prompts[0][:shortest]).all(0)
    return shortest - 1 if same.all() else int(same.argmin())
