"""A list made shorter, or put in an order of its own: scores, words and vectors joined to what `selection` decides.

The steps follow each other: depth, least score, ratio, margin, near duplicates, maximal marginal relevance, k. What
one step leaves out the next does not see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.ids import first_few, shown
from rerank_cli.core.run import Ranking
from rerank_cli.core.steps import joined
from rerank_cli.core.texts import TITLE_AND_TEXT, Document, Texts, rendered
from rerank_cli.errors import BadData, Missing
from rerank_cli.pipeline.answers import min_max
from rerank_cli.pipeline.questions import no_text_at_all
from rerank_cli.selection.duplicates import near_duplicates
from rerank_cli.selection.mmr import mmr
from rerank_cli.selection.scores import reaching

if TYPE_CHECKING:
    from rerank_cli.methods.vectors import TextMemory


@dataclass(frozen=True)
class Steps:
    """What is done to a list, in the order of the fields; None leaves a step out.

    `ratio` is a part of the best score, `margin` a distance from it, both of the scores as they came; `near_duplicates`
    a Jaccard; `mmr` the weight of relevance, from 0 to 1.
    """

    depth: int | None
    min_score: float | None
    ratio: float | None
    margin: float | None
    near_duplicates: float | None
    mmr: float | None
    k: int | None

    @property
    def reads_texts(self) -> bool:
        """Whether documents' words are needed."""
        return self.near_duplicates is not None or self.mmr is not None


@dataclass(frozen=True)
class Words:
    """Where documents' words come from when the run does not carry them; `name` is for messages."""

    texts: Texts
    template: str
    name: str


class Selected(NamedTuple):
    """One query's list as it is written; `left_out`: step -> how many documents it took; `truncated`, how many a model read in part."""

    ranking: Ranking
    query: str | None
    documents: Mapping[bytes, Document] | None
    left_out: dict[str, int]
    truncated: int


def selected(
    candidates: Iterable[Candidates], words: Words | None, steps: Steps, memory: TextMemory | None
) -> Iterator[Selected]:
    """Each query's list after `steps`, as soon as it is known; `memory` of a bi-encoder gives the vectors for MMR.

    Scores stay as they are, but MMR makes an order alone: n - rank + 1. Scores the smallest steps apart count as equal
    (`core.steps`). Raises `Missing` for a document without text where words are needed, `BadData` where `ratio` meets a
    best score that is not above 0. Costs MMR's model one text for each document not met before.
    """
    for one in candidates:
        yield _selected(one, words, steps, memory)


def _selected(one: Candidates, words: Words | None, steps: Steps, memory: TextMemory | None) -> Selected:
    left_out: dict[str, int] = {}
    ranking = one.ranking

    def cut(step: str, kept: Ranking) -> Ranking:
        left_out[step] = len(ranking) - len(kept)
        return kept

    if steps.depth is not None:
        ranking = cut("depth", ranking.top(steps.depth))
    for step in ("min_score", "ratio", "margin"):
        if len(ranking) and (told := getattr(steps, step)) is not None:
            least = _least_score(step, told, float(ranking.scores[0]), ranking.qid)
            ranking = cut(step, ranking.top(reaching(joined(ranking.scores), least)))
    documents, truncated = one.documents, 0
    if steps.reads_texts:
        documents = _documents(one, ranking, words)
        template = words.template if words else TITLE_AND_TEXT
        texts = [rendered(documents[docid], template) for docid in ranking.docids.tolist()]
        if steps.near_duplicates is not None:
            stay = np.flatnonzero(~near_duplicates(texts, steps.near_duplicates))
            ranking = cut("near_duplicates", ranking.reordered(stay, ranking.scores[stay]))
            texts = [texts[at] for at in stay]
        if steps.mmr is not None and texts:
            assert memory is not None
            vectors, truncated = _vectors(texts, memory)
            relevance = min_max(joined(ranking.scores))
            order = mmr(relevance, vectors, steps.mmr, len(texts) if steps.k is None else steps.k)
            ranking = cut("k", ranking.reordered(order, np.arange(len(order), 0, -1)))
    if steps.k is not None and len(ranking) > steps.k:
        ranking = cut("k", ranking.top(steps.k))
    return Selected(ranking, one.query, documents, left_out, truncated)


def _least_score(step: str, told: float, best: float, qid: bytes) -> float:
    """The least score that a step lets stay beside the best one."""
    if step == "ratio" and best <= 0:
        raise BadData(
            f"the best score of query {shown(qid)} is {best:g}, and a part of it says nothing (--ratio)",
            "use --margin, which takes scores of any sign, or a run of scores above 0 (rerank rerank --score-as prob)",
        )
    return {"min_score": told, "ratio": told * best, "margin": best - told}[step]


def _documents(one: Candidates, ranking: Ranking, words: Words | None) -> Mapping[bytes, Document]:
    """The words of a list: its own, or the collection's."""
    docids = ranking.docids.tolist()
    if one.documents is not None:
        found, where = one.documents, "the run itself"
    elif words is not None:
        read = words.texts.lookup(docids)
        found, where = {docid: text for docid, text in zip(docids, read, strict=True) if text is not None}, words.name
    else:
        raise no_text_at_all(ranking.qid)
    absent = [docid for docid in docids if docid not in found]
    if absent:
        raise Missing(
            f"{len(absent)} of {len(docids)} documents of query {shown(ranking.qid)} have no text in {where}: "
            f"{first_few(absent)}",
            "is this the run of another collection? name its own with -c",
        )
    return found


def _vectors(texts: Sequence[str], memory: TextMemory) -> tuple[np.ndarray, int]:
    """Vectors of length one (n, d), and how many texts were cut to the model's length; a text that comes twice is read once."""
    from rerank_cli.methods.vectors import unit

    place = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    at = [place[text] for text in texts]
    embedded = memory.all(list(place), as_query=False)
    return unit(np.stack(embedded.arrays))[at], int(embedded.truncated[at].sum())
