"""Co-Prompt: query likelihood as a measure of a prompt, and as the score under the prompt that was chosen.

The score is the mean log-probability of the query's tokens after `Passage: ...` and the prompt. A prompt is as good
as this score is high for relevant pairs, which `quality` says (`rerank bench MODEL --prompt FILE`); no document that is not
relevant is asked about. The paper's search, which has a language model go on with prompts token by token, is not here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rerank_cli.core.method import Method
from rerank_cli.errors import WorkFailed
from rerank_cli.methods import likelihood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rerank_cli.core.protocols import Pair, Scorer
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="co-prompt",
    asks="score",
    summary="scores with the mean log-probability of the query's tokens after the document and a chosen prompt",
    paper="Cho et al., Discrete Prompt Optimization via Constrained Generation for Zero-shot Re-ranker, arXiv:2305.13729",
    calls="n",
    score="logprob",
    when=(
        "Query likelihood under a prompt that was chosen with a few judged pairs: rerank bench MODEL --prompt FILE ... "
        "tells which of yours is best, rerank --prompt FILE takes it. The paper's search for new prompts, token by token, "
        "is not here. Worth it when there is a causal model and no checkpoint for the domain; a trained cross-encoder "
        "of a tenth of the size is usually better and quicker."
    ),
)
MODEL_CLASS, MAY_LACK, FUSION = likelihood.model_class, likelihood.MAY_LACK, likelihood.FUSION
PRECISIONS = likelihood.PRECISIONS
graph, reference, scorer = likelihood.graph, likelihood.reference, likelihood.scorer

TEMPLATE = "Passage: {document}\nPlease write a question based on this passage.{scored}{query}"


def record(source: Source) -> Record:
    """How this checkpoint is asked; see `likelihood_record`."""
    return likelihood.likelihood_record(source, TEMPLATE, mean=True)


class Quality(NamedTuple):
    """How good a prompt is, `value`, and of how many of the pairs the document was `truncated`."""

    value: float
    truncated: int


def quality(scorer: Scorer, relevant: Sequence[Pair]) -> Quality:
    """How good the prompt of `scorer` is: its mean score over relevant pairs, a log-probability.

    Higher is better, comparable between prompts of the same checkpoint on the same pairs. n model calls.
    Raises `ValueError` without a pair, `WorkFailed` where the model has no number for a pair.
    """
    if not relevant:
        raise ValueError("a prompt is measured on relevant pairs, and there are none")
    from rerank_cli.core.protocols import gathered

    scores = gathered(scorer.stream(relevant), len(relevant))
    value = float(scores.values.mean(dtype="float64"))
    if not math.isfinite(value):
        raise WorkFailed("the model gave no number for a relevant pair", "--precision fp32 rounds least")
    return Quality(value, int(scores.truncated.sum()))
