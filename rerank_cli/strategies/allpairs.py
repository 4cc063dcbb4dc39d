"""Every document against every other, all asked at once; a rule of `aggregation.rules` makes one order of the answers.

The dearest way of asking about pairs and the surest: no answer decides what is asked next, so a wrong one moves two documents
a little instead of sending one down the wrong branch, and all questions of all queries can be batched together.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rerank_cli.aggregation.preferences import calibrated, preferences
from rerank_cli.aggregation.rules import by_preferences, completed, rule_named
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value

_DEFAULTS = Settings(orders="both", aggregate_by="sym-sum")


def circle(n: int, steps: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """Duels round the circle of n positions: each against the one `step` further on, for all before the next step; two (k,) int64.

    Steps 1 to n - 1 are all ordered pairs, and any first part of them compares every document about as often.
    """
    far = np.fromiter(steps, dtype=np.int64)
    first = np.tile(np.arange(n), len(far))
    return first, (first + np.repeat(far, n)) % max(n, 1)


def duels(n: int, first: np.ndarray, second: np.ndarray, settings: Settings, rng: np.random.Generator) -> Asking:
    """Ask all duels, `first (k,)` presented before `second (k,)`, in one round, and aggregate what is known of them.

    A document that no answer compares stands below all others, in the incoming order; where nothing is known there are
    no scores. Raises `WrongUsage` for a rule that there is not, before anything is asked.
    """
    rule = rule_named(settings.aggregate_by or "")
    everything = list(range(n))
    if not len(first):
        return Ranked(everything)
    answers = yield Round(list(zip(first.tolist(), second.tolist(), strict=True)), everything)
    table = preferences(n, first, second, answers)
    if settings.orders == "calibrated":
        table = calibrated(table)
    scores = completed(by_preferences(rule, table, rng))
    return Ranked(everything if scores is None else by_value(everything, scores), scores)


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Ask every pair, in both orders or with the better ranked document first (`orders` once), and aggregate."""
    settings = settings.filled(orders=_DEFAULTS.orders, aggregate_by=_DEFAULTS.aggregate_by)
    first, second = circle(n, range(1, n))
    if settings.orders == "once":
        ahead = first < second
        first, second = first[ahead], second[ahead]
    return (yield from duels(n, first, second, settings, rng))


STRATEGY = Strategy(
    name="allpairs",
    asks="prefer",
    summary="every document against every other",
    paper="Pradeep, Nogueira and Lin, The Expando-Mono-Duo Design Pattern, arXiv:2101.05667; Qin et al., Large Language Models are "
    "Effective Text Rankers with Pairwise Ranking Prompting, Findings of NAACL 2024",
    calls="n(n - 1); half of them with --orders once",
    run=run,
    count=lambda n, settings: n * (n - 1) // (2 if settings.orders == "once" else 1),
    defaults=_DEFAULTS,
    reads=("orders", "aggregate_by"),
    when=(
        "The surest and the dearest: every comparison counts, and no single wrong answer decides. For the best "
        "thirty or fifty documents and a cheap model; its rules differ little once all pairs are known."
    ),
)
