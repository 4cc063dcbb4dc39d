"""Pseudo-relevance feedback in words: the best documents' own text is asked, in one query or in several.

A first search (or a run) says which documents are taken as relevant. What several queries find is joined into one list
by a rule of `rerank fuse`. It works with any first stage, because it only writes queries.

H. Li et al.: Pseudo relevance feedback with deep language models and dense retrievers: successes and pitfalls.
TOIS 41(3), 2023, arXiv:2108.11044; it found one query a document, joined by Borda counts, the best for rerankers. For
BM25 means were better than Borda counts where we measured (nDCG@10 .338 to .296 on Cranfield), so they are the default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rerank_cli.core.ids import shown
from rerank_cli.core.run import Ranking, Run
from rerank_cli.core.texts import Texts, rendered
from rerank_cli.errors import Missing
from rerank_cli.fusion import rule_named
from rerank_cli.fusion.fuse import Recipe, fuse
from rerank_cli.retrieval.retriever import Found, Retriever, Topic, nothing

#: Words of a query, and words and steps of a window: a passage of MS MARCO on average, and half of one.
QUERY_WORDS = 256
WINDOW, STRIDE = 65, 32
#: Topics searched together; what is held of their lists at a time.
_TOPICS = 32

Way = Literal["concatenate", "each", "windows"]


@dataclass(frozen=True)
class Asked:
    """How feedback is asked: `way` makes the queries from the `depth` best documents, `aggregate` joins their lists.

    `concatenate`: one query of the topic's words and all documents'; `each`: one a document, behind the topic's words;
    `windows`: the documents' words end to end, one query for each window of them. Queries end after 256 words.
    `aggregate` is mean (a document that a list lacks counts 0 there), max or borda, the sum of (n - rank + 1)/n.
    """

    way: Way = "each"
    depth: int = 3
    aggregate: Literal["mean", "max", "borda"] = "mean"


def queries_of(topic: str, passages: Sequence[str], way: Way) -> list[str]:
    """The queries that a topic and its feedback (one passage or more) become."""
    words = [passage.split() for passage in passages]
    joined = [word for own in words for word in own]
    if way == "windows":
        last = max(len(joined) - WINDOW + STRIDE - 1, 0) // STRIDE
        return [" ".join(joined[at * STRIDE : at * STRIDE + WINDOW]) for at in range(last + 1)]
    return [" ".join([*topic.split(), *own][:QUERY_WORDS]) for own in (words if way == "each" else [joined])]


class TextFeedback:
    """A `Retriever` around another one.

    `feedback` gives a topic's pseudo-relevant documents, best first, instead of a first search; None where it knows
    none. A topic without any is asked as it is; how many, `note` is told.
    """

    def __init__(
        self,
        inner: Retriever,
        texts: Texts,
        template: str,
        asked: Asked,
        note: Callable[[str], None],
        feedback: Callable[[bytes], Sequence[bytes] | None] | None = None,
    ) -> None:
        self.name = f"{inner.name}-prf"
        self._inner, self._texts, self._template = inner, texts, template
        self._asked, self._note, self._feedback = asked, note, feedback
        self._rule = rule_named(asked.aggregate)

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        told: dict[str, Any] = {"prf": self._asked.way, "fb_docs": self._asked.depth}
        if self._asked.way != "concatenate":
            told["prf_aggregate"] = self._asked.aggregate
        return {**self._inner.facts, **told}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; a search for the feedback where none is given, and one for each query made of it.

        Raises `Missing` for a document that is fed back and has no text.
        """
        without = 0
        for start in range(0, len(topics), _TOPICS):
            some = topics[start : start + _TOPICS]
            asked = [self._queries(*pair) for pair in zip(some, self._fed_back(some), strict=True)]
            without += sum(not queries for queries in asked)
            if without and start + _TOPICS >= len(topics):
                said = f"{without} of {len(topics)} topics have no documents to feed back"
                self._note(f"{said} and are asked as they are")
            every = [
                Topic(topic.qid, query) for topic, queries in zip(some, asked) for query in queries or [topic.text]
            ]
            lists = self._inner.search(every, k)
            for topic, queries in zip(some, asked):
                own = [next(lists) for _ in queries or [topic.text]]
                yield own[0] if len(own) == 1 else self._joined(topic.qid, own, k)

    def _fed_back(self, topics: Sequence[Topic]) -> list[Sequence[bytes]]:
        """The pseudo-relevant documents of each topic."""
        if self._feedback is None:
            return [found.docids.tolist() for found in self._inner.search(topics, self._asked.depth)]
        return [(self._feedback(topic.qid) or ())[: self._asked.depth] for topic in topics]

    def _queries(self, topic: Topic, docids: Sequence[bytes]) -> list[str]:
        passages = []
        for docid, document in zip(docids, self._texts.lookup(docids), strict=True):
            if document is None:
                raise Missing(
                    f"document {shown(docid)}, fed back for query {shown(topic.qid)}, has no text in the collection",
                    "is this the feedback of another collection?",
                )
            passages.append(rendered(document, self._template))
        return [query for query in queries_of(topic.text, passages, self._asked.way) if query] if passages else []

    def _joined(self, qid: bytes, lists: Sequence[Found], k: int) -> Found:
        runs = [Run.of([Ranking(qid, *found)]) for found in lists]
        recipe = Recipe(self._rule, depth=k, k=k)
        fused = fuse(runs, [self.name] * len(runs), recipe, self.name, self._note)
        return Found(fused[qid].docids, fused[qid].scores) if qid in fused else nothing()
