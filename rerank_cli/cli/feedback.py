"""Feedback as it was asked for: how the first documents change a query, and the run that they may come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.retrieval.rm3 import Expansion, Feedback
    from rerank_cli.retrieval.text_feedback import Asked
    from rerank_cli.retrieval.vector_feedback import Feedback as Moving

_VECTORS = ("average", "rocchio")
#: Documents that are fed back when the user says no number: to terms of BM25, and to words and vectors.
_TERM_DOCS, _OTHER_DOCS = 10, 3
#: Setting -> the ways that read it.
_READ_BY = {
    "fb_docs": ("--rm3", "--rocchio", "--prf"),
    "feedback": ("--rm3", "--rocchio", "--prf"),
    "fb_terms": ("--rm3", "--rocchio"),
    "fb_weight": ("--rm3", "--rocchio"),
    "prf_aggregate": ("--prf each", "--prf windows"),
    "prf_alpha": ("--prf rocchio",),
    "prf_beta": ("--prf rocchio",),
}


@dataclass(frozen=True)
class Feeding:
    """The options of `rerank retrieve` that shape feedback; one way at a time."""

    rm3: bool = False
    rocchio: bool = False
    prf: str | None = None
    feedback: str | None = None
    fb_docs: int | None = None
    fb_terms: int | None = None
    fb_weight: float | None = None
    prf_aggregate: str | None = None
    prf_alpha: float | None = None
    prf_beta: float | None = None

    def check(self) -> None:
        """Raise `WrongUsage` for two ways at a time, and for a setting that the way does not read."""
        named = {"--rm3": self.rm3, "--rocchio": self.rocchio, "--prf": self.prf is not None}
        ways = [way for way, given in named.items() if given]
        if len(ways) > 1:
            raise WrongUsage(f"{ways[0]} and {ways[1]} are two ways of feedback", "take one of them")
        for name, readers in _READ_BY.items():
            if getattr(self, name) is not None and not {*ways, f"--prf {self.prf}"} & set(readers):
                raise WrongUsage(
                    f"--{name.replace('_', '-')} is for {' and '.join(readers)}", "add one, or leave it out"
                )
        self.expansion()
        self.words()
        self.vectors()

    @property
    def documents(self) -> int:
        """How many documents are fed back."""
        return self.fb_docs or (_OTHER_DOCS if self.prf else _TERM_DOCS)

    def expansion(self) -> Expansion | None:
        """How terms join a query of BM25."""
        if not (self.rm3 or self.rocchio):
            return None
        from rerank_cli.retrieval.rm3 import Rm3, Rocchio

        return (Rm3 if self.rm3 else Rocchio)(**_given(terms=self.fb_terms, weight=self.fb_weight))

    def words(self) -> Asked | None:
        """How the documents' words are asked."""
        if self.prf is None or self.prf in _VECTORS:
            return None
        from rerank_cli.retrieval.text_feedback import Asked

        more: Mapping[str, Any] = _given(aggregate=self.prf_aggregate)
        return Asked(self.prf, self.documents, **more)  # type: ignore[arg-type]

    def vectors(self) -> Moving | None:
        """How queries' vectors move; raises `WrongUsage` for weights that make no query."""
        if self.prf not in _VECTORS:
            return None
        from rerank_cli.retrieval.vector_feedback import Feedback as Moving

        more: Mapping[str, Any] = _given(alpha=self.prf_alpha, beta=self.prf_beta)
        return Moving(self.prf, self.documents, **more)  # type: ignore[arg-type]


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


class FeedbackRun(NamedTuple):
    """What a run says of each topic, its header, and a hash of what is taken of it."""

    feedback: Feedback
    header: dict[str, Any] | None
    fingerprint: str

    def say_absent(self, qids: Collection[bytes], warn: Callable[[str], None]) -> None:
        """Count the topics that the run lacks."""
        absent = sum(self.feedback(qid) is None for qid in qids)
        if absent:
            warn(f"{absent} of {len(qids)} topics are not in the feedback run: they are asked as they are")


def feedback_run(path: str, documents: int) -> FeedbackRun:
    """Read a run (`-`: stdin) to its end; of each query the ids of the first `documents` are held."""
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.core.hashing import digest_of
    from rerank_cli.formats.runs import RunStream

    with input_stream(path, "feedback run") as (stream, name):
        run = RunStream(stream, name)
        header = run.header
        first = {block.ranking.qid: block.ranking.docids[:documents].tolist() for block in run}
    return FeedbackRun(
        first.get, header, digest_of(word for qid, docids in first.items() for word in (qid, b"\n".join(docids)))
    )
