"""First stages that are models: from a name after `retrieve -m` to an index of what the model made of the corpus."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from pathlib import Path

    from rerank_cli.cli.crew import Crew
    from rerank_cli.collection import Collection
    from rerank_cli.methods import LoadedScorer
    from rerank_cli.methods.vectors import TextModel
    from rerank_cli.retrieval.encoding import Watch
    from rerank_cli.retrieval.retriever import Retriever
    from rerank_cli.retrieval.rm3 import Feedback
    from rerank_cli.retrieval.vector_feedback import Feedback as Moving

#: The methods of checkpoints that a first stage can be made of.
METHODS = ("bi-encoder", "splade")


@dataclass(frozen=True)
class Encoders:
    """The options of `rerank retrieve` that say how a model is opened and asked."""

    method: str | None = None
    device: str | None = None
    precision: str | None = None
    max_length: int | None = None
    batch_tokens: int | None = None
    ann: bool = False

    def check(self, names: list[str], origin: str, *, moves: bool) -> None:
        """Raise what can be told of the models' names and their options before anything is opened; `moves`: feedback of vectors."""
        from dataclasses import fields

        from rerank_cli.methods import catalog
        from rerank_cli.retrieval.approximate import needs_usearch

        if self.ann:
            needs_usearch()
        given = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        if given and not names:
            raise WrongUsage(f"--{given[0].replace('_', '-')} is for first stages that are models", "as in -m minilm")
        methods = [catalog.find(name, method=self.method).method for name in names]
        for name, method in zip(names, methods, strict=True):
            _refuse_reranker(method, name, origin)
        if (moves or self.ann) and set(methods) <= {"splade"}:
            asked = "--ann is" if self.ann else "--prf average and rocchio are"
            raise WrongUsage(f"{asked} for the vectors of a bi-encoder", "as in -m minilm --prf average")

    def open(
        self,
        name: str,
        origin: str,
        found: Collection,
        folder: Path | None,
        settings: Settings,
        terminal: Terminal,
        watch: Watch,
        moving: Moving | None = None,
        feedback: Feedback | None = None,
        crew: Crew | None = None,
    ) -> Retriever:
        """Load a model, here or in the workers of `crew`, and open its index, encoding the corpus first where there is none;
        `moving` and `feedback` as in `VectorFeedback`."""
        from rerank_cli.retrieval.approximate import kept_graph
        from rerank_cli.retrieval.dense import Dense, kept_dense_index
        from rerank_cli.retrieval.learned_sparse import LearnedSparse, kept_encoded_impacts
        from rerank_cli.retrieval.vector_feedback import VectorFeedback

        model: Any
        if crew is None:
            model = _text_model(self, name, origin, settings, terminal)
        else:
            model = crew.model(partial(_text_model, replace(self, device=crew.device), name, origin))
        kept: dict[str, Any] = {
            "cache_dir": settings.cache_dir,
            "note": terminal.note,
            "template": found.doc_template,
            "folder": folder,
            "watch": watch,
            "over": map if crew is None else crew.over,
        }
        if model.description.method == "splade":
            return LearnedSparse(kept_encoded_impacts(found.documents(), model, **kept), model, terminal.note)
        index = kept_dense_index(found.documents(), model, **kept)
        if self.ann:
            index = kept_graph(index, threads=terminal.threads, note=terminal.note)
        dense = Dense(index, model, terminal.note)
        return dense if moving is None else VectorFeedback(dense, moving, feedback)

    def scorer(self, model: Setting, settings: Settings, terminal: Terminal) -> LoadedScorer:
        """Load the model of a setting."""
        from rerank_cli.cli.scorer import open_scorer

        return open_scorer(
            model,
            settings,
            terminal,
            method=self.method,
            device=settings.resolve("device", self.device).value or "auto",
            precision=self.precision,
            max_length=self.max_length,
            batch_tokens=self.batch_tokens,
        )


def _text_model(how: Encoders, name: str, origin: str, settings: Settings, terminal: Terminal) -> TextModel:
    """Load a model that makes arrays of texts; says on stderr which, and on what it runs."""
    from rerank_cli.methods.vectors import TextScorer

    scorer = how.scorer(Setting(name, origin), settings, terminal)
    _refuse_reranker(scorer.description.method, name, origin)
    assert isinstance(scorer, TextScorer)
    return scorer.model


def _refuse_reranker(method: str, name: str, origin: str) -> None:
    """Raise `WrongUsage` for a checkpoint of a method that only reranks; one whose files are not here yet has none."""
    if method and method not in METHODS:
        raise WrongUsage(
            f"{name} is no first stage but a reranker, a {method} ({origin})",
            f"retrieve with bm25 or a {' or '.join(METHODS)}, and put it behind: rerank retrieve | rerank rerank -m {name}",
        )
