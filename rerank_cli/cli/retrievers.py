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
    from rerank_cli.retrieval.rm3 import Expansion, Feedback
    from rerank_cli.retrieval.variants import Parameters

#: Documents between two movements of the progress bar.
_STRIDE = 500
_JOIN = "+"


@dataclass(frozen=True)
class Scoring:
    """The options that shape BM25."""

    k1: float
    b: float
    variant: str
    delta: float | None
    exact_lengths: bool
    analyzer: str

    def parameters(self) -> Parameters:
        """Raises `WrongUsage`."""
        from rerank_cli.retrieval.variants import Parameters

        return Parameters(self.k1, self.b, self.variant, self.delta, "exact" if self.exact_lengths else "lucene")


@dataclass(frozen=True)
class Expanding:
    """The options that shape feedback."""

    rm3: bool
    rocchio: bool
    feedback: str | None
    docs: int
    terms: int
    weight: float | None

    def expansion(self) -> Expansion | None:
        """The way to expand a query that was asked for, None for no feedback; raises `WrongUsage`."""
        from rerank_cli.retrieval.rm3 import Rm3, Rocchio

        if self.rm3 and self.rocchio:
            raise WrongUsage("--rm3 and --rocchio are two ways of feedback", "take one of them")
        if not (self.rm3 or self.rocchio):
            if self.feedback is not None:
                raise WrongUsage(
                    "--feedback says where documents come from, not what becomes of them", "add --rm3 or --rocchio"
                )
            return None
        way = Rm3 if self.rm3 else Rocchio
        return way(self.terms) if self.weight is None else way(self.terms, self.weight)


@dataclass(frozen=True)
class Given:
    """The options of `rerank retrieve` that shape a first stage."""

    index: str | None
    scoring: Scoring
    expanding: Expanding
    fuse: str
    weights: str | None

    def check(self, chosen: Setting) -> None:
        """Raise `WrongUsage` for what can be refused before a collection is opened."""
        from rerank_cli.retrieval.analyzers import analyzer_named

        parts = parts_of(chosen)
        self.scoring.parameters()
        self.expanding.expansion()
        analyzer_named(self.scoring.analyzer)
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
    chosen: Setting,
    found: Collection,
    given: Given,
    settings: Settings,
    terminal: Terminal,
    feedback: Feedback | None = None,
) -> Retriever:
    """Open the first stage, or all that a sum joins; indexes that are missing are built and kept."""
    from rerank_cli.retrieval.hybrid import Hybrid

    parts = [_opened(part, found, given, settings, terminal, feedback) for part in parts_of(chosen)]
    return parts[0] if len(parts) == 1 else Hybrid(parts, given.recipe(len(parts)), terminal.note)


def _opened(
    part: str, found: Collection, given: Given, settings: Settings, terminal: Terminal, feedback: Feedback | None
) -> Retriever:
    from rerank_cli.retrieval.rm3 import Bm25WithFeedback

    bm25 = _bm25(found, given.scoring, given.index, settings, terminal)
    expansion = given.expanding.expansion()
    if expansion is None:
        return bm25
    return Bm25WithFeedback(bm25, expansion, documents=given.expanding.docs, feedback=feedback)


def _bm25(found: Collection, scoring: Scoring, folder: str | None, settings: Settings, terminal: Terminal) -> Bm25:
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
        analyzer=scoring.analyzer,
        folder=Path(folder) if folder is not None else found.index,
        watch=lambda documents: watched(documents, len(corpus), terminal),
        processes=terminal.threads,
    )
    return Bm25(index, scoring.parameters(), threads=terminal.threads)


def watched(documents: Iterable[Document], total: int, terminal: Terminal) -> Iterator[Document]:
    """The documents as they are indexed, with a progress bar."""
    with terminal.progress(total, "documents indexed") as progress:
        for number, document in enumerate(documents, 1):
            yield document
            if number % _STRIDE == 0:
                progress.advance(_STRIDE)
