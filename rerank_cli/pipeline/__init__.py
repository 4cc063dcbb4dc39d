"""The only place that joins a run, its texts and a method.

Queries are gathered into a window of bounded size, so that a model batches pairs by length across
queries; results come back one query at a time, in input order, as soon as their window is scored.

Three things go on at once: the next window's texts are looked up and tokenised, this window's pairs are
scored, the last window's lists are written. Servers score several windows at once, each of twice the
pairs that they have room for (`under_way` of a scorer): one that is slow holds up nobody else's work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.ids import shown
from rerank_cli.core.protocols import Answers, ListScorer, Ranker, Scorer, gathered
from rerank_cli.core.side_by_side import in_order
from rerank_cli.pipeline.ahead import ahead
from rerank_cli.pipeline.answers import Reranked, answered
from rerank_cli.pipeline.as_rankers import as_ranker, kept_of
from rerank_cli.pipeline.asked import AskedEstimate, asked, estimate_asked
from rerank_cli.pipeline.lists import Answered, check, rated
from rerank_cli.pipeline.naming import naming
from rerank_cli.pipeline.plan import Plan, planned
from rerank_cli.pipeline.questions import Options, Question, Sources, windows

__all__ = [
    "AskedEstimate",
    "Estimate",
    "Options",
    "Plan",
    "Reranked",
    "Sources",
    "as_ranker",
    "check",
    "estimate",
    "estimate_asked",
    "planned",
    "rerank",
]


#: Windows that wait, ready, between two stages.
_WINDOWS_AHEAD = 1
#: Windows that servers score at once; as many more wait for one that is not done.
_WINDOWS_AT_SERVERS = 3


@dataclass
class Estimate:
    """What a rerank would cost: the answer of `--dry-run`."""

    queries: int = 0
    pairs: int = 0
    #: Pairs whose answers are kept.
    cached: int = 0
    tokens: int = 0
    truncated: int = 0
    missing: int = 0
    longest: int = field(default=0)


def rerank(
    candidates: Iterable[Candidates],
    sources: Sources | None,
    scorer: Scorer | ListScorer | Ranker,
    options: Options,
    plan: Plan | None = None,
) -> Generator[Reranked]:
    """Rerank each query's first `depth` documents; yields in input order.

    With a `plan` (which a `Ranker` needs) by its ranking algorithm, see `asked`; else every document gets its score:
    costs min(depth, n) scored pairs a query. Holds up to five windows of texts: being read, ready, being scored,
    scored, being written; of servers twice as many as are scored at once. Raises `Missing` for a topic or a document without text (unless `options.missing` says otherwise),
    `WrongUsage` as `check` does. Close it to stop the work before its end.
    """
    check(scorer, options, plan)
    if plan is not None:
        yield from asked(candidates, sources, as_ranker(scorer), plan, options)
        return
    method: Any = rated if isinstance(scorer, ListScorer) else _scored
    with closing(ahead(method(candidates, sources, scorer, options), _WINDOWS_AHEAD)) as windows_scored:
        for window, answers, seconds, told in windows_scored:
            start = 0
            for question, facts in zip(window, told, strict=True):
                stop = start + len(question.pairs)
                done = answered(question, answers, slice(start, stop), seconds, options)
                done.stats.told = facts | _reasons(question, options)
                yield done
                start = stop


def _reasons(question: Question, options: Options) -> dict[str, Any]:
    """What the model gave as its reasons for the scores of a query's documents, as a strategy's questions tell theirs."""
    if not options.reasons:
        return {}
    ends = [*question.starts[1:].tolist(), len(question.pairs)]
    told = [
        {"documents": [shown(bytes(question.ranking.docids[at]))], "reason": options.reasons[pair]}
        for at, start, stop in zip(question.scored.tolist(), question.starts.tolist(), ends)
        for pair in question.pairs[start:stop]
        if pair in options.reasons
    ]
    return {"reasons": told} if told else {}


def _scored(
    candidates: Iterable[Candidates], sources: Sources | None, scorer: Any, options: Options
) -> Iterator[Answered]:
    """Each window with the answers to all its pairs in order, and the seconds that scoring took."""

    under_way = getattr(scorer, "under_way", 0)
    options = replace(options, window_pairs=max(options.window_pairs, 2 * under_way))

    def asked() -> Iterator[tuple[list[Question], int, Iterator[Answers]]]:
        for window in windows(candidates, sources, options):
            pairs = [pair for question in window for pair in question.pairs]
            yield window, len(pairs), scorer.stream(pairs)

    left = threading.Event()

    def scored(asked: tuple[list[Question], int, Iterator[Answers]]) -> Answered:
        window, n, stream = asked
        began = time.monotonic()
        with naming(window):
            try:
                answers = gathered(takewhile(lambda _: not left.is_set(), stream), n)
            finally:
                # An error on its way up holds on to streams: what they have under way would go on being asked.
                if isinstance(stream, Generator):
                    stream.close()
        return window, answers, time.monotonic() - began, [{} for _ in window]

    with closing(ahead(asked(), _WINDOWS_AHEAD)) as windows_asked:
        try:
            yield from in_order(scored, windows_asked, _WINDOWS_AT_SERVERS) if under_way else map(scored, windows_asked)
        finally:
            left.set()


def estimate(
    candidates: Iterable[Candidates], sources: Sources | None, scorer: Scorer | ListScorer, options: Options
) -> Estimate:
    """Tokenise everything that `rerank` would score, and score nothing."""
    total = Estimate()
    for window in windows(candidates, sources, options):
        pairs = [pair for question in window for pair in question.pairs]
        lengths = scorer.measure(pairs)
        total.queries += len(window)
        total.cached += int(kept_of(scorer, pairs).sum())
        total.pairs += len(lengths.tokens)
        total.tokens += int(lengths.tokens.sum())
        total.truncated += int(lengths.truncated.sum())
        total.longest = max(total.longest, int(lengths.tokens.max(initial=0)))
        total.missing += sum(question.missing for question in window)
    return total
