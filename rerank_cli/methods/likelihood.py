"""The score as a probability: how likely would a language model write the query, given the document?

No training for ranking is needed, only a model that can ask questions. The score is the sum of the log-probabilities
of the target's tokens (or their mean). An encoder-decoder reads the document in its encoder and the target in its decoder;
a causal model reads one after the other.

What is exact and saves work: only the target's positions meet the vocabulary, and of its logits one number a position
leaves the graph; an encoder-decoder's cross-attention makes no keys or values of the document (see `t5_decoder`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.methods.graphs.t5_decoder import PRECISIONS as PRECISIONS
from rerank_cli.methods.graphs.t5_decoder import TYPES, output_scale, require_t5, teacher_forced
from rerank_cli.methods.pointwise import PairScorer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import Description, LoadedBackend, PairRows
    from rerank_cli.methods.source import Source

MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None

INPUTS = ("input_ids", "attention_mask", "labels")
#: Tokens of the given text; a causal model has those of the target too.
MAX_LENGTH = 512
#: Tokens of a query that is scored.
TARGET_LENGTH = 128
#: Between the two templates of a score in both directions.
TURN = "\n---\n"


def model_class(config: dict[str, Any]) -> Any:
    """The transformers class for a T5 or for a causal language model."""
    import transformers

    seq2seq = config.get("model_type") in TYPES
    return transformers.AutoModelForSeq2SeqLM if seq2seq else transformers.AutoModelForCausalLM


def likelihood_record(
    source: Source,
    template: str,
    *,
    before: tuple[int, ...] = (),
    ends: bool = False,
    mean: bool = False,
    target_length: int = TARGET_LENGTH,
) -> Record:
    """How a checkpoint is asked for a likelihood; raises `BadData` when it is neither a T5 nor a causal language model.

    `template`: see `likelihood_tokens`; two of them, parted by `TURN`, score both directions. The ids `before` are
    scored before the target, the model's end-of-sequence id after it when `ends`. `mean`: over the target's tokens, not their sum.
    """
    checkpoint, config = source.checkpoint, source.config
    params: dict[str, Any] = {"before": list(before), "after": [], "mean": mean, "target_length": target_length}
    if config.get("model_type") in TYPES:
        params["start_id"] = require_t5(config, checkpoint.name, checkpoint.method)
    elif not any(str(a).endswith(("ForCausalLM", "LMHeadModel")) for a in config.get("architectures") or []):
        raise BadData(
            f"{checkpoint.name} is {config.get('architectures') or config.get('model_type')}, which does not write text",
            "a likelihood needs a T5 or a causal language model",
        )
    if ends:
        end = config.get("eos_token_id")
        end = end[0] if isinstance(end, list) else end
        if end is None:
            raise BadData(
                f"{checkpoint.name} names no end of sequence (eos_token_id)", f"{checkpoint.method} scores it"
            )
        params["after"] = [int(end)]
    template = checkpoint.template or template
    longest = MAX_LENGTH if "start_id" in params else MAX_LENGTH + target_length
    turned = TURN in template
    return source.new_record(
        score="logprob",
        inputs=INPUTS + tuple(f"reviewer_{name}" for name in INPUTS) * turned,
        max_length=checkpoint.max_length or longest,
        template=template,
        params=params,
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask and labels (of each direction) -> scores (n,)."""
    import torch

    score = _of_t5(model, record.params["start_id"]) if "start_id" in record.params else _of_causal(model)

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = score

        def forward(self, *arrays: Any) -> Any:
            total: Any = 0
            for at in range(0, len(arrays), len(INPUTS)):
                *given, labels = arrays[at : at + len(INPUTS)]
                logits = self.score(*given, labels).float()
                found = logits.gather(-1, labels.clamp(min=0)[..., None])[..., 0] - logits.logsumexp(-1)
                asked = labels >= 0
                found = torch.where(asked, found, torch.zeros_like(found)).sum(1)
                total = total + (found / asked.sum(1).clamp(min=1) if record.params["mean"] else found)
            return total

    return Graph().eval()


