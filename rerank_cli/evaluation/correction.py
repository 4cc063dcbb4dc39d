"""Several comparisons at once: what each p-value is worth when many were looked at.

Twenty comparisons of equal runs give one p < 0.05 on average. A correction raises the p-values so that
comparing them with alpha means something for the whole family: the chance of *any* false finding stays
below alpha (Bonferroni, Holm, Holm-Sidak), or the expected *share* of false findings does
(Benjamini-Hochberg). Holm is never weaker than Bonferroni and assumes no more: there is no reason to use
Bonferroni but to compare with papers that did.

All keep the order of the p-values, never lower one, and stop at 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rerank_cli.errors import WrongUsage


def bonferroni(p: np.ndarray) -> np.ndarray:
    """Each of m p-values times m, (m,) float64. Controls the family-wise error under any dependence."""
    return np.minimum(1.0, p * len(p))


def holm(p: np.ndarray) -> np.ndarray:
    """Step-down Bonferroni: the k-th smallest of m times (m - k + 1), never below an earlier one. O(m log m)."""
    return _step_down(p, lambda smallest, left: smallest * left)


def holm_sidak(p: np.ndarray) -> np.ndarray:
    """As `holm` with 1 - (1 - p)^(m - k + 1): a little stronger, for independent (or positively dependent) tests."""
    return _step_down(p, lambda smallest, left: -np.expm1(left * np.log1p(-np.minimum(smallest, 1 - 1e-16))))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Step-up: the k-th smallest of m times m / k, never above a later one. Controls the false discovery rate."""
    order = np.argsort(p, kind="stable")
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _back(np.minimum(1.0, np.minimum.accumulate(raised[::-1])[::-1]), order)


def _step_down(p: np.ndarray, raise_by: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    raised = raise_by(p[order], np.arange(len(p), 0, -1))
    return _back(np.minimum(1.0, np.maximum.accumulate(raised)), order)


def _back(in_order: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Put sorted values back to where they came from."""
    placed = np.empty(len(order))
    placed[order] = in_order
    return placed


@dataclass(frozen=True)
class Correction:
    """A correction as people choose it; `apply` takes and gives p-values (m,)."""

    name: str
    summary: str
    paper: str
    apply: Callable[[np.ndarray], np.ndarray]


CORRECTIONS: dict[str, Correction] = {
    correction.name: correction
    for correction in (
        Correction("holm", "family-wise, step-down: the default", "Holm, Scand. J. Statist. 6, 1979", holm),
        Correction("bonferroni", "family-wise, every p times their number", "Dunn, JASA 56, 1961", bonferroni),
        Correction(
            "holm-sidak",
            "family-wise, step-down, for independent tests",
            "Sidak, JASA 62, 1967; Holm 1979",
            holm_sidak,
        ),
        Correction(
            "benjamini-hochberg",
            "false discovery rate: for long lists of runs",
            "Benjamini & Hochberg, JRSS B 57, 1995",
            benjamini_hochberg,
        ),
        Correction("none", "the p-values as they are", "", lambda p: p.copy()),
    )
}


def correct(p_values: Sequence[float] | np.ndarray, name: str = "holm") -> np.ndarray:
    """Corrected p-values (m,) float64 in the order given; `WrongUsage` names the corrections there are.

    `ValueError` for a p outside [0, 1]. No p-values give no p-values.
    """
    if name not in CORRECTIONS:
        raise WrongUsage(f"there is no correction {name!r}", f"corrections are {', '.join(CORRECTIONS)}")
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values are a list of numbers from 0 to 1")
    return np.maximum(p, CORRECTIONS[name].apply(p)) if len(p) else p
