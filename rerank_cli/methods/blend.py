"""A blend of what one small model says in several ways, and of the first stage: the default, because it needs no download.

One forward pass of a bi-encoder gives a vector for each token and their mean. Three parts come from it and from
the run: the cosine of the means; MaxSim over the tokens, which finds the one sentence that a mean washes out; the
first stage's own score, which knows exact words. Each is scaled to 0..1 inside its list, and they are added with
one set of weights for every collection. Then the query's mean moves towards the two best documents so found (Rocchio),
and the list is rated again with it. What each adds on each collection is in docs/blend.md.

J. Rocchio: Relevance feedback in information retrieval. The SMART Retrieval System, 1971.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Slate
from rerank_cli.errors import BadData
from rerank_cli.methods import bi_encoder
from rerank_cli.methods.lists import TextLists
from rerank_cli.methods.vectors import rocchio

if TYPE_CHECKING:
    from rerank_cli.inference.batching import Row
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="blend",
    asks="rate",
    summary="adds cosine, MaxSim and Rocchio feedback of one bi-encoder and the first stage's score",
    paper="Khattab and Zaharia, ColBERT, arXiv:2004.12832; Rocchio, Relevance feedback, 1971",
    calls="n + 1",
    score="blend",
    when=(
        "The default, because it needs no download and no GPU. It is meant for a first stage of plain term "
        "matching (BM25), which it helps on all three collections of docs/blend.md; a first stage that is better "
        "than its small model (a learned sparse or large dense one) it hurts. Its scores compare documents of one "
        "list only."
    ),
)
MODEL_CLASS = bi_encoder.MODEL_CLASS
FUSION = bi_encoder.FUSION
MAY_LACK = bi_encoder.MAY_LACK

#: What each part counts for: measured on three collections together, see docs/blend.md.
WEIGHTS = {"cosine": 0.5, "maxsim": 0.35, "first_stage": 0.15}
#: How many of the best documents are fed back, and how much their mean counts beside the query.
FED_BACK, FEEDBACK = 2, 1.0
#: Differences below this share of a part's largest number are rounding.
_NOISE = 1e-5


def record(source: Source) -> Record:
    """As the bi-encoder's; raises `BadData` for one that does not take the mean of its token vectors."""
    from dataclasses import replace

    own = bi_encoder.record(source)
    if [step for step in own.params["steps"] if "normalize" not in step] != [
        {"pool": ["mean"], "include_prompt": True}
    ]:
        raise BadData(f"{own.name} does not take the mean of its token vectors, which a blend needs")
    return replace(own, score="blend")


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask (and types) -> token vectors (n, L, d)."""
    import torch

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer_axes = {0: "n", 1: "length"}
            self.model = model

        def forward(self, *arrays: Any) -> Any:
            return self.model(**dict(zip(record.inputs, arrays))).last_hidden_state

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The token vectors as the PyTorch module gives them, one text at a time without padding."""
    from rerank_cli.methods.vectors import one_by_one

    return one_by_one(graph(model, record, folder), record.inputs, batch)


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> BlendScorer:
    """A `ListScorer`."""
    return BlendScorer(bi_encoder.text_model(record, tokenizer, backend, max_length, batch_tokens, _kept), record.name)


def _kept(states: np.ndarray, row: Row, as_query: bool) -> np.ndarray:
    """One text's unit vectors (1 + L, d) in 16 bits: the mean first, then the tokens. Halves move no score by 1e-3."""
    from rerank_cli.methods.vectors import unit

    own = states[: len(row.ids)]
    return unit(np.concatenate([own.mean(0, keepdims=True), own])).astype(np.float16)


class BlendScorer(TextLists):
    """A `core.protocols.ListScorer` of token vectors."""

    uses_first_stage = True

    def rated(
        self, query: np.ndarray, documents: Sequence[np.ndarray], slate: Slate
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """See `TextLists.rated`."""
        return rated(query, documents, slate.first_stage)


def rated(
    query: np.ndarray, documents: Sequence[np.ndarray], first_stage: np.ndarray
) -> tuple[np.ndarray, dict[str, Any]]:
    """The scores (n,) of one list, and what to tell of it: from arrays as `_kept` makes them, and the incoming scores."""
    parts = {**signals(query, documents), "first_stage": first_stage}
    means = _means(documents)
    best = np.argsort(-blended(parts), kind="stable")[:FED_BACK]
    parts["cosine"] = means @ rocchio(query[0].astype(np.float32), means[best], FEEDBACK)
    model = blended({**parts, "first_stage": np.zeros(len(documents))})
    told: dict[str, Any] = {"silent": [name for name, part in parts.items() if not _says(part)]}
    if _says(model) and _says(first_stage):
        told["agreement"] = round(float(np.corrcoef(model, first_stage)[0, 1]), 4)
    return blended(parts), told


def signals(query: np.ndarray, documents: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """What the model says of one list, each (n,), from arrays as `_kept` makes them."""
    from rerank_cli.methods.vectors import best_matches

    whole = query.astype(np.float32)
    return {
        "cosine": _means(documents) @ whole[0],
        "maxsim": best_matches(whole[1:], [document[1:] for document in documents]).sum(1),
    }


def blended(parts: dict[str, np.ndarray]) -> np.ndarray:
    """The weighted mean (n,) float64 of the parts that tell any two documents apart, each scaled to 0..1; 1 where none does."""
    total = np.zeros(len(parts["maxsim"]))
    weight = 0.0
    for name, part in parts.items():
        if _says(part):
            low = float(part.min())
            total += WEIGHTS[name] * (np.asarray(part, np.float64) - low) / (float(part.max()) - low)
            weight += WEIGHTS[name]
    return total / weight if weight else total + 1


def _means(documents: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([document[0] for document in documents]).astype(np.float32)


def _says(part: np.ndarray) -> bool:
    """Whether a part tells two documents apart, by more than 32-bit arithmetic does."""
    return float(part.max()) - float(part.min()) > _NOISE * float(np.abs(part).max())
