"""Every rule that makes one order from comparisons, by name: what `--aggregate-by` may say.

A rule looks either at `preferences`, P(row beats column) with the row presented first and NaN where nothing was asked, or
at `wins`, how often the row's item was put above the column's. Comparisons of one kind are turned into the other, so that
every rule takes single duels and blocks alike. Equal scores are left equal: whoever sorts keeps the incoming order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rerank_cli.aggregation.bradley_terry import bradley_terry, newman
from rerank_cli.aggregation.copeland import copeland
from rerank_cli.aggregation.elo import elo
from rerank_cli.aggregation.greedy import greedy
from rerank_cli.aggregation.kwiksort import kwiksort
from rerank_cli.aggregation.pagerank import pagerank
from rerank_cli.aggregation.pairs import countdown_by
from rerank_cli.aggregation.preferences import consistent, extreme, log_sum, row_sums, shares, soft_wins
from rerank_cli.aggregation.rank_centrality import rank_centrality
from rerank_cli.aggregation.win_rate import win_rate
from rerank_cli.errors import WrongUsage


@dataclass(frozen=True)
class Rule:
    """A way of making scores from comparisons: `rate(table (n, n), rng) -> (n,)`, higher is better, finite."""

    name: str
    summary: str
    paper: str
    #: What the table holds.
    takes: Literal["preferences", "wins"]
    rate: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    aliases: tuple[str, ...] = ()


_DUO = "Pradeep, Nogueira and Lin, The Expando-Mono-Duo Design Pattern, arXiv:2101.05667"
_SPARSE = "Gienapp, Fröbe, Hagen and Potthast, Sparse Pairwise Re-ranking with Pre-trained Transformers, ICTIR 2022"


def _mean(wins: np.ndarray) -> np.ndarray:
    met = row_sums(wins + wins.T)
    return np.divide(row_sums(wins), met, out=np.zeros(len(wins)), where=met > 0)


def _newman(p: np.ndarray) -> np.ndarray:
    outcome = consistent(p)
    return np.log(newman((outcome == 1.0).astype(float), (outcome == 0.5).astype(float), prior=1.0)[0])


_RULES = [
    Rule("sum", "Σ p(i, j)", _DUO, "preferences", lambda p, rng: row_sums(p)),
    Rule(
        "sym-sum",
        "Σ p(i, j) + 1 - p(j, i): comparisons won, each for as much as the model was sure",
        _DUO,
        "wins",
        lambda wins, rng: row_sums(wins),
        ("additive", "counting"),
    ),
    Rule("log-sum", "Σ log p(i, j)", _DUO, "preferences", lambda p, rng: log_sum(p, False)),
    Rule("sym-log-sum", "Σ log p(i, j) + log(1 - p(j, i))", _DUO, "preferences", lambda p, rng: log_sum(p, True)),
    Rule("binary", "how many p(i, j) are above a half", _DUO, "preferences", lambda p, rng: row_sums(p > 0.5)),
    Rule(
        "min",
        "the lowest p(i, j): how it does against its hardest opponent",
        _DUO,
        "preferences",
        lambda p, rng: extreme(p, True),
    ),
    Rule(
        "max",
        "the highest p(i, j): how it does against its easiest opponent",
        _DUO,
        "preferences",
        lambda p, rng: extreme(p, False),
    ),
    Rule(
        "mean",
        "sym-sum divided by comparisons: fair where some documents were compared more often",
        _SPARSE,
        "wins",
        lambda wins, rng: _mean(wins),
        ("borda",),
    ),
    Rule(
        "consistent",
        "1 for a win in both orders, a half for a tie, that is two orders that disagree",
        "Qin et al., Large Language Models are Effective Text Rankers with Pairwise Ranking Prompting, NAACL 2024 Findings",
        "preferences",
        lambda p, rng: row_sums(consistent(p)),
        ("prp",),
    ),
    Rule(
        "bradley-terry",
        "log strengths under which the comparisons are most probable, one virtual win and loss each",
        "Newman, Efficient Computation of Rankings from Pairwise Comparisons, JMLR 24, 2023",
        "wins",
        lambda wins, rng: np.log(bradley_terry(wins, prior=1.0)),
    ),
    Rule(
        "newman",
        "Bradley-Terry where two orders that disagree are a tie, and ties are learned",
        "Newman, Efficient Computation of Rankings from Pairwise Comparisons, JMLR 24, 2023, section 4",
        "preferences",
        lambda p, rng: _newman(p),
    ),
    Rule(
        "greedy",
        "again and again the document that wins most against the rest",
        "Cohen, Schapire and Singer, Learning to Order Things, JAIR 10, 1999",
        "wins",
        lambda wins, rng: greedy(wins),
    ),
    Rule(
        "pagerank",
        "a random surfer's share of time, who goes from the beaten to the winner",
        "Page, Brin, Motwani and Winograd, The PageRank Citation Ranking, Stanford TR 1999",
        "wins",
        lambda wins, rng: pagerank(wins),
    ),
    Rule(
        "kwiksort",
        "quicksort with drawn pivots, which cycles cannot trap",
        "Ailon, Charikar and Newman, Aggregating Inconsistent Information, JACM 55(5), 2008",
        "wins",
        kwiksort,
    ),
    Rule(
        "win-rate",
        "the share of duels won, averaged over opponents",
        "Dedov, JointRank: Rank Large Set with Single Pass, ICTIR 2025",
        "wins",
        lambda wins, rng: win_rate(wins),
    ),
    Rule(
        "copeland",
        "opponents beaten minus opponents lost to, then by how much",
        "Copeland, A Reasonable Social Welfare Function, University of Michigan seminar, 1951",
        "wins",
        lambda wins, rng: countdown_by(list(copeland(wins))),
    ),
    Rule(
        "elo",
        "ratings that every game moves by how surprising it was, over five schedules",
        "Elo, The Rating of Chessplayers, Past and Present, Arco, 1978",
        "wins",
        lambda wins, rng: elo(wins),
    ),
    Rule(
        "rank-centrality",
        "share of time of a walk that goes from the beaten to the winner at the odds of winning",
        "Negahban, Oh and Shah, Rank Centrality, Operations Research 65(1), 2017",
        "wins",
        lambda wins, rng: rank_centrality(wins),
    ),
]


def rules() -> dict[str, Rule]:
    """The rules by name, without their other names."""
    return {rule.name: rule for rule in _RULES}


def rule_named(name: str) -> Rule:
    """The rule of a name or of one of its other names; raises `WrongUsage` listing the names."""
    for rule in _RULES:
        if name == rule.name or name in rule.aliases:
            return rule
    raise WrongUsage(f"there is no aggregation rule {name!r}", f"the rules are {', '.join(rules())}")


def by_preferences(rule: Rule, p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scores (n,) from duels, `p (n, n)`: finite, NaN for an item that was never compared."""
    known = ~np.isnan(p)
    return _among(rule, p if rule.takes == "preferences" else soft_wins(p), known, rng)


def by_wins(rule: Rule, wins: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scores (n,) from `wins (n, n)` counted in blocks: finite, NaN for an item that was never compared."""
    return _among(rule, wins if rule.takes == "wins" else shares(wins), wins > 0, rng)


def _among(rule: Rule, table: np.ndarray, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rule over the items that were compared at all: the others would only be told apart by its ways with nothing."""
    met = np.flatnonzero(known.any(axis=0) | known.any(axis=1))
    scores = np.full(len(table), np.nan)
    if len(met):
        scores[met] = rule.rate(table if len(met) == len(table) else table[np.ix_(met, met)], rng)
    return scores


def completed(scores: np.ndarray) -> np.ndarray | None:
    """`scores (n,)` where what is not known (NaN) stands one below the lowest; None when nothing at all is known."""
    unknown = np.isnan(scores)
    if unknown.all():
        return None
    return np.where(unknown, np.nanmin(scores) - 1.0, scores)
