"""A model that has no memory for a text knows it by its words; here it gets the ids that the user knows it by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.errors import OutOfMemory
from rerank_cli.pipeline.questions import Question


@contextmanager
def naming(questions: Iterable[Question]) -> Iterator[None]:
    """Put before an `OutOfMemory` that is raised inside the query and the document of `questions` that it is about."""
    try:
        yield
    except OutOfMemory as error:
        what = next(filter(None, (_name(question, error.texts) for question in questions)), "")
        if what:
            error.about(what)
        if len(error.texts) > 2:
            error.hint = "a smaller --max-length needs less memory; so does a smaller --window, or -k"
        raise


def _name(question: Question, texts: Sequence[str]) -> str:
    """What of the question the texts are: its query, one document, or its query with documents; empty when they are of another."""
    query = f"query {shown(question.qid)}"
    alone = len(texts) == 1
    if question.query in texts[:1] and alone:
        return query
    if not texts or not (alone or question.query == texts[0]):
        return ""
    wanted = set(texts if alone else texts[1:])
    pairs = [at for at, pair in enumerate(question.pairs) if pair.document in wanted]
    places = question.scored[np.unique(np.searchsorted(question.starts, pairs, side="right") - 1)]
    ids = [shown(bytes(question.ranking.docids[place])) for place in places]
    if not ids:
        return ""
    if alone:
        return f"document {ids[0]}"
    return f"{query}, document {ids[0]}" if len(texts) == 2 else f"{query}, {len(texts) - 1} documents from {ids[0]} on"
