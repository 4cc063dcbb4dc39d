"""RankT5 without a decoder: a linear head reads the first state of a T5's encoder.

Half of T5's weights stay unused. The published checkpoint (Naver, TREC Deep Learning 2022) reads the pair as the
tokenizer lays it out, `query </s> document </s>`, and its head is two linear layers with a layer norm between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.core.method import Method
from rerank_cli.methods.graphs.t5_decoder import PRECISIONS as PRECISIONS
from rerank_cli.methods.graphs.t5_decoder import require_t5

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend, PairScorer
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="rankt5-encoder",
    asks="score",
    summary="scores the pair with a linear head on the first state of a T5's encoder",
    paper="Zhuang et al., RankT5: Fine-Tuning T5 for Text Ranking with Ranking Losses, arXiv:2210.10634",
    calls="n",
    score="logit",
    when=(
        "RankT5 without its decoder: the encoder's first state and a linear head. A little cheaper than the whole "
        "T5 and as good."
    ),
)
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None

MAX_LENGTH = 512


def _model_class(config: dict[str, Any]) -> Any:
    """A transformers class with the checkpoint's names for its parts."""
    import torch
    from transformers import T5EncoderModel, T5PreTrainedModel

    class EncoderRanker(T5PreTrainedModel):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.model = T5EncoderModel(config)
            self.first_transform = torch.nn.Linear(config.d_model, config.d_model)
            self.layer_norm = torch.nn.LayerNorm(config.d_model, eps=1e-12)
            self.linear = torch.nn.Linear(config.d_model, 1)
            self.post_init()

        def head(self, states: Any) -> Any:
            """Scores (n,) from the encoder's states (n, L, d)."""
            return self.linear(self.layer_norm(self.first_transform(states[:, 0])))[:, 0]

    return EncoderRanker


MODEL_CLASS = _model_class


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5."""
    checkpoint = source.checkpoint
    require_t5(source.config, checkpoint.name, "RankT5's encoder")
    return source.new_record(
        score="logit",
        inputs=("input_ids", "attention_mask"),
        max_length=checkpoint.max_length or MAX_LENGTH,
        template=checkpoint.template or "",
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask -> scores (n,)."""
    import torch

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = self.inner.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return self.inner.head(states)

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores one pair at a time, without padding."""
    import torch

    rows = []
    for ids, mask in zip(batch["input_ids"], batch["attention_mask"]):
        states = model.model(input_ids=ids[mask == 1][None]).last_hidden_state
        rows.append(model.head(states))
    return torch.cat(rows)


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PairScorer:
    """A `Scorer` over the tokenizer's own pair layout, or over a template where the checkpoint has one."""
    from rerank_cli.methods import cross_encoder
    from rerank_cli.methods.pointwise import template_scorer

    of_layout = template_scorer if record.template else cross_encoder.scorer
    return of_layout(record, tokenizer, backend, max_length, batch_tokens)
