"""Cross-encoders: query and document go through one encoder together, a linear head reads the first token.

The most exact encoder there is for its size, and the dearest: nothing can be computed before the query is
known. One label: the score is its logit. Two labels (monoBERT): log p(relevant), or the margin of the two
logits, which orders alike. Never a sigmoid: in 32 bits it says 1.0 for every good document.

The score reads one row of the last layer, so only that row is computed (see `first_row`): exact, and almost
a sixth of a six-layer model's work.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.core.method import Method
from rerank_cli.errors import BadData

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend, PairScorer
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="cross-encoder",
    asks="score",
    summary="reads query and document together and scores the pair with a classification head",
    paper="Nogueira and Cho, Passage Re-ranking with BERT, arXiv:1901.04085",
    calls="n",
    score="logit",
)
MODEL_CLASS = "AutoModelForSequenceClassification"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = "bert"


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it has no classification head, or one of more than two labels."""
    config = source.config
    if not any(str(a).endswith("ForSequenceClassification") for a in config.get("architectures") or []):
        raise BadData(
            f"{source.checkpoint.name} has no classification head: its configuration says {config.get('architectures')}",
            "a cross-encoder is a ...ForSequenceClassification",
        )
    labels = len(config["id2label"]) if "id2label" in config else int(config.get("num_labels", 2))
    if labels > 2:
        raise BadData(
            f"{source.checkpoint.name} has {labels} labels; a cross-encoder has one, or two (not relevant, relevant)"
        )
    score = source.checkpoint.score
    if labels == 1:
        score = "logit"
    elif score not in ("margin", "logprob"):
        score = "logprob"
    return source.new_record(score=score, inputs=source.inputs(), params={"labels": labels})


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask (and types) -> scores (n,)."""
    import torch

    from rerank_cli.methods.first_row import keep_first_row

    keep_first_row(model)

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arrays: Any) -> Any:
            return _scores(self.model(**dict(zip(record.inputs, arrays))).logits, record)

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores by the library's own forward pass and log-softmax."""
    logits = model(**batch).logits.double()
    if record.score == "logprob":
        return logits.log_softmax(-1)[:, -1]
    return logits[:, 1] - logits[:, 0] if record.score == "margin" else logits[:, 0]


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PairScorer:
    """A `Scorer` over the tokenizer's own pair layout."""
    from rerank_cli.inference.tokens import PairTokens, frame_of
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import PairScorer, description

    length = chosen_length(record, max_length, frame_of(tokenizer, 2).size)
    tokens = PairTokens(tokenizer, length, typed="token_type_ids" in record.inputs)
    return PairScorer(tokens, backend, record, description(record, backend, length, "", batch_tokens))


def _scores(logits: Any, record: Record) -> Any:
    if record.score == "logit":
        return logits[:, 0]
    margin = logits[:, 1] - logits[:, 0]
    if record.score == "margin":
        return margin
    from torch.nn.functional import softplus

    return -softplus(-margin)  # log p of the second label, without the cancellation that ties good documents at 0
