"""The only place that joins a run, its texts and a method.

Queries are gathered into a window of bounded size, so that a model batches pairs by length across
queries; results come back one query at a time, in input order, as soon as their window is scored.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.ids import shown
from rerank_cli.core.protocols import Pair, Scorer, Scores
from rerank_cli.core.run import Ranking
from rerank_cli.core.steps import joined, separate
from rerank_cli.core.texts import Document, Texts, rendered
from rerank_cli.errors import Missing


@dataclass(frozen=True)
class Sources:
    """Where the words of a run come from, when it does not carry them itself."""

    topics: Mapping[bytes, str]
    texts: Texts
    template: str
    #: What to call it in a message ("collection scifact").
    name: str


@dataclass(frozen=True)
class Options:
    """What to rerank and what to write; the fields are the command's options of the same names."""

    depth: int = 100
    keep: int | None = None
    tail: Literal["keep", "drop"] = "keep"
    missing: Literal["error", "tail", "drop"] = "error"
    interpolate: float | None = None
    exclude_self: bool = False
    #: A window closes at this many pairs; a larger one sorts better by length, a smaller one answers sooner.
    window_pairs: int = 512


@dataclass
class Question:
    """One query made ready: the documents to score, with their words, and those that are not scored."""

    qid: bytes
    query: str
    ranking: Ranking
    #: Positions in `ranking` that are scored, and those that follow unscored in their old order.
    scored: np.ndarray
    unscored: np.ndarray
    documents: Mapping[bytes, Document]
    pairs: list[Pair]
    missing: int


@dataclass
class QueryStats:
    """What one query cost; a line of `--stats`."""

    qid: str
    documents: int
    pairs: int
    calls: float
    tokens: int
    truncated: int
    missing: int
    ties: int
    repaired: int = 0
    cached: int = 0
    seconds: float = 0.0


@dataclass
class Reranked:
    """One query's answer, ready to be written, with the words it was made from."""

    ranking: Ranking
    stats: QueryStats
    query: str
    documents: Mapping[bytes, Document]


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
    candidates: Iterable[Candidates], sources: Sources | None, scorer: Scorer, options: Options
) -> Iterator[Reranked]:
    """Rerank each query's first `depth` documents; yields in input order.

    Costs min(depth, n) scored pairs a query. Holds one window of texts. Raises `Missing` for a topic or
    a document without text (unless `options.missing` says otherwise).
    """
    for window in _windows(candidates, sources, options):
        began = time.monotonic()
        answers = scorer.score([pair for question in window for pair in question.pairs])
        seconds = time.monotonic() - began
        start = 0
        for question in window:
            stop = start + len(question.pairs)
            yield _answered(question, answers, slice(start, stop), seconds, options)
            start = stop


def estimate(candidates: Iterable[Candidates], sources: Sources | None, scorer: Scorer, options: Options) -> Estimate:
    """Tokenise everything that `rerank` would score, and score nothing."""
    total = Estimate()
    for window in _windows(candidates, sources, options):
        lengths = scorer.measure([pair for question in window for pair in question.pairs])
        total.queries += len(window)
        total.pairs += len(lengths.tokens)
        total.tokens += int(lengths.tokens.sum())
        total.truncated += int(lengths.truncated.sum())
        total.longest = max(total.longest, int(lengths.tokens.max(initial=0)))
        total.missing += sum(question.missing for question in window)
    return total


def _windows(candidates: Iterable[Candidates], sources: Sources | None, options: Options) -> Iterator[list[Question]]:
    window: list[Candidates] = []
    pairs = 0
    for one in candidates:
        window.append(one)
        pairs += min(options.depth, len(one.ranking))
        if pairs >= options.window_pairs:
            yield _prepared(window, sources, options)
            window, pairs = [], 0
    if window:
        yield _prepared(window, sources, options)


def _prepared(window: Sequence[Candidates], sources: Sources | None, options: Options) -> list[Question]:
    """Look up the words of a whole window in one read, and split each list into scored and unscored."""
    rankings = [_without_self(one.ranking) if options.exclude_self else one.ranking for one in window]
    wanted = dict.fromkeys(
        bytes(docid)
        for one, ranking in zip(window, rankings, strict=True)
        if one.documents is None
        for docid in ranking.docids[: options.depth]
    )
    found: dict[bytes, Document] = {}
    if wanted:
        answer = _needed(sources, window[0]).texts.lookup(list(wanted))
        found = {docid: document for docid, document in zip(wanted, answer, strict=True) if document is not None}
    if options.missing == "error" and len(found) < len(wanted):
        raise _no_texts([docid for docid in wanted if docid not in found], len(wanted), sources)
    template = sources.template if sources else "{title} {text}"
    return [
        _question(one, ranking, sources, found, template, options)
        for one, ranking in zip(window, rankings, strict=True)
    ]


