"""MVP: four views of each passage, and for each view an anchor made of the whole list; a score is how close they are.

Four tokens before the passage become four vectors when the encoder has read it. For each of them the decoder, in one
step, looks at that vector of all the passages and makes the anchor: where a relevant passage would be, in this list. No word is
generated, nothing depends on the order of the list, and one call serves any number of passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Lengths, Pair, Ratings, Slate
from rerank_cli.inference.memory import telling
from rerank_cli.methods.fid import Opened, opened, unwrapped
from rerank_cli.methods.graphs.t5_decoder import one_step, require_t5
from rerank_cli.methods.lists import ListMethod, ratings

if TYPE_CHECKING:
    from rerank_cli.methods import Placed
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="mvp",
    asks="rate",
    summary="compares four vectors of each passage with anchors that a T5's decoder makes of the whole list",
    paper="Na et al., Multi-view-guided Passage Reranking with Large Language Models, arXiv:2509.07485",
    calls="1",
    score="dot",
    when="As costly as scoring each passage with an encoder of its size, and each score still knows the whole list. The order of the "
    "incoming list changes nothing. Take it where a listwise model is wanted at a pointwise model's price; the published "
    "checkpoints were trained on MS MARCO.",
)
MODEL_CLASS = unwrapped
MAY_LACK: tuple[str, ...] = ("lm_head",)
FUSION: str | None = None
PRECISIONS = ("fp32", "bf16")
ENGINES = ("torch",)

TEMPLATE = "| Query: {query} | Context: {document}"
#: The tokens whose states are the views; they stand before the template.
VIEWS = ("<extra_id_0>", "<extra_id_1>", "<extra_id_2>", "<extra_id_3>")
#: The authors' for MS MARCO's passages; they take 512 and 1024 for longer documents.
MAX_LENGTH = 256


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5 or its vocabulary lacks the four tokens."""
    checkpoint = source.checkpoint
    require_t5(source.config, checkpoint.name, "MVP")
    return source.new_record(
        score=METHOD.score,
        inputs=("input_ids", "attention_mask"),
        max_length=checkpoint.max_length or MAX_LENGTH,
        template=checkpoint.template or TEMPLATE,
        words=source.word_ids(VIEWS, "MVP reads its vectors where these tokens stand"),
        params={"start_id": int(source.config.get("pad_token_id") or 0)},  # the padding's, as the authors' code has it
    )


def by_torch(model: Any, record: Record, tokenizer: Any, **placed: Unpack[Placed]) -> Mvp:
    """A `ListScorer`."""
    own = opened(model, record, tokenizer, first=tuple(record.words.values()), **placed)
    return Mvp(own, record)


class Mvp(ListMethod):
    """A `core.protocols.ListScorer`; see this module's docstring."""

    def __init__(self, own: Opened, record: Record) -> None:
        super().__init__(own.description, record.name)
        self._t5, self._tokens, _, self.tokenizer = own

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `ListScorer.measure`."""
        from rerank_cli.methods.pointwise import lengths

        return lengths(self._tokens.rows(pairs))

    def rate(self, slates: Sequence[Slate]) -> Ratings:
        """See `ListScorer.rate`; the passages of all lists through the encoder, and four steps of the decoder a list."""
        pairs = [[Pair(one.query, document) for document in one.documents] for one in slates]
        rows = [self._tokens.rows(own) for own in pairs]
        whole, budget = [row for own in rows for row in own], self.description.batch_tokens
        with telling([pair for own in pairs for pair in own]):
            views = iter(self._t5.states(whole, budget, first=len(VIEWS)))
        values = [np.zeros(0)] * len(slates)
        for at, own in enumerate(rows):
            with telling([slates[at]]):
                values[at] = self._rated([next(views) for _ in own]) if own else values[at]
        return ratings(values, rows)

    def _rated(self, views: Sequence[Any]) -> np.ndarray:
        """The scores (n,) float64 of one list from its passages' vectors, each (4, d)."""
        import torch

        from rerank_cli.inference.torch import computing

        whole = torch.stack(list(views), dim=1)  # (4, n, d): a view is a list of its own
        with computing({"input_ids": whole[..., 0]}):
            there = torch.ones(whole.shape[:2], dtype=torch.long, device=whole.device)
            anchors = one_step(self._t5.model.decoder, whole, there, self._t5.start_id)
            scores = torch.einsum("vnd,vd->n", whole.float(), anchors.float()) / len(VIEWS)
            values: np.ndarray = scores.double().cpu().numpy()
        return values
