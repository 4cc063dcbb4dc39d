"""The only place that joins a run, its texts and a method.

Queries are gathered into a window of bounded size, so that a model batches pairs by length across
queries; results come back one query at a time, in input order, as soon as their window is scored.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import ListScorer, Scorer, gathered
from rerank_cli.pipeline.answers import Reranked, answered
from rerank_cli.pipeline.lists import check, rerank_lists
from rerank_cli.pipeline.questions import Options, Sources, windows

__all__ = ["Estimate", "Options", "Reranked", "Sources", "check", "estimate", "rerank"]


@dataclass
class Estimate:
    """What a rerank would cost: the answer of `--dry-run`."""

    queries: int = 0
    pairs: int = 0
    tokens: int = 0
    truncated: int = 0
    missing: int = 0
    longest: int = field(default=0)


def rerank(
    candidates: Iterable[Candidates], sources: Sources | None, scorer: Scorer | ListScorer, options: Options
) -> Iterator[Reranked]:
    """Rerank each query's first `depth` documents; yields in input order.

    Costs min(depth, n) scored pairs a query. Holds one window of texts. Raises `Missing` for a topic or
    a document without text (unless `options.missing` says otherwise), `WrongUsage` as `check` does.
    """
    check(scorer, options)
    if isinstance(scorer, ListScorer):
        yield from rerank_lists(candidates, sources, scorer, options)
        return
    for window in windows(candidates, sources, options):
        began = time.monotonic()
        pairs = [pair for question in window for pair in question.pairs]
        answers = gathered(scorer.stream(pairs), len(pairs))
        seconds = time.monotonic() - began
        start = 0
        for question in window:
            stop = start + len(question.pairs)
            yield answered(question, answers, slice(start, stop), seconds, options)
            start = stop


def estimate(
    candidates: Iterable[Candidates], sources: Sources | None, scorer: Scorer | ListScorer, options: Options
) -> Estimate:
    """Tokenise everything that `rerank` would score, and score nothing."""
    total = Estimate()
    for window in windows(candidates, sources, options):
        lengths = scorer.measure([pair for question in window for pair in question.pairs])
        total.queries += len(window)
        total.pairs += len(lengths.tokens)
        total.tokens += int(lengths.tokens.sum())
        total.truncated += int(lengths.truncated.sum())
        total.longest = max(total.longest, int(lengths.tokens.max(initial=0)))
        total.missing += sum(question.missing for question in window)
    return total