def _question(
    one: Candidates,
    ranking: Ranking,
    sources: Sources | None,
    found: Mapping[bytes, Document],
    template: str,
    options: Options,
) -> Question:
    query = one.query
    if query is None:
        query = _needed(sources, one).topics.get(ranking.qid)
    if query is None:
        where = sources.name if sources else "the run"
        raise Missing(
            f"query {shown(ranking.qid)} has no topic in {where}",
            "name the run's own collection with -c, or its topics with --topics",
        )
    documents = found if one.documents is None else one.documents
    depth = min(options.depth, len(ranking))
    has_text = np.fromiter((bytes(docid) in documents for docid in ranking.docids[:depth]), dtype=bool, count=depth)
    if options.missing == "error" and not has_text.all():
        raise _no_texts([bytes(d) for d in ranking.docids[:depth][~has_text]], depth, None)
    scored = np.flatnonzero(has_text)
    unscored = np.arange(depth, len(ranking)) if options.tail == "keep" else np.empty(0, dtype=np.int64)
    if options.missing == "tail":
        unscored = np.concatenate([np.flatnonzero(~has_text), unscored])
    pairs = [Pair(query, rendered(documents[bytes(ranking.docids[position])], template)) for position in scored]
    return Question(ranking.qid, query, ranking, scored, unscored, documents, pairs, int(depth - len(scored)))


def _answered(question: Question, answers: Scores, rows: slice, seconds: float, options: Options) -> Reranked:
    """Order one query by its answers; the unscored follow at the smallest steps below the lowest score."""
    values = answers.values[rows].astype(np.float64)
    if options.interpolate is not None:
        first_stage = joined(question.ranking.scores)[question.scored]
        values = options.interpolate * _min_max(values) + (1 - options.interpolate) * _min_max(first_stage)
    by_score = np.argsort(-values, kind="stable")
    best_first, ties = separate(values[by_score])
    order = np.concatenate([question.scored[by_score], question.unscored])
    if len(values):
        scores = separate(np.concatenate([best_first, np.full(len(question.unscored), best_first[-1])]))[0]
    else:
        scores = question.ranking.scores[question.unscored]
    ranking = question.ranking.reordered(order, scores)
    if options.keep is not None:
        ranking = ranking.top(options.keep)
    share = len(values) / max(len(answers.values), 1)
    stats = QueryStats(
        qid=shown(question.qid),
        documents=len(question.ranking),
        pairs=len(values),
        calls=round(answers.calls * share, 3),
        tokens=int(answers.tokens[rows].sum()),
        truncated=int(answers.truncated[rows].sum()),
        missing=question.missing,
        ties=ties,
        seconds=round(seconds * share, 6),
    )
    return Reranked(ranking, stats, question.query, question.documents)


def _min_max(scores: np.ndarray) -> np.ndarray:
    """Scale to 0..1; scores that are all equal say nothing and become 1."""
    if not len(scores) or scores.max() == scores.min():
        return np.ones(len(scores))
    return (scores - scores.min()) / (scores.max() - scores.min())


def _without_self(ranking: Ranking) -> Ranking:
    others = ranking.docids != ranking.qid
    return Ranking(ranking.qid, ranking.docids[others], ranking.scores[others])


def _needed(sources: Sources | None, one: Candidates) -> Sources:
    if sources is None:
        raise Missing(
            f"the run carries no text for query {shown(one.ranking.qid)} and no collection is named",
            "name one with -c (a BEIR folder, irds:ID, a name from rerank.toml), or try -c demo",
        )
    return sources


def _no_texts(absent: Sequence[bytes], of: int, sources: Sources | None) -> Missing:
    first = ", ".join(shown(docid) for docid in absent[:3])
    where = sources.name if sources else "the run itself"
    if len(absent) == of and of > 1:
        hint = "is this the run of another collection? name its own with -c"
    else:
        hint = "--missing tail puts such documents last, --missing drop leaves them out"
    more = ", …" if len(absent) > 3 else ""
    return Missing(f"{len(absent)} of {of} documents have no text in {where}: {first}{more}", hint)
