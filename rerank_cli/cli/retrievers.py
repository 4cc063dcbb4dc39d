"""From what the user typed after `retrieve -m` to an opened first stage, building its index where there is none."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.encoders import Encoders
from rerank_cli.cli.feedback import Feeding
from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from pathlib import Path

    from rerank_cli.cli.crew import Crew
    from rerank_cli.collection import Collection
    from rerank_cli.core.texts import Document
    from rerank_cli.fusion.fuse import Recipe
    from rerank_cli.retrieval.bm25 import Bm25
    from rerank_cli.retrieval.field_weights import FieldWeights
    from rerank_cli.retrieval.fields import Bm25F
    from rerank_cli.retrieval.retriever import Retriever
    from rerank_cli.retrieval.rm3 import Feedback
    from rerank_cli.retrieval.variants import Parameters

#: Documents between two movements of the progress bar.
_STRIDE = 500
_JOIN = "+"
#: The first stages that are no models.
_BM25, _IMPACT = "bm25", "impact"


@dataclass(frozen=True)
class Scoring:
    """The options that shape BM25."""

    k1: float = 0.9
    b: float = 0.4
    variant: str = "lucene"
    delta: float | None = None
    exact_lengths: bool = False
    analyzer: str = "english"
    field_weights: str | None = None
    field_b: str | None = None
    fields_by: str | None = None

    def parameters(self) -> Parameters:
        """Raises `WrongUsage`."""
        from rerank_cli.retrieval.variants import Parameters

        return Parameters(self.k1, self.b, self.variant, self.delta, "exact" if self.exact_lengths else "lucene")

    def fields(self) -> FieldWeights | None:
        """How much each field counts, None where title and text are one; raises `WrongUsage`."""
        from rerank_cli.retrieval.field_weights import FieldWeights, numbers_of

        if self.field_weights is None:
            return None
        weights = numbers_of("--field-weights", self.field_weights)
        b = {} if self.field_b is None else numbers_of("--field-b", self.field_b)
        return FieldWeights(weights, b, self.fields_by or "bm25f")  # type: ignore[arg-type]


@dataclass(frozen=True)
class Given:
    """The options of `rerank retrieve` that shape a first stage."""

    index: str | None = None
    fuse: str = "rrf"
    norm: str | None = None
    weights: str | None = None
    scoring: Scoring = field(default_factory=Scoring)
    encoders: Encoders = field(default_factory=Encoders)
    feeding: Feeding = field(default_factory=Feeding)
    #: Topics that are read once, so that they are words and no weights.
    topics_from_stdin: bool = False

    def check(self, chosen: Setting) -> None:
        """Raise `WrongUsage` for what can be refused before a collection is opened."""
        from rerank_cli.retrieval.analyzers import analyzer_named

        parts = parts_of(chosen)
        self.feeding.check()
        moves = self.feeding.vectors() is not None
        self.encoders.check([part for part in parts if part not in (_BM25, _IMPACT)], chosen.origin, moves=moves)
        if (self.feeding.rm3 or self.feeding.rocchio) and _BM25 not in parts:
            raise WrongUsage("--rm3 and --rocchio add terms to a query of BM25", "of other first stages: --prf each")
        if moves and set(parts) <= {_BM25, _IMPACT}:
            raise WrongUsage(f"--prf {self.feeding.prf} is for the vectors of a bi-encoder", "as in -m minilm")
        self.scoring.parameters()
        fields = self.scoring.fields()
        if fields is not None and (self.feeding.rm3 or self.feeding.rocchio):
            raise WrongUsage(
                "--rm3 and --rocchio weigh terms of whole documents, not of fields (--field-weights)",
                "leave one of them out, or feed words back: --prf each",
            )
        analyzer_named(self.scoring.analyzer)
        if len(parts) > 1:
            self.recipe(len(parts))
            if self.index is not None:
                raise WrongUsage("--index names one folder, and a sum of first stages has several", "leave it out")

    def recipe(self, parts: int) -> Recipe:
        """How the lists of a sum are fused; raises `WrongUsage`."""
        from rerank_cli.fusion import rule_named
        from rerank_cli.fusion.fuse import Recipe, settings_of

        try:
            weights = None if self.weights is None else [float(weight) for weight in self.weights.split(",")]
        except ValueError:
            raise WrongUsage(f"--weights {self.weights}: weights are numbers", "as in 0.3,0.7") from None
        recipe = Recipe(rule_named(self.fuse), self.norm, weights)
        settings_of(recipe, parts, lambda _: None)
        return recipe


def given_of(typed: Mapping[str, Any]) -> Given:
    """The options of the command, by their names, in their groups."""

    def group(kind: Any) -> Any:
        named = {one.name: typed[one.name] for one in fields(kind) if one.name in typed}
        return kind(**{name: value.value if isinstance(value, enum.Enum) else value for name, value in named.items()})

    whole: Given = group(Given)
    return replace(
        whole,
        scoring=group(Scoring),
        encoders=group(Encoders),
        feeding=group(Feeding),
        topics_from_stdin=typed["topics"] == "-",
    )


def parts_of(chosen: Setting) -> list[str]:
    """The first stages that a name such as `bm25+minilm` joins; raises `WrongUsage` for an empty one or one named twice."""
    parts = (chosen.value or "").split(_JOIN)
    if not all(parts) or len(set(parts)) < len(parts):
        raise WrongUsage(f"{chosen.value!r} names no first stages ({chosen.origin})", "as in bm25 or bm25+minilm")
    return parts


def needs_models(chosen: Setting) -> bool:
    """Whether a model is among the first stages."""
    return not set(parts_of(chosen)) <= {_BM25, _IMPACT}


def open_retriever(
    chosen: Setting,
    found: Collection,
    given: Given,
    settings: Settings,
    terminal: Terminal,
    *,
    filtered: Callable[[Retriever], Retriever] | None = None,
    feedback: Feedback | None = None,
    crew: Crew | None = None,
) -> Retriever:
    """Open the first stage, or all that a sum joins; indexes that are missing are built, by `crew` if there is one, and kept.

    Terms and vectors that are fed back belong to a part; each part is `filtered` before anything is joined, and
    feedback in words stands around all of it.
    """
    parts = [
        _opened(part, chosen.origin, found, given, settings, terminal, feedback, crew) for part in parts_of(chosen)
    ]
    if filtered is not None:
        parts = [filtered(part) for part in parts]
    whole = parts[0]
    if len(parts) > 1:
        from rerank_cli.retrieval.hybrid import Hybrid

        whole = Hybrid(parts, given.recipe(len(parts)), terminal.note)
    words = given.feeding.words()
    if words is None:
        return whole
    from rerank_cli.retrieval.text_feedback import TextFeedback

    return TextFeedback(whole, found.documents(), found.doc_template, words, terminal.note, feedback)


def _opened(
    part: str,
    origin: str,
    found: Collection,
    given: Given,
    settings: Settings,
    terminal: Terminal,
    feedback: Feedback | None,
    crew: Crew | None,
) -> Retriever:
    from pathlib import Path

    from rerank_cli.retrieval.bm25 import Bm25

    if part == _BM25:
        bm25 = _bm25(found, given, settings, terminal, crew)
        if not isinstance(bm25, Bm25):
            return bm25
        expansion = given.feeding.expansion()
        if expansion is None:
            return bm25
        from rerank_cli.retrieval.rm3 import Bm25WithFeedback

        return Bm25WithFeedback(bm25, expansion, documents=given.feeding.documents, feedback=feedback)
    # The folder that a collection names is its BM25 index.
    folder = None if given.index is None else Path(given.index)
    if part == _IMPACT:
        return _impact(found, given, folder, settings, terminal)
    return given.encoders.open(
        part,
        origin,
        found,
        folder,
        settings,
        terminal,
        lambda documents: watched(documents, len(found.documents()), terminal),
        given.feeding.vectors(),
        feedback,
        crew,
    )


def _impact(found: Collection, given: Given, folder: Path | None, settings: Settings, terminal: Terminal) -> Retriever:
    """Weights that come with the documents, and with the topics where these have them."""
    from rerank_cli.retrieval.learned_sparse import kept_given_impacts

    return kept_given_impacts(
        found.weighted_documents,
        found.fingerprint(),
        None if given.topics_from_stdin else found.weighted_topics(),
        cache_dir=settings.cache_dir,
        note=terminal.note,
        folder=folder,
    )


def _bm25(found: Collection, given: Given, settings: Settings, terminal: Terminal, crew: Crew | None) -> Bm25 | Bm25F:
    """BM25 over the collection's index: where the flag says, else (without fields) the collection, else in the cache."""
    from pathlib import Path

    from rerank_cli.retrieval.bm25 import Bm25
    from rerank_cli.retrieval.fields import Bm25F
    from rerank_cli.retrieval.kept import kept_bm25_index, kept_field_index

    corpus = found.documents()
    folder = None if given.index is None else Path(given.index)
    kept: dict[str, Any] = {
        "cache_dir": settings.cache_dir,
        "note": terminal.note,
        "analyzer": given.scoring.analyzer,
        "watch": lambda documents: watched(documents, len(corpus), terminal),
        "processes": terminal.threads,
        "over": None if crew is None else crew.over,
    }
    parameters, fields = given.scoring.parameters(), given.scoring.fields()
    if fields is not None:
        return Bm25F(kept_field_index(corpus, folder=folder, **kept), parameters, fields)
    index = kept_bm25_index(corpus, folder=folder or found.index, template=found.doc_template, **kept)
    return Bm25(index, parameters)


def watched(documents: Iterable[Document], total: int, terminal: Terminal) -> Iterator[Document]:
    """The documents as they are indexed, with a progress bar."""
    with terminal.progress(total, "documents indexed") as progress:
        for number, document in enumerate(documents, 1):
            yield document
            if number % _STRIDE == 0:
                progress.advance(_STRIDE)
