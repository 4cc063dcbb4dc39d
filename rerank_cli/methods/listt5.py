"""ListT5: a T5 that reads five passages apart and writes their numbers from the least to the most relevant.

The best comes last, when the decoder has seen all the others go. A tournament of fives finds the best of a hundred, then
the second best, where only the path of the one that left is asked again.

Its five passages stand in the first stage's order, whatever the tournament asks them in. Fewer are repeated from the first
until they are five, as the authors do.
"""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.methods.fid import FusedRanker, opened, ordered, record_of, unwrapped

if TYPE_CHECKING:
    from rerank_cli.core.protocols import Slate
    from rerank_cli.methods import Placed
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

#: Passages of a question, always.
FIVE = 5
METHOD = Method(
    name="listt5",
    asks="order",
    summary="reads five passages apart with a T5 and writes them from worst to best, in a tournament",
    paper="Yoon et al., ListT5: Listwise Reranking with Fusion-in-Decoder Improves Zero-shot Retrieval, arXiv:2402.15838",
    calls="about n for the best 10 (35 for the best of 100, some 94 for the best 10)",
    score="rank",
    strategy="tournament",
    settings={"window": FIVE, "winners": 2, "top": 10},
    when="Made for collections that it was not trained on, and robust against the order in which documents come. The best ten "
    "of 100 take some 94 calls of five passages, many of them at once; the rest keep the first stage's order. Take it when "
    "the first places count; monoT5 of the same size costs a fifth.",
)
MODEL_CLASS = unwrapped
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None
PRECISIONS = ("fp32", "bf16")
ENGINES = ("torch",)

TEMPLATE = "Query: {query}, Index: {document}"
#: The authors' for MS MARCO's passages; they take 512 and 1024 for longer documents.
MAX_LENGTH = 256


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5."""
    return record_of(source, score=METHOD.score, template=TEMPLATE, max_length=MAX_LENGTH, called="ListT5")


def by_torch(model: Any, record: Record, tokenizer: Any, **placed: Unpack[Placed]) -> ListT5:
    """A `Ranker`."""
    own = opened(model, record, tokenizer, numbered=_numbered(FIVE, ""), **placed)
    return ListT5(own, record)


class ListT5(FusedRanker):
    """A `core.protocols.Ranker`; see this module's docstring."""

    most = FIVE
    #: Five numbers, the start token and one more.
    longest = FIVE + 2
    strategy = METHOD.strategy
    settings = METHOD.settings

    def places(self, slate: Slate) -> list[int]:
        """See `FusedRanker.places`: five of them, by the incoming order."""
        incoming = np.argsort(slate.positions, kind="stable").tolist()
        repeated = islice(cycle(range(len(incoming))), max(FIVE, len(incoming)))
        return [incoming[at] for at in sorted(repeated)]

    def numbered(self, number: int, document: str) -> str:
        """See `FusedRanker.numbered`."""
        return _numbered(number, document)

    def order(self, text: str, n: int) -> tuple[list[int], str]:
        """See `FusedRanker.order`: the last number is the best; what is no number counts as wrong."""
        return ordered(reversed(text.split()), n)


def _numbered(number: int, document: str) -> str:
    return f"{number}, Context: {document}"