def _of_t5(model: Any, start_id: int) -> Any:
    """A module: ids, mask (n, L), labels (n, t) -> logits (n, t, vocabulary) at the labels' places."""
    import torch

    class Given(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder, self.lm_head = model.encoder, model.decoder, model.lm_head
            self.scale = output_scale(model)

        def forward(self, input_ids: Any, attention_mask: Any, labels: Any) -> Any:
            encoded = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            said = torch.cat([torch.full_like(labels[:, :1], start_id), labels[:, :-1].clamp(min=0)], dim=1)
            return self.lm_head(teacher_forced(self.decoder, encoded, attention_mask, said) * self.scale)

    return Given()


def _of_causal(model: Any) -> Any:
    """The same for a causal model, whose ids end with the labels: it predicts each of them one place earlier."""
    import torch

    class Chosen(torch.nn.Module):
        """The output matrix on some places of each row; the model's own code scales what comes out."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner
            #: By thread: several batches may be on their way through the model at once.
            self.places: dict[int, Any] = {}

        def forward(self, hidden: Any) -> Any:
            places = self.places.pop(get_ident())
            return self.inner(hidden.gather(1, places[..., None].expand(-1, -1, hidden.shape[-1])))

    class Given(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = Chosen(model.get_output_embeddings())
            model.set_output_embeddings(self.head)
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, labels: Any) -> Any:
            first = attention_mask.sum(1, keepdim=True) - (labels >= 0).sum(1, keepdim=True)
            places = first - 1 + torch.arange(labels.shape[1], device=labels.device)
            self.head.places[get_ident()] = places.clamp(min=0).minimum(attention_mask.sum(1, keepdim=True) - 1)
            return self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits

    return Given()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores one pair at a time, without padding, from the logits of the library's whole forward pass."""
    import torch

    seq2seq = "start_id" in record.params
    total = torch.zeros(len(batch["input_ids"]), dtype=torch.double)
    for prefix in ("", "reviewer_")[: len(record.inputs) // len(INPUTS)]:
        for at in range(len(total)):
            ids, mask, labels = (batch[prefix + name][at] for name in INPUTS)
            ids, labels = ids[mask == 1][None], labels[labels >= 0][None]
            if not labels.numel():
                continue
            logits = model(ids, **({"labels": labels} if seq2seq else {})).logits.double()
            if not seq2seq:
                logits = logits[:, -labels.shape[1] - 1 : -1]
            found = logits.float().log_softmax(-1).gather(-1, labels[..., None])
            total[at] += found.mean() if record.params["mean"] else found.sum()
    return total


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> LikelihoodScorer:
    """A `Scorer` of what the template says; raises `WrongUsage` for a template that says neither or a length too short."""
    from rerank_cli.inference.likelihood_tokens import BothDirections, Ends, LikelihoodTokens
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description

    params = record.params
    templates = record.template.split(TURN)
    if len(templates) * len(INPUTS) != len(record.inputs):
        raise WrongUsage(
            f"{record.name} was loaded for {len(record.inputs) // len(INPUTS)} likelihood a pair, and the template has {len(templates)}",
            "two templates are parted by a line of three hyphens",
        )
    ends = Ends(tuple(params["before"]), tuple(params["after"]))

    def directions(length: int) -> list[LikelihoodTokens]:
        target_length = min(params["target_length"], length)
        return [
            LikelihoodTokens(
                tokenizer, t, ends, max_length=length, target_length=target_length, joined="start_id" not in params
            )
            for t in templates
        ]

    length = chosen_length(record, max_length, max(tokens.overhead() for tokens in directions(record.max_length)))
    tokens = directions(length)

    def asked_by(template: str) -> LikelihoodScorer:
        return scorer(replace(record, template=template), tokenizer, backend, max_length, batch_tokens)

    return LikelihoodScorer(
        tokens[0] if len(tokens) == 1 else BothDirections(*tokens),
        backend,
        record,
        description(record, backend, length, record.template, batch_tokens),
        asked_by,
    )


class LikelihoodScorer(PairScorer):
    """A `core.protocols.Scorer`; `asked_by(template)` is the same model asked in other words, with nothing loaded again."""

    def __init__(
        self,
        tokens: PairRows,
        backend: LoadedBackend,
        record: Record,
        description: Description,
        asked_by: Callable[[str], LikelihoodScorer],
    ) -> None:
        super().__init__(tokens, backend, record, description)
        self.asked_by = asked_by
