"""Lists put through a ranking algorithm: questions to a `Ranker`, its replies to the algorithm, an order at the end."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.protocols import Ranker, Reply, Slate
from rerank_cli.pipeline.ahead import ahead
from rerank_cli.pipeline.answers import Reranked, ordered
from rerank_cli.pipeline.as_rankers import kept_of
from rerank_cli.pipeline.courses import Course
from rerank_cli.pipeline.drivers import driven
from rerank_cli.pipeline.plan import Plan, as_duel
from rerank_cli.pipeline.questions import Options, Sources, windows


@dataclass
class AskedEstimate:
    """What putting lists through an algorithm would cost: the answer of `--dry-run`.

    `questions` and `tokens` are counted with replies that leave every list as it came, and so is `cached`, how many of
    these questions are answered already; `most` is what the algorithm can need at the most.
    """

    queries: int = 0
    documents: int = 0
    questions: int = 0
    most: int = 0
    cached: int = 0
    tokens: int = 0
    truncated: int = 0
    missing: int = 0
    longest: int = 0


def asked(
    candidates: Iterable[Candidates], sources: Sources | None, ranker: Ranker, plan: Plan, options: Options
) -> Generator[Reranked]:
    """Rerank each query's first `depth` documents by `plan`; yields in input order.

    Costs `plan.count` questions a query at the most. Texts of a window are looked up on a thread while others are asked.
    """
    with closing(ahead(windows(candidates, sources, options), 1)) as ready:
        courses = (Course(question, plan, ranker.asks, ranker.most) for window in ready for question in window)
        with closing(driven(courses, ranker, plan)) as finished:
            for course in finished:
                assert course.result is not None
                yield ordered(course.question, course.result, course.tally, options, select=plan.select)


def estimate_asked(
    candidates: Iterable[Candidates], sources: Sources | None, ranker: Ranker, plan: Plan, options: Options
) -> AskedEstimate:
    """Go through every list with replies that leave it as it is, and tokenise each question; no model call."""
    total = AskedEstimate()
    for question in (one for window in windows(candidates, sources, options) for one in window):
        course = Course(question, plan, ranker.asks, ranker.most)
        total.queries += 1
        total.documents += len(question.pairs)
        total.missing += question.missing
        total.most += plan.count(len(question.pairs))
        for places in _rounds(course):
            slates = [course.slate(place) for place in places]
            total.cached += int(kept_of(ranker, slates).sum())
            lengths = ranker.measure(slates)
            for place, slate, tokens in zip(places, slates, lengths.tokens.tolist()):
                course.take(place, Reply(_as_it_came(slate, ranker.asks), tokens))
            total.truncated += int(lengths.truncated.sum())
            total.longest = max(total.longest, int(lengths.tokens.max(initial=0)))
        total.questions += course.tally.questions
        total.tokens += course.tally.tokens
    return total


def _rounds(course: Course) -> Iterator[list[int]]:
    while not course.done:
        yield [course.ask()[0] for _ in range(len(course.waiting))]


def _as_it_came(slate: Slate, asks: str) -> np.ndarray:
    values = -slate.positions.astype(np.float64)
    return as_duel(values, "order") if asks == "prefer" else values
