"""Cross-encoders: query and document go through one model together, a linear head reads one token of its last layer.

The most exact model there is for its size, and the dearest: nothing can be computed before the query is
known. One label: the score is its logit. Two labels (monoBERT): log p(relevant), or the margin of the two
logits, which orders alike. Never a sigmoid: in 32 bits it says 1.0 for every good document.

An encoder's head reads the first token, a decoder's (RankLLaMA) the last real one. The score needs one row of the
last layer, so only that row is computed (`first_row`, `last_token`): exact, and almost a sixth of a six-layer
model's work. Most models read the tokenizer's own pair; those trained with a sentence around it name it as template.
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
    when=(
        "The workhorse: query and document are read together, one forward a document, so it is exact where "
        "embeddings are vague and still quick on a processor with a small model. The first choice for a hundred "
        "candidates. Several billion parameters (bge-v2-gemma, RankLLaMA) buy a few points and want a GPU."
    ),
)
MODEL_CLASS = "AutoModelForSequenceClassification"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = "bert"


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it has no classification head, or one of more than two labels."""
    from rerank_cli.methods.graphs.last_token import PRUNED
    from rerank_cli.methods.own_template import own_template

    config = source.config
    if not any(str(a).endswith("ForSequenceClassification") for a in config.get("architectures") or []):
        modular = (source.folder / "modules.json").is_file()
        raise BadData(
            f"{source.checkpoint.name} has no classification head: its configuration says {config.get('architectures')}",
            "give --method modular-cross-encoder if its modules.json ends in a score"
            if modular
            else "a cross-encoder is a ...ForSequenceClassification",
        )
    labels = len(config["id2label"]) if "id2label" in config else int(config.get("num_labels", 2))
    template = source.checkpoint.template or own_template(source)
    if not template and config.get("model_type") in PRUNED and not source.checkpoint.score:  # nobody has listed it
        source.note(
            f"{source.checkpoint.name}: giving it query and document as its tokenizer's own pair, no sentence around"
        )
    return source.new_record(
        score=scale(source, labels),
        inputs=source.inputs(),
        template=template,
        params={"labels": labels, "instruction": source.checkpoint.instruction},
    )


def scale(source: Source, labels: int) -> str:
    """The scale of the scores for this many labels; raises `BadData` for more than two."""
    if labels > 2:
        raise BadData(
            f"{source.checkpoint.name} has {labels} labels; a cross-encoder has one, or two (not relevant, relevant)"
        )
    if labels == 1:
        return "logit"
    return source.checkpoint.score if source.checkpoint.score in ("margin", "logprob") else "logprob"


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask (and types) -> scores (n,)."""
    import torch

    from rerank_cli.methods.graphs.one_row import from_transformers

    logits = _decoder(model) if hasattr(model, "score") and from_transformers(model) else _encoder(model)

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = logits

        def forward(self, *arrays: Any) -> Any:
            return scores_of(self.logits(**dict(zip(record.inputs, arrays))), record)

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores by the library's own forward pass of one pair at a time without padding, and its log-softmax."""
    import torch

    lengths = batch["attention_mask"].sum(1).tolist()
    singles = ({name: part[i : i + 1, :length] for name, part in batch.items()} for i, length in enumerate(lengths))
    logits = torch.cat([model(**single).logits for single in singles]).double()
    if record.score == "logprob":
        return logits.log_softmax(-1)[:, -1]
    return logits[:, 1] - logits[:, 0] if record.score == "margin" else logits[:, 0]


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PairScorer:
    """A `Scorer` over the tokenizer's own pair layout, or over the checkpoint's template."""
    from rerank_cli.inference.tokens import PairTokens, frame_of
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import PairRows, PairScorer, description

    tokens: PairRows
    told = record.params.get("instruction", "")
    if record.template:
        from rerank_cli.inference.prompts import PromptTokens

        fixed = PromptTokens(tokenizer, 1 << 30, record.template, told).fixed()
        length = chosen_length(record, max_length, fixed)
        tokens = PromptTokens(tokenizer, length, record.template, told)
    else:
        length = chosen_length(record, max_length, frame_of(tokenizer, 2).size)
        tokens = PairTokens(tokenizer, length, typed="token_type_ids" in record.inputs)
    template = record.template.replace("{instruction}", told)
    return PairScorer(tokens, backend, record, description(record, backend, length, template, batch_tokens))


def scores_of(logits: Any, record: Record) -> Any:
    """Logits (n, labels) to scores (n,) on the record's scale."""
    if record.score == "logit":
        return logits[:, 0]
    margin = logits[:, 1] - logits[:, 0]
    if record.score == "margin":
        return margin
    from torch.nn.functional import softplus

    return -softplus(-margin)  # log p of the second label, without the cancellation that ties good documents at 0


def _encoder(model: Any) -> Any:
    """The module (ids, mask, types) -> logits of a classifier that transformers' forward computes, pruned where its head reads the first token."""
    import torch

    from rerank_cli.methods.graphs.first_row import keep_first_row

    if getattr(model.config, "classifier_pooling", "cls") == "cls":
        keep_first_row(model)

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, **batch: Any) -> Any:
            return self.model(**batch).logits

    return Encoder()


def _decoder(model: Any) -> Any:
    """The module (ids, mask) -> logits of a classifier whose head reads the last token that is not padding.

    As transformers does, a token with the padding's id is not read even where it stands inside the text.
    """
    import torch

    from rerank_cli.methods.graphs.last_token import last_token

    pad_id = model.config.get_text_config().pad_token_id

    class Decoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.head = last_token(model.base_model), model.score

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            readable = None if pad_id is None else attention_mask * (input_ids != pad_id)
            return self.head(self.last(input_ids, attention_mask, readable))

    return Decoder()
