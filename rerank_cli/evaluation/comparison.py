"""Which run is really better: everything `eval --compare` says of a run beside a baseline.

A mean alone hides three things, and each has a number here. How sure the difference is: p and a confidence
interval. How large it is against its spread over topics: the effect size. Who pays for it: wins, ties,
losses, and the robustness index (wins - losses) / topics, which is what a reranker risks on easy topics.

Intervals are bootstrap percentiles over topics (Efron 1979; for retrieval: Sakai, SIGIR 2006): no
distribution is assumed, they stay inside a bounded measure's range, and one set of resamples serves all
runs and measures, so that differences are paired. For fewer than about 20 topics they are somewhat too narrow.
The interval and p come from different reasonings and may disagree when p is close to alpha.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rerank_cli.errors import WrongUsage
from rerank_cli.evaluation import significance
from rerank_cli.evaluation.correction import correct as corrected

#: Resamples of the topics for an interval: its ends are then known to 2% of its half width.
RESAMPLES = 5_000
#: Counts held at once while resampling (8 bytes each).
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Interval:
    """Both ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """One run against one other in one measure; all values over the same topics, `difference = mean - baseline_mean`."""

    measure: str
    run: str
    baseline: str
    topics: int
    mean: float
    baseline_mean: float
    difference: float
    #: Of `mean`, `baseline_mean` and `difference`, at 1 - alpha, not corrected for the number of comparisons.
    mean_interval: Interval
    baseline_interval: Interval
    difference_interval: Interval
    #: Topics better, equal (|d| <= eps) and worse than the baseline.
    wins: int
    ties: int
    losses: int
    #: Mean difference over the standard deviation of the differences (Cohen's d for pairs); +-inf when all differ alike.
    effect: float
    #: (wins - losses) / topics, from -1 to 1.
    robustness: float
    test: str
    p: float
    correction: str
    p_corrected: float
    #: p_corrected < alpha.
    significant: bool


def compare(
    values: Mapping[str, Mapping[str, np.ndarray]],
    baseline: str | None = None,
    test: str = "t",
    correct: str | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    *,
    eps: float = 0.0,
) -> list[Comparison]:
    """Compare every run with the baseline, or without one every pair of runs, in each measure.

    `values` is measure -> run -> (Q,) per-topic values, all in the same topic order. Without a baseline the later
    run of a pair is compared with the earlier one. Corrections hold within a measure. `correct` None is Holm, or
    none for `tukey`, which holds its error over all pairs by itself. Topics whose values differ by at most `eps`
    (or by rounding) are ties; `eps` touches neither p nor the difference. Order: as given, measures outermost.
    `WrongUsage` for an unknown baseline, test or correction, an alpha outside (0, 1), a correction after `tukey`,
    and fewer than two runs. Cost: the test's, and RESAMPLES x Q random numbers (1 s for 6,980 topics) in all.
    """
    chosen = significance.named(test)
    correction = correct if correct is not None else ("none" if chosen.joint else "holm")
    if chosen.joint and correction != "none":
        raise WrongUsage(
            f"{test} is corrected by construction, so {correction} would correct twice", "leave --correct out"
        )
    if not 0 < alpha < 1:
        raise WrongUsage(f"alpha is a probability between 0 and 1, not {alpha}")
    names = list(next(iter(values.values()), {}))
    if len(names) < 2:
        raise WrongUsage("a comparison needs at least two runs")
    if any(list(runs) != names for runs in values.values()):
        raise ValueError("every measure has the same runs in the same order")
    if baseline is not None and baseline not in names:
        raise WrongUsage(f"the baseline {baseline!r} is none of the runs", f"runs are {', '.join(names)}")
    pairs = list(combinations(range(len(names)), 2))
    if baseline is not None:
        pairs = [(names.index(baseline), other) for other in range(len(names)) if names[other] != baseline]
    table = np.array([[np.asarray(run, dtype=np.float64) for run in runs.values()] for runs in values.values()])
    resampled = resampled_means(table.reshape(-1, table.shape[-1]), seed).reshape(*table.shape[:2], -1)
    answers: list[Comparison] = []
    for measure, matrix, means in zip(values, table, resampled, strict=True):
        if chosen.joint:
            joint = significance.tukey(matrix, seed)
            raw = [float(joint[pair]) for pair in pairs]
        else:
            raw = [significance.p_value(test, matrix[other], matrix[base], seed) for base, other in pairs]
        around = [_percentiles(of_run, alpha) for of_run in means]
        for (base, other), p, p_corrected in zip(pairs, raw, corrected(raw, correction).tolist(), strict=True):
            d = significance.differences(matrix[other], matrix[base])
            wins, losses = int(np.count_nonzero(d > eps)), int(np.count_nonzero(d < -eps))
            answers.append(
                Comparison(
                    measure=measure,
                    run=names[other],
                    baseline=names[base],
                    topics=len(d),
                    mean=float(matrix[other].mean()),
                    baseline_mean=float(matrix[base].mean()),
                    difference=float(d.mean()),
                    mean_interval=around[other],
                    baseline_interval=around[base],
                    difference_interval=_percentiles(means[other] - means[base], alpha),
                    wins=wins,
                    ties=len(d) - wins - losses,
                    losses=losses,
                    effect=effect_size(d),
                    robustness=(wins - losses) / len(d),
                    test=test,
                    p=p,
                    correction=correction,
                    p_corrected=p_corrected,
                    significant=p_corrected < alpha,
                )
            )
    return answers


def effect_size(d: np.ndarray) -> float:
    """Mean of `d (Q,)` over its sample standard deviation; 0 when nothing differs, +-inf when all differ by the same."""
    mean = float(d.mean())
    spread = float(np.std(d, ddof=1)) if len(d) > 1 else 0.0
    if spread <= significance.NOISE * float(np.abs(d).max(initial=0.0)):
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / spread


def intervals(values: np.ndarray, alpha: float = 0.05, seed: int = 0) -> list[Interval]:
    """The 1 - alpha bootstrap interval of the mean of each row of `values (R, Q)`."""
    return [_percentiles(means, alpha) for means in resampled_means(np.atleast_2d(values), seed)]


def resampled_means(values: np.ndarray, seed: int = 0, draws: int = RESAMPLES) -> np.ndarray:
    """Means of `values (R, Q)` over `draws` resamples of the Q topics, the same topics for every row: (R, draws).

    Rows of one call may be subtracted (paired bootstrap). Memory: 30 MB and the result, whatever Q.
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] == 0 or not np.isfinite(rows).all():
        raise ValueError("resampling needs finite values of shape (rows, topics)")
    topics = rows.shape[1]
    rng = np.random.default_rng(seed)
    means = np.empty((len(rows), draws))
    step = max(1, _BLOCK // topics)
    for start in range(0, draws, step):
        some = min(step, draws - start)
        picked = rng.integers(0, topics, size=(some, topics))
        picked += np.arange(some)[:, None] * topics
        counts = np.bincount(picked.ravel(), minlength=some * topics).reshape(some, topics)
        means[:, start : start + some] = rows @ counts.T.astype(np.float64) / topics
    return means


def _percentiles(means: np.ndarray, alpha: float) -> Interval:
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2])
    return Interval(float(low), float(high))
