"""Learned sparse first stages: an encoder such as SPLADE, or weights that somebody has computed before.

A SPLADE encoder weighs the words of its vocabulary for documents and queries alike. Weights computed elsewhere
(DeepImpact, uniCOIL, SPLADE by other programs) come as a JSONL file with a `vector` of terms and weights a document;
the queries have vectors of their own, or are words that count once each time they stand there.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.build_once import build_once, opened
from rerank_cli.core.ids import shown
from rerank_cli.core.texts import TITLE_AND_TEXT, Corpus
from rerank_cli.errors import Missing
from rerank_cli.retrieval.dense import batches_of, encoder_facts, model_facts
from rerank_cli.retrieval.encoding import BLOCK_DOCUMENTS, Asked, Parts, Unfinished, Watch, encoded_once
from rerank_cli.retrieval.impacts import FORMAT, KIND, ImpactIndex, forward_parts, write_impacts
from rerank_cli.retrieval.manifest import key_of, refuse_other
from rerank_cli.retrieval.retriever import Found, Topic
from rerank_cli.retrieval.sharing import TOGETHER, Over

if TYPE_CHECKING:
    from rerank_cli.methods.vectors import TextModel

#: Term -> weight.
Weights = Mapping[str, float]
_VOCABULARY = "terms.json"
#: Stands for the model of weights that come with the documents.
_GIVEN = "given"


class LearnedSparse:
    """A `Retriever` over an index of impacts and the encoder that made it; documents that share no term are not found."""

    def __init__(self, index: ImpactIndex, model: TextModel, note: Callable[[str], None]) -> None:
        self._index, self._model, self._asked = index, model, Asked(model, note)
        self.name = "-".join(model.description.name.split())

    @property
    def folder(self) -> Path:
        """See `Indexed.folder`."""
        return self._index.folder

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        return model_facts(self._model)

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; a text a topic through the model."""
        for some in batches_of(topics, TOGETHER):
            for array in self._asked.arrays(some):
                yield self._index.search(array[0].astype(np.int64), array[1], k)


class Impact:
    """A `Retriever` over weights computed before.

    `weights` has each topic's own, by query id; without it a topic's text is words between blanks, each of which counts as often as it comes.
    """

    name = "impact"

    def __init__(self, folder: Path, index: ImpactIndex, weights: Mapping[bytes, Weights] | None) -> None:
        self._folder, self._index, self._weights = folder, index, weights
        terms = json.loads((folder / _VOCABULARY).read_text(encoding="utf-8"))
        self._numbers = {term: number for number, term in enumerate(terms)}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without the index's own terms."""
        return Impact, (self._folder.absolute(), self._index, self._weights)

    @property
    def folder(self) -> Path:
        """See `Indexed.folder`."""
        return self._index.folder

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        return {"terms": self._index.manifest["terms"], "queries": "words" if self._weights is None else "weights"}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; raises `Missing` for a topic without weights where the topics have them."""
        for topic in topics:
            own = self._of(topic)
            known = [(self._numbers[term], weight) for term, weight in own.items() if term in self._numbers]
            columns = np.array(known, dtype=np.float64).reshape(-1, 2)
            yield self._index.search(columns[:, 0].astype(np.int64), columns[:, 1], k)

    def _of(self, topic: Topic) -> Weights:
        if self._weights is None:
            return Counter(topic.text.split())
        if topic.qid not in self._weights:
            raise Missing(f"topic {shown(topic.qid)} has no vector", "all topics have one, or none")
        return self._weights[topic.qid]


def kept_encoded_impacts(
    corpus: Corpus,
    model: TextModel,
    *,
    cache_dir: Path,
    note: Callable[[str], None],
    template: str = TITLE_AND_TEXT,
    folder: Path | None = None,
    watch: Watch = iter,
    over: Over = map,
) -> ImpactIndex:
    """Open the weights of a corpus, encoding it first where there are none: in `folder`, or in the cache; see `kept_dense_index`."""
    wanted = encoder_facts(corpus, model, template)
    place = folder or cache_dir / KIND / key_of(wanted, FORMAT)

    def finish(work: Unfinished, docids: list[bytes], aside: Path) -> None:
        about = {**wanted, "truncated": work.truncated, "encoder": model_facts(model)}
        write_impacts(work, docids, aside, about)

    how: dict[str, Any] = {"template": template, "note": note, "watch": watch, "over": over}
    return _opened(lambda: encoded_once(place, wanted, corpus, model, _parts, finish, **how), wanted)


def _parts(model: TextModel, arrays: list[np.ndarray]) -> Parts:
    return forward_parts([terms.astype(np.int32) for terms, _ in arrays], [weights for _, weights in arrays])


def kept_given_impacts(
    documents: Callable[[], Iterable[tuple[bytes, Weights]]],
    fingerprint: str,
    weights: Mapping[bytes, Weights] | None,
    *,
    cache_dir: Path,
    note: Callable[[str], None],
    folder: Path | None = None,
) -> Impact:
    """Open the index of weights that come with the documents, (docid, term -> weight above 0), making it where there is none.

    Memory for the terms, the ids and a block. Raises `BadData` when `folder` holds an index of others.
    """
    wanted = {"fingerprint": fingerprint, "model_hash": _GIVEN}
    place = folder or cache_dir / KIND / key_of(wanted, FORMAT)

    def build(aside: Path) -> None:
        note("indexing the weights of the documents, once")
        began = time.monotonic()
        numbers: dict[str, int] = {}
        work = Unfinished(aside / "forward", wanted)
        docids: list[bytes] = []
        source = iter(documents())
        while some := list(islice(source, BLOCK_DOCUMENTS)):
            terms = [np.array([numbers.setdefault(term, len(numbers)) for term in own], np.int32) for _, own in some]
            work.add(forward_parts(terms, [np.array(list(own.values()), np.float32) for _, own in some]), len(some), 0)
            docids += [docid for docid, _ in some]
        (aside / _VOCABULARY).write_text(json.dumps(list(numbers)), encoding="utf-8")
        write_impacts(work, docids, aside, wanted)
        work.remove()
        took = time.monotonic() - began
        note(f"{len(docids)} documents with {len(numbers)} terms took {took:.1f} s; the index is kept in {place}")

    waiting = f"waiting for another process to finish {place}"
    index = _opened(lambda: build_once(place, build, waiting=lambda: note(waiting)), wanted)
    if index.manifest["empty"]:
        note(f"{index.manifest['empty']} of {len(index)} documents have no weight, and no query finds them")
    return Impact(place, index, weights)


def _opened(make: Callable[[], Path], wanted: Mapping[str, Any]) -> ImpactIndex:
    index = opened(make, ImpactIndex)
    refuse_other(index.manifest, wanted, index.folder)
    return index
