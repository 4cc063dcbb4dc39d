"""The record that each file in `rules/` shows of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rerank_cli.fusion.pool import Pool


@dataclass(frozen=True)
class Param:
    """A number a rule can be told: `low` to `high` are allowed; `per_run` ones take one value or one a run."""

    name: str
    default: float
    summary: str
    low: float = -np.inf
    high: float = np.inf
    per_run: bool = False


@dataclass(frozen=True)
class Settings:
    """What a rule is told beside the votes: `weights (m,)` float64, and its parameters by name, each (m,) float64."""

    weights: np.ndarray
    params: dict[str, np.ndarray]

    def number(self, name: str) -> float:
        """A parameter that is one number for all runs."""
        return float(self.params[name][0])


@dataclass(frozen=True)
class Rule:
    """A way of fusing runs.

    `fuse` turns votes into one score a document (D,), higher is better. `takes` says whether it looks
    at scores or only at ranks; `missing` says in words what a run that lacks a document counts for it.
    """

    name: str
    summary: str
    paper: str
    takes: Literal["scores", "ranks"]
    missing: str
    fuse: Callable[[Pool, Settings], np.ndarray]
    aliases: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    #: Takes `--weights`.
    weighted: bool = False
    #: More evidence would lower a negative score, so negative scores are refused.
    non_negative: bool = False
    #: The normalisation that belongs to the rule's definition.
    norm: str = "none"
