"""The record that each file in `rules/` shows of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rerank_cli.fusion.judged import Judged
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
    #: What tuning tries; empty: it is not tuned.
    grid: tuple[float, ...] = ()


def _silent(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Settings:
    """What a rule is told beside the votes: `weights (m,)` float64, and its parameters by name, each (m,) float64.

    `tables` is what a trained rule has learned, one array a run; `note` takes what a rule has to say.
    """

    weights: np.ndarray
    params: dict[str, np.ndarray]
    seed: int = 0
    tables: tuple[np.ndarray, ...] = ()
    note: Callable[[str], None] = _silent

    def number(self, name: str) -> float:
        """A parameter that is one number for all runs."""
        return float(self.params[name][0])


@dataclass(frozen=True)
class Rule:
    """A way of fusing runs.

    `fuse` turns votes into one score a document (D,), higher is better. `takes` says whether it looks
    at scores or only at ranks; `missing` says in words what a run that lacks a document counts for it, `use`
    when the rule is the one to take.
    """

    name: str
    summary: str
    paper: str
    takes: Literal["scores", "ranks"]
    missing: str
    use: str
    fuse: Callable[[Pool, Settings], np.ndarray]
    aliases: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    #: Takes `--weights`.
    weighted: bool = False
    #: More evidence would lower a negative score, so negative scores are refused.
    non_negative: bool = False
    #: The normalisation that belongs to the rule's definition.
    norm: str = "none"
    #: A trained rule: learns one table a run from the judged queries it is shown, before it can fuse.
    learn: Callable[[Pool, Judged, Settings], tuple[np.ndarray, ...]] | None = None
    #: May be given some queries at a time; not so where it says something of all of them together.
    in_blocks: bool = True
