"""Lists to a method that rates a document beside the others of its list; what is written follows the same rules as for pairs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import ListScorer, Slate
from rerank_cli.core.steps import joined
from rerank_cli.errors import WrongUsage
from rerank_cli.pipeline.answers import Reranked, answered
from rerank_cli.pipeline.questions import Options, Question, Sources, windows


def check(scorer: Any, options: Options) -> None:
    """Raise `WrongUsage` for what does not go with a list method: passages, and a first stage that is in its answer already."""
    if not isinstance(scorer, ListScorer):
        return
    if options.passages is not None:
        raise WrongUsage(
            "--passages does not go together with a model that rates whole lists of documents",
            "leave --passages out, or name a model that scores one text at a time: -m minilm",
        )
    if options.interpolate is not None and scorer.uses_first_stage:
        raise WrongUsage(
            "--interpolate does not go together with a model that has the first stage's score in it already",
            "leave --interpolate out, or name a model without it: -m minilm",
        )


def rerank_lists(
    candidates: Iterable[Candidates], sources: Sources | None, scorer: ListScorer, options: Options
) -> Iterator[Reranked]:
    """Rate each query's first `depth` documents; yields in input order.

    A window of queries is rated together, so that their texts are batched together. Raises as `rerank` does.
    """
    for window in windows(candidates, sources, options):
        began = time.monotonic()
        values, costs, told = scorer.rate([_slate(question) for question in window])
        answers = costs._replace(values=np.concatenate([np.empty(0), *values]))
        seconds = time.monotonic() - began
        start = 0
        for question, facts in zip(window, told, strict=True):
            stop = start + len(question.pairs)
            done = answered(question, answers, slice(start, stop), seconds, options)
            done.stats.told = facts
            yield done
            start = stop


def _slate(question: Question) -> Slate:
    first_stage = joined(question.ranking.scores)[question.scored]
    return Slate(question.query, [pair.document for pair in question.pairs], first_stage, question.scored)
