"""LiT5-Distill: a T5 that reads twenty passages apart and writes their numbers in order, learnt from RankGPT's orders.

A passage and its number are read with the query by a small encoder, 150 tokens at a time, so that a window of twenty
costs twenty short texts instead of one long one. The checkpoints of version 2 see a hundred at once.

A window that is not full is asked as it is, as in the code the authors maintain (RankLLM); their first scripts filled
it with empty passages. Where a passage is too long its end is cut; the scripts cut the words after it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Unpack

from rerank_cli.core.method import Method
from rerank_cli.methods.fid import FusedRanker, Opened, opened, ordered, record_of

if TYPE_CHECKING:
    from rerank_cli.methods import Placed
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

WINDOW = 20
METHOD = Method(
    name="lit5-distill",
    asks="order",
    summary="reads the passages of a window apart with a T5 and writes their order",
    paper="Tamber, Pradeep and Lin, Scaling Down, LiTting Up: Efficient Zero-Shot Listwise Reranking with Seq2seq "
    "Encoder-Decoder Models, arXiv:2312.16098",
    calls="1 + ceil((n - 20) / 10)",
    score="rank",
    strategy="sliding",
    settings={"window": WINDOW, "step": WINDOW // 2},
    when="A listwise reranker without a large language model: 0.2 to 3 billion weights, and every passage is cut at 150 "
    "tokens. For 100 documents the first version makes nine calls, one after another; the second (v2) makes one. Take it "
    "for short passages when RankZephyr is too slow; for long documents take a model that reads more of them.",
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None
PRECISIONS = ("fp32", "bf16")
ENGINES = ("torch",)

TEMPLATE = "Search Query: {query} Passage: {document} Relevance Ranking: "
MAX_LENGTH = 150
#: Tokens of an answer, with its start token, for windows of twenty.
_LONGEST = 140


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5."""
    window = source.checkpoint.settings.get("window") or WINDOW
    return record_of(source, score=METHOD.score, template=TEMPLATE, max_length=MAX_LENGTH, called="LiT5", window=window)


def by_torch(model: Any, record: Record, tokenizer: Any, **placed: Unpack[Placed]) -> LiT5Distill:
    """A `Ranker`."""
    own = opened(model, record, tokenizer, numbered=f"[{record.params['window']}]", **placed)
    return LiT5Distill(own, record)


class LiT5Distill(FusedRanker):
    """A `core.protocols.Ranker`; see this module's docstring."""

    strategy = METHOD.strategy

    def __init__(self, own: Opened, record: Record) -> None:
        super().__init__(own, record)
        self.most = record.params["window"]
        self.settings = {"window": self.most, "step": self.most // 2}
        # A longer window gets the characters of its order in tokens, as the authors count it.
        self.longest = max(_LONGEST, len(" > ".join(f"[{number + 1}]" for number in range(self.most))))

    def numbered(self, number: int, document: str) -> str:
        """See `FusedRanker.numbered`."""
        return f"[{number}] {document}"

    def order(self, text: str, n: int) -> tuple[list[int], str]:
        """See `FusedRanker.order`: every run of digits is a number."""
        return ordered(re.findall("[0-9]+", text), n)
