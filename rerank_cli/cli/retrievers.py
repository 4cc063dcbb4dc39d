"""From what the user typed after `retrieve -m` to an opened first stage, building its index where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    def check(self, chosen: Setting) -> None:
        """Raise `WrongUsage` for what can be refused before a collection is opened."""
        from rerank_cli.retrieval.analysis import analyzer_named
        from rerank_cli.retrieval.variants import Parameters

        parts = parts_of(chosen)
        Parameters(self.k1, self.b)
        analyzer_named(self.analyzer)
        if len(parts) > 1:
            self.recipe(len(parts))
            if self.index is not None:
                raise WrongUsage("--index names one folder, and a sum of first stages has several", "leave it out")
        elif self.weights is not None:
            raise WrongUsage("--weights is for a sum of first stages", "as in -m bm25+minilm")

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
    chosen: Setting, found: Collection, given: Given, settings: Settings, terminal: Terminal
) -> Retriever:
    """Open the first stage, or all that a sum joins; indexes that are missing are built and kept."""
    from rerank_cli.retrieval.hybrid import Hybrid

    parts = [_opened(part, found, given, settings, terminal) for part in parts_of(chosen)]
    return parts[0] if len(parts) == 1 else Hybrid(parts, given.recipe(len(parts)), terminal.note)


def _opened(part: str, found: Collection, given: Given, settings: Settings, terminal: Terminal) -> Retriever:
    return _bm25(found, given, settings, terminal)


def _bm25(found: Collection, given: Given, settings: Settings, terminal: Terminal) -> Bm25:
    """BM25 over the collection's index: where the flag says, else where the collection says, else in the cache."""
    from pathlib import Path

    from rerank_cli.retrieval.bm25 import Bm25
    from rerank_cli.retrieval.kept import kept_bm25_index
    from rerank_cli.retrieval.variants import Parameters

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
    return Bm25(index, Parameters(given.k1, given.b))


def watched(documents: Iterable[Document], total: int, terminal: Terminal) -> Iterator[Document]:
    """The documents as they are indexed, with a progress bar."""
    with terminal.progress(total, "documents indexed") as progress:
        for number, document in enumerate(documents, 1):
            yield document
            if number % _STRIDE == 0:
                progress.advance(_STRIDE)
