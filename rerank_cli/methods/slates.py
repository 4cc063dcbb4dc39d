"""The ranker that every method with labels shares: slates to prompts, prompts to batches, labels' logits to answers.

The questions of all queries that are asked together are batched by length, as pairs are. Prompts of a causal model that
begin with the same query and the same first document (all duels of one document) share what they begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from rerank_cli.core.protocols import Answers, Lengths, Pair, Reply, Slate
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.batching import Row, computed
from rerank_cli.inference.memory import telling
from rerank_cli.inference.slate_prompts import SlatePrompts, SlateRow, whole
from rerank_cli.methods.pointwise import BatchScorer

if TYPE_CHECKING:
    from rerank_cli.core.method import Method
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import Description, LoadedBackend

#: Slates whose tokens are held at a time.
_HELD = 4096


class SlateRanker(BatchScorer):
    """A `core.protocols.Ranker` over one prompt a slate, whose graph gives each document's label a logit.

    `record.score` says what becomes of a slate's logits: prob and logprob are theirs under the softmax over its own
    labels, logit is left as it is. One forward pass a slate.
    """

    asks: Literal["prefer", "pick", "order", "rate"]
    most: int | None
    at_once: int = 1
    strategy: str
    settings: Mapping[str, Any]

    def __init__(
        self,
        prompts: SlatePrompts,
        most: int,
        backend: LoadedBackend,
        record: Record,
        description: Description,
        method: Method,
    ) -> None:
        super().__init__(record, description)
        self.asks = cast('Literal["prefer", "order"]', method.asks)
        self.most = self._most = most
        self.strategy, self.settings = method.strategy, method.settings
        self._prompts = prompts
        self._backend = backend
        self._record = record

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """See `Ranker.answer`; raises `WrongUsage` for a slate of more documents than there are labels."""
        for start in range(0, len(slates), _HELD):
            some = slates[start : start + _HELD]
            rows = self._rows(some)
            groups = [(slate.query, slate.documents[0]) for slate in some]
            with telling(some):
                for positions, logits in self._computed([made.row for made in rows], groups):
                    for at, own in zip(positions.tolist(), logits):
                        made = rows[at]
                        values = _values(own[: len(some[at].documents)].astype(np.float64), self._record.score)
                        yield start + at, Reply(values, tokens=len(made.row.ids), truncated=made.cut)

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        """See `Ranker.measure`."""
        rows = self._rows(slates)
        tokens = np.array([len(made.row.ids) for made in rows], dtype=np.int64)
        return Lengths(tokens, np.array([made.row.truncated for made in rows], dtype=bool))

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """Each query's pairs in slates as large as may be: how exports are compared and speed is measured.

        A pair's tokens are its share of its slate's; a document that is alone in a duel meets its query's first one.
        """
        slates, places = _cut(pairs, self._most)
        for number, reply in self.answer(slates):
            at = places[number]
            tokens = np.diff(np.linspace(0, reply.tokens, len(at) + 1).astype(np.int64))
            cut = np.full(len(at), reply.truncated > 0)
            yield Answers(at, reply.values[: len(at)].astype(np.float32), tokens, cut, reply.calls)

    def _rows(self, slates: Sequence[Slate]) -> list[SlateRow]:
        for slate in slates:
            if not 1 <= len(slate.documents) <= self._most:
                raise WrongUsage(
                    f"{self.checkpoint} reads at most {self._most} documents at once, and was asked about {len(slate.documents)}",
                    "a smaller --window asks about fewer",
                )
        return self._prompts.rows(slates)

    def _computed(self, rows: Sequence[Row], groups: Sequence[Hashable]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions of a batch's rows and their logits (b, labels)."""
        record, budget = self._record, self.description.batch_tokens
        if "prefix" not in record.params:
            return computed(self._backend, rows, record.inputs, record.pad_id, budget)
        from rerank_cli.methods.prompted import SharedPrompts

        return ((at, logits) for at, logits, _ in SharedPrompts(self._backend, record, budget).computed(rows, groups))


def slate_ranker(
    method: Method,
    record: Record,
    tokenizer: Any,
    backend: LoadedBackend,
    max_length: int | None,
    batch_tokens: int | None,
    passage: Callable[[str], tuple[str, bool]] = whole,
) -> SlateRanker:
    """A `Ranker` over the record's template; raises `WrongUsage` for a length that has no room for two documents."""
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description

    params = record.params

    def prompts(length: int) -> SlatePrompts:
        return SlatePrompts(
            tokenizer,
            length,
            record.template,
            params["names"],
            frame=params["frame"],
            chat="prefix" in params,
            passage=passage,
        )

    unlimited = prompts(1 << 30)
    length = chosen_length(record, max_length, unlimited.fixed(2))
    most = 2 if method.asks == "prefer" else unlimited.most(length)
    about = description(record, backend, length, record.template, batch_tokens)
    return SlateRanker(prompts(length), most, backend, record, about, method)


def _values(logits: np.ndarray, score: str) -> np.ndarray:
    """A slate's logits (m,) as the scale `score` has them."""
    if score == "logit":
        return logits
    shifted = logits - logits.max()
    logprobs: np.ndarray = shifted - np.log(np.exp(shifted).sum())
    return np.exp(logprobs) if score == "prob" else logprobs


def _cut(pairs: Sequence[Pair], size: int) -> tuple[list[Slate], list[np.ndarray]]:
    """The pairs of each query in slates of `size`, and the places of the pairs whose answers each slate gives."""
    of_query: dict[str, list[int]] = {}
    for at, pair in enumerate(pairs):
        of_query.setdefault(pair.query, []).append(at)
    slates: list[Slate] = []
    places: list[np.ndarray] = []
    for query, own in of_query.items():
        for start in range(0, len(own), size):
            some = own[start : start + size]
            places.append(np.array(some, dtype=np.int64))
            shown = some if len(some) > 1 else [some[0], own[0]]
            documents = [pairs[at].document for at in shown]
            slates.append(Slate(query, documents, np.zeros(len(shown)), np.arange(len(shown))))
    return slates, places
