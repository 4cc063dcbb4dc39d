"""What `rerank rerank` does with a run, opened from what was typed: on this machine, or in each worker of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rerank_cli.cli import rerank_options, strategy_options
from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.core.candidates import Candidates
    from rerank_cli.core.protocols import Cache
    from rerank_cli.core.texts import Texts
    from rerank_cli.inference.memory import Halves
    from rerank_cli.pipeline import Reranked, Sources


class Reranking:
    """The model, how it is asked, and, once `find_texts` was called, the texts of a run.

    `typed` are the command's options by their names; `keep_in` opens where answers are kept, when all that was typed
    goes together (None: nowhere); `opened` closes it. Raises what the parts raise.
    """

    def __init__(
        self,
        typed: Mapping[str, Any],
        settings: Settings,
        terminal: Terminal,
        keep_in: Callable[[], AbstractContextManager[Cache]] | None,
        opened: ExitStack,
    ) -> None:
        from rerank_cli.cli.rerank_model import opened_model

        self._typed, self._settings, self._terminal = typed, settings, terminal
        chosen = settings.resolve("model", typed["model"], flag_name="-m")
        loaded, self.ledger = opened_model(chosen, settings, terminal, typed, _import_what_follows)
        from rerank_cli import pipeline
        from rerank_cli.cli.scorer import keeping_answers
        from rerank_cli.inference.passages import Passages
        from rerank_cli.pipeline import scales

        passages, aggregate = rerank_options.passage_window(typed["passages"]), typed["aggregate"]
        first_only = aggregate is rerank_options.Aggregate.first
        limits = pipeline.Options(
            typed["depth"],
            typed["keep"],
            typed["tail"].value,
            typed["missing"].value,
            typed["interpolate"],
            typed["exclude_self"],
            passages and Passages(loaded.tokenizer, *passages, first_only=first_only),
            aggregate.value if aggregate else "max",
            loaded.description.score,
            typed["score_as"] and typed["score_as"].value,
        )
        scales.check(limits.score, limits.score_as or limits.score)
        self._plan = strategy_options.plan_of(loaded, typed, terminal.seed)
        if typed["explain"]:
            limits = replace(limits, reasons=strategy_options.reasons_of(loaded, self._plan))
        pipeline.check(loaded, limits, self._plan)
        self._limits = limits
        self._halves: Halves | None = getattr(loaded, "halves", None)
        self._scorer = loaded if keep_in is None else keeping_answers(loaded, opened.enter_context(keep_in()))
        self._found: Collection | None = None
        self._sources: Sources | None = None

    def find_texts(self, header: dict[str, Any] | None, carries_texts: bool) -> None:
        """Open the collection of a run with this header, which may carry its texts; all topics, judged or not."""
        from rerank_cli.cli.sources import overrides, texts_of
        from rerank_cli.pipeline import Sources

        typed = self._typed
        named = overrides(
            typed["docs"],
            typed["topics"],
            all_topics=True,
            topic_fields=typed["topic_fields"],
            doc_template=typed["doc_template"],
        )
        found = texts_of(
            typed["collection"], named, self._settings, self._terminal, header=header, carried=carries_texts
        )
        if found is None:
            self._terminal.refuse(
                ["doc_template", "topic_fields"], "is for a collection, and the run carries its texts"
            )
        else:
            self._found = found
            self._sources = Sources(
                found.topics(), found.documents(), found.doc_template, found.name or found.description()
            )

    def say_refused(self) -> None:
        """Say how many batches memory had no room for."""
        halves = self._halves
        if halves is not None and halves.refused:
            told = f"{halves.refused} (--batch-tokens {halves.most} saves the tries)"
            self._terminal.note(f"batches that had no room in memory and were halved: {told}")

    @property
    def texts(self) -> Texts | None:
        """The texts of the collection; None for a run that carries its own."""
        return self._sources.texts if self._sources else None

    @property
    def longest(self) -> int | None:
        """The tokens up to which a text counts; None where all of it does."""
        return None if self._limits.passages else self._scorer.description.max_length

    @property
    def facts(self) -> dict[str, Any]:
        """What provenance says of the work."""
        from rerank_cli.cli.scorer import facts_of

        typed, limits, plan, found = self._typed, self._limits, self._plan, self._found
        return {
            "collection": found.name if found else None,
            "fingerprint": found.fingerprint() if found else None,
            "topics_fingerprint": found.topics_fingerprint() if found else None,
            "doc_template": found.doc_template if found else None,
            "topic_fields": typed["topic_fields"] if found else None,
            "depth": limits.depth,
            "keep": limits.keep,
            "tail": limits.tail,
            "missing": limits.missing,
            "exclude_self": limits.exclude_self or None,
            "interpolate": limits.interpolate,
            "passages": typed["passages"],
            "aggregate": limits.aggregate if limits.passages else None,
            "score_as": limits.score_as,
            "strategy": plan and plan.strategy.name,
            "strategy_settings": plan and plan.facts(),
            "max_calls": typed["max_calls"],
            "deadline": typed["deadline"],
            "select": typed["select"] or None,
            **facts_of(self._scorer),
        }

    def say_estimate(self, candidates: Iterable[Candidates]) -> None:
        """Print what it would cost, and score nothing."""
        from rerank_cli import pipeline
        from rerank_cli.cli.estimates import say_asked_estimate, say_estimate

        scorer, plan, price = self._scorer, self._plan, self._typed["price"]
        if plan is not None:
            ranker = pipeline.as_ranker(scorer)
            asked = pipeline.estimate_asked(candidates, self._sources, ranker, plan, self._limits)
            say_asked_estimate(asked, plan, price)
            return
        cost = pipeline.estimate(candidates, self._sources, scorer, self._limits)
        say_estimate(cost, price)

    def answers(self, candidates: Iterable[Candidates], seconds_left: float | None = None) -> Generator[Reranked]:
        """See `pipeline.rerank`; `seconds_left` of the strategy's deadline, where not all of them are."""
        from rerank_cli import pipeline

        plan = self._plan
        if plan is not None and seconds_left is not None:
            plan = replace(plan, deadline=seconds_left)
        return pipeline.rerank(candidates, self._sources, self._scorer, self._limits, plan)


def _import_what_follows() -> None:
    """Import what a rerank needs once it has its model: that costs no time while a graph is being opened."""
    import rerank_cli.collection
    import rerank_cli.formats.indexed_corpus
    import rerank_cli.formats.output
    import rerank_cli.formats.parts
    import rerank_cli.methods.pointwise
    import rerank_cli.pipeline  # noqa: F401
