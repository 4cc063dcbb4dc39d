"""The variants of BM25 that the literature names, as the same few steps with other constants.

With r = tf / (k1 * (1 - b + b * length / average length)), a term that a document holds gives it

    idf * (outside + scale * (r + inside) / (1 + r + inside))

and one that it does not hold gives nothing. N is the number of documents that hold any term.

| variant   | idf                                    | scale  | inside     | outside |
|-----------|----------------------------------------|--------|------------|---------|
| lucene    | ln(1 + (N - df + .5) / (df + .5))      | 1      | 0          | 0       |
| robertson | ln((N - df + .5) / (df + .5)), or 0    | 1      | 0          | 0       |
| atire     | ln(N / df)                             | k1 + 1 | 0          | 0       |
| bm25l     | ln((N + 1) / (df + .5))                | k1 + 1 | delta / k1 | 0       |
| bm25+     | ln((N + 1) / df)                       | k1 + 1 | 0          | delta   |

C. Kamphuis, A. de Vries, L. Boytsov, J. Lin: Which BM25 do you mean? ECIR 2020.
Y. Lv, C. Zhai: When documents are very long, BM25 fails! SIGIR 2011 (bm25l, delta .5). Y. Lv, C. Zhai:
Lower-bounding term frequency normalization. CIKM 2011 (bm25+, delta 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rerank_cli.errors import WrongUsage

Lengths = Literal["lucene", "exact"]


@dataclass(frozen=True)
class Variant:
    """One line of the table: `idf(N, df)`, whether k1 + 1 scales, and the default of each delta (None: it has none)."""

    idf: Callable[[int, int], float]
    scaled: bool = False
    inside: float | None = None
    outside: float | None = None

    @property
    def delta(self) -> float | None:
        """The paper's delta; None for a variant without one."""
        return self.inside if self.outside is None else self.outside


VARIANTS = {
    "lucene": Variant(lambda n, df: math.log(1 + (n - df + 0.5) / (df + 0.5))),
    "robertson": Variant(lambda n, df: math.log(max((n - df + 0.5) / (df + 0.5), 1))),
    "atire": Variant(lambda n, df: math.log(n / df), scaled=True),
    "bm25l": Variant(lambda n, df: math.log((n + 1) / (df + 0.5)), scaled=True, inside=0.5),
    "bm25+": Variant(lambda n, df: math.log((n + 1) / df), scaled=True, outside=1.0),
}


@dataclass(frozen=True)
class Parameters:
    """How BM25 scores: chosen with each search, whatever the index.

    `lengths` are those of Lucene (rounded, see `lucene_lengths`) or exact; `delta` None is the paper's. Raises
    `WrongUsage` on k1 < 0, b outside 0..1, a variant that there is not, and a delta below 0 or where there is none.
    """

    k1: float = 0.9
    b: float = 0.4
    variant: str = "lucene"
    delta: float | None = None
    lengths: Lengths = "lucene"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.k1) and self.k1 >= 0):
            raise WrongUsage(f"k1 is {self.k1}, which is not 0 or more", "usual values are 0.9 and 1.2")
        if not 0 <= self.b <= 1:
            raise WrongUsage(f"b is {self.b}, which is not from 0 to 1", "usual values are 0.4 and 0.75")
        if self.variant not in VARIANTS:
            raise WrongUsage(f"there is no BM25 variant {self.variant!r}", f"there are {', '.join(VARIANTS)}")
        if self.delta is not None and VARIANTS[self.variant].delta is None:
            raise WrongUsage(f"the BM25 variant {self.variant} has no delta", "bm25l and bm25+ have one")
        if self.delta is not None and not (math.isfinite(self.delta) and self.delta >= 0):
            raise WrongUsage(f"delta is {self.delta}, which is not 0 or more", "usual values are 0.5 and 1")

    @property
    def facts(self) -> dict[str, Any]:
        """What a header says of them: beside k1 and b what is not the default."""
        told: dict[str, Any] = {"k1": self.k1, "b": self.b}
        if self.variant != "lucene":
            told["variant"] = self.variant
            if self.delta_in_force is not None:
                told["delta"] = self.delta_in_force
        return told if self.lengths == "lucene" else {**told, "lengths": self.lengths}

    @property
    def delta_in_force(self) -> float | None:
        """The delta in force."""
        return VARIANTS[self.variant].delta if self.delta is None else self.delta


def inverse_norms(lengths: np.ndarray, average: float, parameters: Parameters) -> np.ndarray:
    """1 / (k1 * (1 - b + b * length / average)) (n,) float32 for `lengths (n,)`; infinite where k1 is 0."""
    one, k1, b = np.float32(1), np.float32(parameters.k1), np.float32(parameters.b)
    with np.errstate(divide="ignore", invalid="ignore"):
        norms: np.ndarray = one / (k1 * ((one - b) + b * lengths.astype(np.float32) / np.float32(average)))
    return norms


def saturation(
    parameters: Parameters, n: int, df: int, weight: float | np.float32
) -> Callable[[np.ndarray], np.ndarray]:
    """What a term in df of n documents gives them, as a function of their r (m,) float32: never falling, float32 from the idf on.

    It works in place, and what it is given is what it returns: a query would spend its time on making arrays.
    """
    variant, delta = VARIANTS[parameters.variant], parameters.delta_in_force
    factor = np.float32(weight) * np.float32(variant.idf(n, df))
    least = factor * np.float32(delta) if variant.outside is not None else None
    inside = np.float32(delta / parameters.k1) if variant.inside is not None and delta and parameters.k1 else None
    if variant.scaled:
        factor *= np.float32(parameters.k1 + 1)

    def parts(ratio: np.ndarray) -> np.ndarray:
        if inside is not None:
            ratio += inside
        ratio += np.float32(1)
        np.divide(factor, ratio, out=ratio)
        given = np.subtract(factor, ratio, out=ratio)
        if least is not None:
            given += least
        return given

    return parts
