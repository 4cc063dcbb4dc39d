"""Queries made ready: each list cut to its depth, its documents' words looked up a window at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.ids import first_few, shown
from rerank_cli.core.protocols import Pair
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import TITLE_AND_TEXT, Document, Texts, rendered
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
    #: Cuts a document's text into what is scored piece by piece, and how the pieces' scores become the document's.
    passages: Callable[[str], list[str]] | None = None
    aggregate: Literal["max", "mean", "first", "sum"] = "max"
    #: The scale of the model's scores, and the scale to write them on.
    score: str = "logit"
    score_as: str | None = None
    #: Where the model's reasons for its scores are put, pair by pair, as it answers.
    reasons: Mapping[Pair, str] | None = None
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
    #: Where each scored document's pairs begin: one pair a document, or one a passage.
    starts: np.ndarray
    missing: int


def gathered(candidates: Iterable[Candidates], options: Options) -> Iterator[list[Candidates]]:
    """Queries in the windows that are answered together: whole ones, until they have `window_pairs` pairs."""
    window: list[Candidates] = []
    pairs = 0
    for one in candidates:
        window.append(one)
        pairs += min(options.depth, len(one.ranking))
        if pairs >= options.window_pairs:
            yield window
            window, pairs = [], 0
    if window:
        yield window


def windows(candidates: Iterable[Candidates], sources: Sources | None, options: Options) -> Iterator[list[Question]]:
    """Each window of queries made ready; its texts are looked up when it is asked for."""
    return (_prepared(window, sources, options) for window in gathered(candidates, options))


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
    template = sources.template if sources else TITLE_AND_TEXT
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
    found_texts = [_pieces(documents[bytes(ranking.docids[at])], template, options) for at in scored]
    starts = np.cumsum([0, *map(len, found_texts)])[:-1]
    pairs = [Pair(query, text) for texts in found_texts for text in texts]
    absent = int(depth - len(scored))
    return Question(ranking.qid, query, ranking, scored, unscored, documents, pairs, starts, absent)


def _pieces(document: Document, template: str, options: Options) -> list[str]:
    """What the model sees of a document: all of it once, or its passages, each under the document's title."""
    if options.passages is None:
        return [rendered(document, template)]
    return [rendered(document._replace(text=passage), template) for passage in options.passages(document.text)]


def _without_self(ranking: Ranking) -> Ranking:
    others = ranking.docids != ranking.qid
    return Ranking(ranking.qid, ranking.docids[others], ranking.scores[others])


def _needed(sources: Sources | None, one: Candidates) -> Sources:
    if sources is None:
        raise no_text_at_all(one.ranking.qid)
    return sources


def no_text_at_all(qid: bytes) -> Missing:
    """The error for a query whose texts neither the run nor a collection has."""
    return Missing(
        f"the run carries no text for query {shown(qid)} and no collection is named",
        "name one with -c (a BEIR folder, irds:ID, a name from rerank.toml), or try -c demo",
    )


def _no_texts(absent: Sequence[bytes], of: int, sources: Sources | None) -> Missing:
    where = sources.name if sources else "the run itself"
    if len(absent) == of and of > 1:
        hint = "is this the run of another collection? name its own with -c"
    else:
        hint = "--missing tail puts such documents last, --missing drop leaves them out"
    return Missing(f"{len(absent)} of {of} documents have no text in {where}: {first_few(absent)}", hint)
