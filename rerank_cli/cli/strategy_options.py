"""The options of `rerank rerank` that choose a ranking algorithm and say how far it may go."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rerank_cli.cli.options import given
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.core.protocols import Pair
    from rerank_cli.methods import LoadedScorer
    from rerank_cli.pipeline import Plan

STRATEGY, LIMITS = "Strategy", "Limits"


class Orders(enum.StrEnum):
    """How two documents are compared."""

    once = "once"
    both = "both"
    calibrated = "calibrated"


def _number(name: str, help_text: str, *, least: int = 1) -> Any:
    return typer.Option(name, metavar="N", min=least, rich_help_panel=STRATEGY, help=help_text)


StrategyName = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="STRATEGY",
        rich_help_panel=STRATEGY,
        help="Ranking algorithm, such as sliding or heapsort; default: the model's own, or each document by itself.",
    ),
]
Top = Annotated[int | None, _number("--top", "Places that must be right; default: 10.")]
Window = Annotated[int | None, _number("--window", "Documents in one question; default: the strategy's own.", least=2)]
Step = Annotated[int | None, _number("--step", "How far one window begins from the next.")]
Passes = Annotated[int | None, _number("--passes", "Times the schedule is run: passes, epochs, tournaments, replicas.")]
Fanout = Annotated[int | None, _number("--fanout", "Challengers in a question, which holds one document more.")]
Pairs = Annotated[int | None, _number("--pairs", "Opponents of each document where pairs are sampled.")]
Winners = Annotated[int | None, _number("--winners", "Documents of a group that stay in a tournament.")]
AggregateRule = Annotated[
    str | None,
    typer.Option(
        "--aggregate-by",
        metavar="AGGREGATION",
        rich_help_panel=STRATEGY,
        help="The rule that makes one order from many answers.",
    ),
]
OrdersOfPairs = Annotated[
    Orders | None,
    typer.Option(
        "--orders",
        rich_help_panel=STRATEGY,
        help="Compare two documents in one order, in both (which must agree), or in both and the surer wins.",
    ),
]
Compat = Annotated[
    str | None,
    typer.Option(
        "--compat",
        metavar="NAME",
        rich_help_panel=STRATEGY,
        help="Follow a reference implementation's schedule, mistakes included: rankgpt, tdpart.",
    ),
]
MaxCalls = Annotated[
    int | None,
    typer.Option(
        "--max-calls",
        metavar="N",
        min=0,
        rich_help_panel=LIMITS,
        help="Ask at most N questions a query, then write the best order so far.",
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        metavar="SECONDS",
        min=0.0,
        rich_help_panel=LIMITS,
        help="After SECONDS ask nothing more; every list is written in the best order so far. A server's replies are waited for as long again.",
    ),
]
MaxRepaired = Annotated[
    float,
    typer.Option(
        "--max-repaired",
        metavar="PERCENT",
        min=0.0,
        max=100.0,
        rich_help_panel=LIMITS,
        help="Exit 1 at the end when more than PERCENT of the model's replies had to be mended.",
    ),
]
Select = Annotated[
    bool,
    typer.Option("--select", rich_help_panel=STRATEGY, help="Write only the documents that the model chose."),
]
Explain = Annotated[
    bool,
    typer.Option("--explain", rich_help_panel=STRATEGY, help="Keep the model's reasons in the lines of --stats."),
]


#: Options by their names: what a strategy is told, and how far it may go.
SETTINGS = ("top", "window", "step", "passes", "fanout", "pairs", "winners", "aggregate_by", "orders", "compat")
_LIMITS = ("max_calls", "deadline", "select", "explain")


def check(typed: Mapping[str, Any]) -> None:
    """Raise `WrongUsage` for a strategy or a rule that there is not: before a model is opened, which may take minutes."""
    if typed["strategy"] is not None:
        from rerank_cli.strategies import strategy_named

        strategy_named(typed["strategy"])
    if typed["aggregate_by"] is not None:
        from rerank_cli.aggregation.rules import rule_named

        rule_named(typed["aggregate_by"])
    if typed["explain"] and typed["stats"] is None:
        raise WrongUsage("--explain keeps reasons in the lines of --stats, which was not given", "--stats FILE")


def reasons_of(loaded: LoadedScorer, plan: Plan | None) -> dict[Pair, str] | None:
    """Where a model that scores pairs will put its reasons; None where a plan keeps them. Raises `WrongUsage` for one that gives none."""
    if plan is not None:
        return None
    if not hasattr(loaded, "explain"):
        raise WrongUsage(f"--explain: {loaded.checkpoint} gives no reasons", "a model that writes does: -m rank1-7b")
    found: dict[Pair, str] = {}
    loaded.explain = found.__setitem__
    return found


def plan_of(loaded: LoadedScorer, typed: Mapping[str, Any], seed: int) -> Plan | None:
    """The plan for a model by the command's options: None where each document is scored by itself.

    Raises `WrongUsage` for settings of a strategy where there is none, and as `pipeline.planned` does.
    """
    from rerank_cli.core.protocols import Ranker
    from rerank_cli.pipeline import as_ranker, planned

    settings, limits = given(typed, SETTINGS), given(typed, _LIMITS)
    if typed["strategy"] is None and not isinstance(loaded, Ranker):
        useless = [*settings, *(name for name in ("max_calls", "deadline") if name in limits)]
        useless += ["select"] if limits["select"] else []
        if useless:
            raise WrongUsage(
                f"--{useless[0].replace('_', '-')} is for a strategy, and {loaded.checkpoint} scores each document once",
                "name one with --strategy",
            )
        return None
    return planned(as_ranker(loaded), typed["strategy"], settings, seed=seed, **limits)
