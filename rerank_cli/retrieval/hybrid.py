"""Several first stages as one: each is asked for its list, and the lists are fused by any rule of `rerank fuse`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rerank_cli.core.run import Ranking, Run
from rerank_cli.fusion.fuse import Recipe, fuse
from rerank_cli.retrieval.retriever import Found, Retriever, Topic, nothing

#: Topics fused together; what is held of each first stage at a time.
_TOPICS = 32


class Hybrid:
    """A `Retriever` over others; `recipe` says rule, norm, weights and how deep each list is read."""

    def __init__(self, parts: Sequence[Retriever], recipe: Recipe, note: Callable[[str], None]) -> None:
        self.name = "+".join(part.name for part in parts)
        self._parts, self._recipe, self._note = parts, recipe, note

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        own = {"fused_by": self._recipe.rule.name, "norm": self._recipe.norm, "weights": self._recipe.weights}
        told = {name: fact for name, fact in own.items() if fact is not None}
        return {**told, "parts": {part.name: part.facts for part in self._parts}}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; the searches of every part, to the recipe's depth or k, whichever is more."""
        from dataclasses import replace

        depth = max(k, self._recipe.depth)
        recipe = replace(self._recipe, depth=depth, k=k)
        for start in range(0, len(topics), _TOPICS):
            some = topics[start : start + _TOPICS]
            runs = [
                Run.of([Ranking(topic.qid, *found) for topic, found in zip(some, part.search(some, depth))], part.name)
                for part in self._parts
            ]
            fused = fuse(runs, [part.name for part in self._parts], recipe, self.name, self._note)
            for topic in some:
                yield Found(fused[topic.qid].docids, fused[topic.qid].scores) if topic.qid in fused else nothing()
