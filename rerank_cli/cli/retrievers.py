"""From what the user typed after `retrieve -m` to an opened first stage, building its index where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.core.texts import Document
    from rerank_cli.fusion.fuse import Recipe
    from rerank_cli.retrieval.bm25 import Bm25
    from rerank_cli.retrieval.retriever import Retriever
    from rerank_cli.retrieval.text_feedback import Asked

#: Documents between two movements of the progress bar.
_STRIDE = 500
_JOIN = "+"


@dataclass(frozen=True)
class Given:
    """The options of `rerank retrieve` that shape a first stage."""

    index: str | None
    k1: float
    b: float
    analyzer: str
    fuse: str
    weights: str | None
    prf: str | None = None
    prf_depth: int | None = None
    prf_aggregate: str | None = None

    def check(self, chosen: Setting) -> None:
        """Raise `WrongUsage` for what can be refused before a collection is opened."""
        from rerank_cli.retrieval.analysis import analyzer_named
        from rerank_cli.retrieval.bm25 import check_parameters

        parts = parts_of(chosen)
        check_parameters(self.k1, self.b)
        analyzer_named(self.analyzer)
        if len(parts) > 1:
            self.recipe(len(parts))
            if self.index is not None:
                raise WrongUsage("--index names one folder, and a sum of first stages has several", "leave it out")
        elif self.weights is not None:
            raise WrongUsage("--weights is for a sum of first stages", "as in -m bm25+minilm")
        self.feedback()

    def feedback(self) -> Asked | None:
        """How feedback is asked, None without --prf; raises `WrongUsage` for what it has no use for."""
        from rerank_cli.retrieval.text_feedback import Asked

        told = {"depth": self.prf_depth, "aggregate": self.prf_aggregate}
        for name, value in told.items():
            if value is not None and (self.prf is None or (name == "aggregate" and self.prf == "concatenate")):
                need = "--prf" if self.prf is None else "several queries: --prf each or windows"
                raise WrongUsage(f"--prf-{name} {value} is for {need}", "as in --prf each")
        given = {name: value for name, value in told.items() if value is not None}
        return None if self.prf is None else Asked(self.prf, **given)  # type: ignore[arg-type]

    def recipe(self, parts: int) -> Recipe:
        """How the lists of a sum are fused; raises `WrongUsage`."""
        from rerank_cli.fusion import rule_named
        from rerank_cli.fusion.fuse import Recipe, settings_of

        try:
            weights = None if self.weights is None else [float(weight) for weight in self.weights.split(",")]
        except ValueError:
            raise WrongUsage(f"--weights {self.weights}: weights are numbers", "as in 0.3,0.7") from None
        recipe = Recipe(rule_named(self.fuse), weights=weights)
        settings_of(recipe, parts, lambda _: None)
        return recipe


def parts_of(chosen: Setting) -> list[str]:
    """The first stages that a name such as `bm25+minilm` joins; raises `WrongUsage` for an empty one or one named twice."""
    parts = (chosen.value or "").split(_JOIN)
    if not all(parts) or len(set(parts)) < len(parts):
        raise WrongUsage(f"{chosen.value!r} names no first stages ({chosen.origin})", "as in bm25 or bm25+minilm")
    for part in parts:
        if part != "bm25":
            raise WrongUsage(f"there is no retriever {part!r} ({chosen.origin})", "there is bm25")
    return parts


def open_retriever(
    chosen: Setting,
    found: Collection,
    given: Given,
    settings: Settings,
    terminal: Terminal,
    filtered: Callable[[Retriever], Retriever] | None = None,
) -> Retriever:
    """Open the first stage, or all that a sum joins; indexes that are missing are built and kept.

    Each part is `filtered` before anything is joined, and feedback stands around all of it.
    """
    from rerank_cli.retrieval.hybrid import Hybrid
    from rerank_cli.retrieval.text_feedback import TextFeedback

    parts = [_opened(part, found, given, settings, terminal) for part in parts_of(chosen)]
    if filtered is not None:
        parts = [filtered(part) for part in parts]
    whole = parts[0] if len(parts) == 1 else Hybrid(parts, given.recipe(len(parts)), terminal.note)
    asked = given.feedback()
    return whole if asked is None else TextFeedback(whole, found.documents(), found.doc_template, asked, terminal.note)


def _opened(part: str, found: Collection, given: Given, settings: Settings, terminal: Terminal) -> Retriever:
    return _bm25(found, given, settings, terminal)


def _bm25(found: Collection, given: Given, settings: Settings, terminal: Terminal) -> Bm25:
    """BM25 over the collection's index: where the flag says, else where the collection says, else in the cache."""
    from pathlib import Path

    from rerank_cli.retrieval.bm25 import Bm25
    from rerank_cli.retrieval.kept import kept_bm25_index

    corpus = found.documents()
    index = kept_bm25_index(
        corpus,
        cache_dir=settings.cache_dir,
        note=terminal.note,
        template=found.doc_template,
        analyzer=given.analyzer,
        folder=Path(given.index) if given.index is not None else found.index,
        watch=lambda documents: watched(documents, len(corpus), terminal),
    )
    return Bm25(index, k1=given.k1, b=given.b)


def watched(documents: Iterable[Document], total: int, terminal: Terminal) -> Iterator[Document]:
    """The documents as they are indexed, with a progress bar."""
    with terminal.progress(total, "documents indexed") as progress:
        for number, document in enumerate(documents, 1):
            yield document
            if number % _STRIDE == 0:
                progress.advance(_STRIDE)
