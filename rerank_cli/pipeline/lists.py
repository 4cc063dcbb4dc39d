"""Lists to a method that rates a document beside the others of its list; what is written follows the same rules as for pairs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import ListScorer, Scores, Slate
from rerank_cli.core.steps import joined
from rerank_cli.errors import WrongUsage
from rerank_cli.pipeline.ahead import ahead
from rerank_cli.pipeline.naming import naming
from rerank_cli.pipeline.plan import Plan
from rerank_cli.pipeline.questions import Options, Question, Sources, windows

#: Queries, the answers to all their documents in order, the seconds they took, and what was told of each query.
Answered = tuple[list[Question], Scores, float, list[dict[str, Any]]]


def check(scorer: Any, options: Options, plan: Plan | None = None) -> None:
    """Raise `WrongUsage` for what does not go with lists: passages, another scale, a first stage that is in the answer already."""
    if plan is None and not isinstance(scorer, ListScorer):
        return
    if options.passages is not None:
        raise WrongUsage(
            "--passages does not go together with questions about several documents at once",
            "leave --passages out, or name a model that scores one text at a time, without --strategy: -m minilm",
        )
    if plan is not None and options.score_as is not None:
        raise WrongUsage(f"--score-as {options.score_as}: a strategy's scores have no other scale")
    if options.interpolate is not None and getattr(scorer, "uses_first_stage", False):
        raise WrongUsage(
            "--interpolate does not go together with a model that has the first stage's score in it already",
            "leave --interpolate out, or name a model without it: -m minilm",
        )


def rated(
    candidates: Iterable[Candidates], sources: Sources | None, scorer: ListScorer, options: Options
) -> Iterator[Answered]:
    """Each window with its lists' ratings; a window is rated together, so that its texts are batched together."""
    with closing(ahead(windows(candidates, sources, options), 1)) as ready:
        for window in ready:
            began = time.monotonic()
            with naming(window):
                values, costs, told = scorer.rate([_slate(question) for question in window])
            answers = costs._replace(values=np.concatenate([np.empty(0), *values]))
            yield window, answers, time.monotonic() - began, told


def _slate(question: Question) -> Slate:
    first_stage = joined(question.ranking.scores)[question.scored]
    return Slate(question.query, [pair.document for pair in question.pairs], first_stage, question.scored)
