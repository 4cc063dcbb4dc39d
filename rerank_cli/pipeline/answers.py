"""Answers made into a list: order, interpolation with the first stage, what follows below the reranked depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.core.protocols import Scores
from rerank_cli.core.run import Ranking
from rerank_cli.core.steps import joined, separate
from rerank_cli.core.texts import Document
from rerank_cli.pipeline.courses import Tally
from rerank_cli.pipeline.passages import aggregated
from rerank_cli.pipeline.questions import Options, Question
from rerank_cli.pipeline.scales import converted
from rerank_cli.strategies import Ranked


@dataclass
class QueryStats:
    """What one query cost; a line of `--stats`."""

    qid: str
    documents: int
    pairs: int
    #: A batch holds pairs of several queries: each counts the part of it that its own pairs are.
    calls: int | float
    tokens: int
    truncated: int
    missing: int
    ties: int
    repaired: int
    cached: int
    seconds: float
    #: Tokens that the model wrote, and questions about several documents at once.
    written: int = 0
    questions: int = 0
    #: What the method itself tells of this list.
    told: dict[str, Any] = field(default_factory=dict)


@dataclass
class Reranked:
    """One query's answer, ready to be written, with the words it was made from."""

    ranking: Ranking
    stats: QueryStats
    query: str
    documents: Mapping[bytes, Document]


def answered(question: Question, answers: Scores, rows: slice, seconds: float, options: Options) -> Reranked:
    """Order one query by its answers; the unscored follow at the smallest steps below the lowest score."""
    raw = answers.values[rows].astype(np.float64)
    shown_as = converted(raw, options.score, options.score_as or options.score)
    raw, values = (_of_documents(scores, question, options) for scores in (raw, shown_as))
    if options.interpolate is not None:
        first_stage = joined(question.ranking.scores)[question.scored]
        values = options.interpolate * min_max(values) + (1 - options.interpolate) * min_max(first_stage)
    # A probability that rounds to 1 still stands in the order of its raw score.
    by_score = np.lexsort((-raw, -values))
    best_first, ties = separate(values[by_score])
    order = np.concatenate([question.scored[by_score], question.unscored])
    if len(values):
        scores = separate(np.concatenate([best_first, np.full(len(question.unscored), best_first[-1])]))[0]
    else:
        scores = question.ranking.scores[question.unscored]
    ranking = question.ranking.reordered(order, scores)
    if options.keep is not None:
        ranking = ranking.top(options.keep)
    share = len(question.pairs) / max(len(answers.values), 1)
    asked = ~answers.cached
    # What is kept took no call, unless all is: then it was something that they have in common.
    share_of_calls = asked[rows].sum() / asked.sum() if asked.any() else share
    stats = QueryStats(
        qid=shown(question.qid),
        documents=len(question.ranking),
        pairs=len(question.pairs),
        calls=_plain(answers.calls * share_of_calls),
        tokens=int(answers.tokens[rows].sum()),
        truncated=int(answers.truncated[rows].sum()),
        missing=question.missing,
        ties=ties,
        repaired=0 if answers.repaired is None else int(answers.repaired[rows].sum()),
        cached=int(answers.cached[rows].sum()),
        seconds=round(seconds * share, 6),
    )
    return Reranked(ranking, stats, question.query, question.documents)


def ordered(question: Question, result: Ranked, tally: Tally, options: Options, *, select: bool) -> Reranked:
    """One query's list in the order that a ranking algorithm found, on its scores where it made some.

    An order alone is written as n - rank + 1 over the whole list. With `select` what the model left out is not written.
    """
    scored = question.scored[np.asarray(result.order, dtype=np.intp)]
    size = len(scored) + len(question.unscored)
    values = np.arange(size, size - len(scored), -1, dtype=np.float64)
    chosen = len(scored)
    if result.scores is not None:
        own = result.scores[np.asarray(result.order, dtype=np.intp)].astype(np.float64)
        chosen = int(np.isfinite(own).sum())
        values = np.minimum.accumulate(np.where(np.isfinite(own), own, np.inf))[:chosen]
    if options.interpolate is not None:
        first_stage = joined(question.ranking.scores)[scored[:chosen]]
        values = options.interpolate * min_max(values) + (1 - options.interpolate) * min_max(first_stage)
        best = np.argsort(-values, kind="stable")
        values, scored = values[best], np.concatenate([scored[:chosen][best], scored[chosen:]])
    rest = np.concatenate([scored[chosen:], question.unscored])
    order_alone = result.scores is None and options.interpolate is None
    ties = separate(values)[1]
    if select:
        scored, rest = scored[:chosen], rest[:0]
    below = np.arange(len(rest), 0, -1, dtype=np.float64)
    if not order_alone:
        below = np.full(len(rest), values[-1] if chosen else 0.0)
    scores = separate(np.concatenate([values, below]))[0]
    ranking = question.ranking.reordered(np.concatenate([scored[:chosen], rest]), scores)
    if options.keep is not None:
        ranking = ranking.top(options.keep)
    stats = QueryStats(
        qid=shown(question.qid),
        documents=len(question.ranking),
        pairs=len(question.pairs),
        calls=tally.calls,
        tokens=tally.tokens,
        truncated=tally.truncated,
        missing=question.missing,
        ties=ties,
        repaired=sum(tally.repaired.values()),
        cached=tally.cached,
        seconds=round(tally.seconds, 6),
        written=tally.written,
        questions=tally.questions,
        told=tally.told(),
    )
    return Reranked(ranking, stats, question.query, question.documents)


def _plain(number: float) -> int | float:
    """To two decimals; without a point where it is whole."""
    rounded = round(float(number), 2)
    return int(rounded) if rounded.is_integer() else rounded


def _of_documents(scores: np.ndarray, question: Question, options: Options) -> np.ndarray:
    """One score a document from its passages' scores."""
    return scores if options.passages is None else aggregated(scores, question.starts, options.aggregate)


def min_max(scores: np.ndarray) -> np.ndarray:
    """Scale to 0..1; scores that are all equal say nothing and become 1."""
    if not len(scores) or scores.max() == scores.min():
        return np.ones(len(scores))
    return (scores - scores.min()) / (scores.max() - scores.min())
