"""Learned sparse: a text becomes a weight for every word of the vocabulary, its own words and what they call to mind.

The weight of a word is log(1 + relu(logit)) of the masked language model's head, the greatest over the text's tokens;
query and document are read apart, and the score is the product of their weights summed over the vocabulary.
Most weights are zero, so a text is kept as the few hundred words that have one.

T. Formal, B. Piwowarski, S. Clinchant: SPLADE. SIGIR 2021. SPLADE v2 (the maximum): arXiv:2109.10086.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.errors import BadData
from rerank_cli.methods.bi_encoder import text_model

if TYPE_CHECKING:
    from rerank_cli.inference.batching import Row
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend
    from rerank_cli.methods.source import Source
    from rerank_cli.methods.vectors import TextScorer

METHOD = Method(
    name="splade",
    asks="score",
    summary="weighs every word of the vocabulary for query and document and multiplies the weights",
    paper="Formal, Piwowarski and Clinchant, SPLADE v2, arXiv:2109.10086",
    calls="n + 1",
    score="dot",
    when=(
        "Weighs vocabulary words, so that what matched can be read off. As a reranker it is as cheap as a "
        "bi-encoder, is strong on names and rare terms, and goes well together with a dense model by fuse."
    ),
)
MODEL_CLASS = "AutoModelForMaskedLM"
FUSION: str | None = "bert"
MAY_LACK: tuple[str, ...] = ("pooler",)


def record(source: Source) -> Record:
    """How this checkpoint weighs; raises `BadData` for another pooling than the maximum of log(1 + relu)."""
    from rerank_cli.methods.detect import read_json

    listing = source.folder / "modules.json"
    for module in read_json(listing)[1:] if listing.is_file() else ():
        kind = str(module["type"]).rsplit(".", 1)[-1]
        own = read_json(source.folder / module.get("path", "") / "config.json") if kind == "SpladePooling" else {}
        told = (own.get("pooling_strategy", "max"), own.get("activation_function", "relu"))
        if kind != "SpladePooling" or told != ("max", "relu"):
            raise BadData(f"{source.checkpoint.name} has a module {kind} {own or ''}, which is not supported")
    params = {"query_prompt": "", "document_prompt": "", "lower": False}
    return source.new_record(score="dot", inputs=source.inputs(), params=params)


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask (and types) -> the vocabulary's weights (n, V)."""
    import torch

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arrays: Any) -> Any:
            batch = dict(zip(record.inputs, arrays))
            logits = self.model(**batch).logits
            # The weight rises with the logit: the greatest logit gives the greatest weight.
            own = logits.masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, 0.0)
            return torch.log1p(torch.relu(own.max(dim=1).values))

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The weights, one text at a time without padding, each token weighed before the maximum."""
    import torch

    from rerank_cli.methods.vectors import one_by_one

    def weights(*arrays: Any) -> Any:
        logits = model(**dict(zip(record.inputs, arrays))).logits
        return torch.log1p(torch.relu(logits)).max(dim=1).values

    return one_by_one(weights, record.inputs, batch)


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> TextScorer:
    """A `Scorer`."""
    from rerank_cli.methods.vectors import TextScorer

    return TextScorer(text_model(record, tokenizer, backend, max_length, batch_tokens, _kept), _compare, record)


def _kept(weights: np.ndarray, row: Row, as_query: bool) -> np.ndarray:
    """(2, k) float32: the words that have a weight, by number (exact below 2**24), and their weights."""
    words = np.flatnonzero(weights)
    return np.stack([words.astype(np.float32), weights[words]])


def _compare(query: np.ndarray, documents: Sequence[np.ndarray]) -> np.ndarray:
    every = [query, *documents]
    of_query = np.zeros(1 + int(max((words.max(initial=0) for words, _ in every), default=0)))
    of_query[query[0].astype(np.int64)] = query[1]
    return np.array([of_query[words.astype(np.int64)] @ weights for words, weights in documents])
