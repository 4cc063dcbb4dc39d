"""Which ranking algorithm a model is put through, with which settings: what goes together and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rerank_cli.core.protocols import Ranker
from rerank_cli.errors import WrongUsage
from rerank_cli.strategies import Settings, Strategy, strategies, strategy_named

#: From the least that a model can tell of its documents to the most.
_TELLS = ("prefer", "pick", "order", "rate")
_TOLD = {
    "prefer": "which of two documents is better",
    "pick": "which of several documents is the best",
    "order": "an order of several documents",
    "rate": "a value for each of several documents",
}


@dataclass(frozen=True)
class Plan:
    """A ranking algorithm made ready for one model."""

    strategy: Strategy
    settings: Settings
    seed: int = 0
    #: Most questions a query; seconds after the first question from which on nothing more is asked.
    max_calls: int | None = None
    deadline: float | None = None
    #: Write only what the model chose, where it may leave documents out.
    select: bool = False
    #: Keep the reasons that the model gives, for `--stats`.
    explain: bool = False
    #: Queries under way at a time.
    at_a_time: int = 64

    def facts(self) -> dict[str, Any]:
        """The settings that the algorithm reads, for headers."""
        told = {
            name: value
            if (value := getattr(self.settings, name)) is not None
            else getattr(self.strategy.defaults, name)
            for name in self.strategy.reads
        }
        return {name: value for name, value in told.items() if value is not None} | {"seed": self.seed}

    def count(self, n: int) -> int:
        """The most questions for a list of n documents."""
        return self.strategy.count(n, self.settings)


def planned(ranker: Ranker, name: str | None, given: Mapping[str, Any], **more: Any) -> Plan:
    """The plan for `ranker`: the algorithm `name`, or the model's own; settings `given` before the model's before the algorithm's,
    which it fills in itself.

    `more` are other fields of `Plan`. Raises `WrongUsage` when the model cannot answer the algorithm's questions, or a
    setting is given that it does not read.
    """
    strategy = strategy_named(name or ranker.strategy or "single")
    _check_reads(strategy, given)
    own = ranker.settings if strategy.name == ranker.strategy else {}
    settings = Settings(**{**own, **given})
    if _by_duels(ranker, strategy):
        settings = settings.filled(orders="both")
    elif not _fits(ranker, strategy):
        fitting = [one.name for one in strategies().values() if _fits(ranker, one)]
        raise WrongUsage(
            f"{strategy.name} asks for {_TOLD[strategy.asks]}, and this model tells only {_TOLD[ranker.asks]}",
            f"strategies that go with it are {', '.join(fitting)}",
        )
    if settings.compat and settings.compat not in strategy.compats:
        known = f"{strategy.name} knows {', '.join(strategy.compats)}" if strategy.compats else ""
        raise WrongUsage(f"--compat {settings.compat}: {strategy.name} has no such variant", known)
    return Plan(strategy, _within(ranker, strategy, settings, given), **more)


def as_duel(values: np.ndarray, asks: str) -> np.ndarray:
    """A reply to two documents (2,) as P(first beats second) and its opposite, whatever kind of model gave it.

    An order or a choice is certain; of two ratings the difference is a margin, as Bradley and Terry have it.
    """
    if asks == "prefer" or np.isnan(values).any():
        return values
    difference = values[0] - values[1]
    p = 1 / (1 + np.exp(-np.clip(difference, -700, 700))) if asks == "rate" else (np.sign(difference) + 1) / 2
    return np.array([p, 1 - p])


def _by_duels(ranker: Ranker, strategy: Strategy) -> bool:
    """Whether the best of several is found by questions of two, because the model answers no others."""
    return ranker.asks == "prefer" and strategy.asks == "pick" and "orders" in strategy.reads


def _fits(ranker: Ranker, strategy: Strategy) -> bool:
    return _by_duels(ranker, strategy) or _TELLS.index(ranker.asks) >= _TELLS.index(strategy.asks)


def _check_reads(strategy: Strategy, given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in strategy.reads:
            reads = ", ".join("--" + one.replace("_", "-") for one in strategy.reads)
            raise WrongUsage(
                f"--{name.replace('_', '-')}: the strategy {strategy.name} does not read it",
                f"it reads {reads}" if reads else "it has no settings",
            )


def _within(ranker: Ranker, strategy: Strategy, settings: Settings, given: Mapping[str, Any]) -> Settings:
    """The settings cut to what fits into one question of this model; raises `WrongUsage` for one asked for by name."""
    if ranker.most is None or settings.orders is not None:
        return settings
    limits: dict[str, Any] = {"window": ranker.most, "fanout": ranker.most - 1}
    sizes = {name: getattr(settings, name) or getattr(strategy.defaults, name) or 0 for name in limits}
    over = {name: most for name, most in limits.items() if sizes[name] > most}
    for name in over:
        if name in given:
            raise WrongUsage(f"--{name} {given[name]}: this model reads at most {ranker.most} documents at a time")
    return replace(settings, **over)
