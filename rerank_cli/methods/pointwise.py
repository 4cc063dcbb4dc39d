"""The scorers that every pointwise method shares: pairs to rows, rows to batches, answers back in order."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from rerank_cli.core.protocols import Answers, Backend, Lengths, Pair, Scores, gathered
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.batching import Row, computed
from rerank_cli.inference.memory import telling
from rerank_cli.methods.exported import Record

#: Padded tokens in a batch unless the user says another: few fit a processor's cache, many fill a GPU; what is computed in
#: 16 bits takes less room, and has more to gain from a batch.
BATCH_TOKENS = {"cpu": 512, "cuda": 32768}
_OF_16_BITS = 2048

#: Raised when the same question gets another answer from a newer version of the program: in one precision, or in all others.
_ANSWERS = {"bf16": 2, "fp16": 2}
_OTHER_ANSWERS = 1
#: What a description says that changes no answer: whatever else it says, now or later, parts the answers.
_SAYS_NOTHING = ("name", "source", "revision", "batch_tokens", "device")


@dataclass(frozen=True)
class Description:
    """What is scoring, for headers and notes."""

    name: str
    method: str
    score: str
    max_length: int
    #: onnx or torch, and the ONNX Runtime provider (torch for PyTorch).
    engine: str
    provider: str
    device: str
    precision: str
    template: str
    source: str
    revision: str | None
    #: The same checkpoint asked in the same way has the same hash, in every engine.
    model_hash: str
    batch_tokens: int

    def asked(self) -> hashlib.blake2b:
        """A hash of everything but the texts that an answer depends on."""
        facts = {name: fact for name, fact in asdict(self).items() if name not in _SAYS_NOTHING}
        # One GPU answers as another does, a processor does not.
        facts |= {"answers": _ANSWERS.get(self.precision, _OTHER_ANSWERS), "kind": self.device.partition(":")[0]}
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)

    def __str__(self) -> str:
        where = self.device if self.provider in ("torch", "cpu", "cuda") else f"{self.device} by {self.provider}"
        asked = ", ".join(dict.fromkeys((self.method, self.score)))  # some scores are called as their method is
        return f"{self.name}: {asked}, {self.max_length} tokens, {self.engine} {self.precision} on {where}"


class Placed(Protocol):
    """What says what it runs on."""

    engine: str
    provider: str
    device: Any


class LoadedBackend(Backend, Placed, Protocol):
    """A backend that says what it runs on."""

    #: How many batches it takes at once.
    workers: int


def description(
    record: Record, backend: Placed, max_length: int, template: str, batch_tokens: int | None
) -> Description:
    """Describe `record` as it runs in `backend`."""
    fixed = getattr(backend, "length_step", 1) > 1
    return Description(
        name=record.name,
        method=record.method,
        score=record.score,
        max_length=max_length,
        engine=backend.engine,
        provider=backend.provider,
        device=str(backend.device),
        precision=record.precision,
        template=template,
        source=record.source,
        revision=record.revision,
        model_hash=record.source_hash,
        batch_tokens=batch_tokens or (_OF_16_BITS if fixed else BATCH_TOKENS[backend.device.kind]),
    )


class PairRows(Protocol):
    """Turns pairs into token rows."""

    def rows(self, pairs: Sequence[Pair]) -> list[Row]: ...


class BatchScorer(ABC):
    """What every scorer of this room shares: its description, and an answer to all pairs at once."""

    #: The model's tokenizer, for who must cut a text where the model would; given by `methods.load`.
    tokenizer: Any = None

    def __init__(self, record: Record, description: Description) -> None:
        self.description = description
        self.checkpoint = record.name

    @abstractmethod
    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """See `Scorer.stream`."""

    def score(self, pairs: Sequence[Pair]) -> Scores:
        """Every answer, in the pairs' order."""
        return gathered(self.stream(pairs), len(pairs))


class PairScorer(BatchScorer):
    """A `core.protocols.Scorer` over one row a pair: cross-encoders, monoT5."""

    def __init__(self, tokens: PairRows, backend: LoadedBackend, record: Record, description: Description) -> None:
        super().__init__(record, description)
        self._tokens = tokens
        self._backend = backend
        self._record = record

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """See `Scorer.stream`; n rows through the model. The pairs are tokenised when it is called, scored when the answers are taken."""
        return self._scored(self._tokens.rows(pairs), pairs)

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `Scorer.measure`."""
        return lengths(self._tokens.rows(pairs))

    def _scored(self, rows: list[Row], pairs: Sequence[Pair]) -> Iterator[Answers]:
        tokens, truncated = lengths(rows)
        record, budget = self._record, self.description.batch_tokens
        with telling(pairs):
            for at, values in computed(self._backend, rows, record.inputs, record.pad_id, budget):
                yield Answers(at, values, tokens[at], truncated[at], 1)


def template_scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PairScorer:
    """A `Scorer` of pairs inside the sentence `record.template`; raises `WrongUsage` for a length that cannot hold it."""
    from rerank_cli.inference.tokens import TemplateTokens
    from rerank_cli.methods.exported import chosen_length

    if record.template.find("{document}") < record.template.find("{query}"):
        raise WrongUsage(
            f"the prompt of {record.name} has {{document}} before {{query}}", f"a {record.method} reads the query first"
        )
    empty = tokenizer.encode(record.template.replace("{query}", "").replace("{document}", ""))
    length = chosen_length(record, max_length, len(empty.ids))
    tokens = TemplateTokens(tokenizer, length, record.template)
    return PairScorer(tokens, backend, record, description(record, backend, length, record.template, batch_tokens))


def lengths(rows: Sequence[Row]) -> Lengths:
    """Tokens of each row, in both of its directions where it has two, and whether its text was cut."""
    more = (sum(len(part) for name, part in row.extra.items() if name.endswith("input_ids")) for row in rows)
    tokens = np.array([len(row.ids) + others for row, others in zip(rows, more)], dtype=np.int64)
    return Lengths(tokens, np.array([row.truncated for row in rows], dtype=bool))
