"""Ranking algorithms, one file each, pure: positions in, questions out, an order at the end. The folder is scanned."""

from __future__ import annotations

import functools
import pkgutil
from importlib import import_module

from rerank_cli.errors import WrongUsage
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy

__all__ = ["Asking", "Ranked", "Round", "Settings", "Strategy", "strategies", "strategy_named"]


@functools.cache
def strategies() -> dict[str, Strategy]:
    """Every ranking algorithm by its name; a file may show several as `STRATEGIES`."""
    found: list[Strategy] = []
    for info in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        found += [module.STRATEGY] if hasattr(module, "STRATEGY") else getattr(module, "STRATEGIES", [])
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def strategy_named(name: str) -> Strategy:
    """The algorithm `name`; raises `WrongUsage` listing the names."""
    try:
        return strategies()[name]
    except KeyError:
        raise WrongUsage(f"there is no strategy {name!r}", f"the strategies are {', '.join(strategies())}") from None
