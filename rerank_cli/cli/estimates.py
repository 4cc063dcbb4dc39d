"""What `--dry-run` prints: a name and a number a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rerank_cli.pipeline import AskedEstimate, Estimate, Plan


def say_estimate(cost: Estimate, cached: int, price: str | None) -> None:
    """What scoring every document would cost; with a `price`, also in money."""
    _say(
        queries=cost.queries,
        pairs=cost.pairs,
        cached=cached,
        calls=cost.pairs - cached,
        tokens=cost.tokens,
        longest=cost.longest,
        truncated=cost.truncated,
        missing=cost.missing,
        **_money(cost.tokens, price),
    )


def say_asked_estimate(cost: AskedEstimate, plan: Plan, price: str | None) -> None:
    """What a ranking algorithm would cost: exactly, or if every list were in order already, and at the most; as above."""
    _say(
        strategy=plan.strategy.name,
        queries=cost.queries,
        documents=cost.documents,
        calls_formula=plan.strategy.calls,
        calls=cost.questions,
        calls_at_most=cost.most,
        tokens=cost.tokens,
        longest=cost.longest,
        truncated=cost.truncated,
        missing=cost.missing,
        **_money(cost.tokens, price),
    )


def _money(tokens: int, price: str | None) -> dict[str, str]:
    """What reading `tokens` costs; how much a model will write, nobody knows."""
    from rerank_cli.cli.endpoints import prices

    return {} if price is None else {"cost_read": f"{tokens * prices(price)[0] / 1e6:.6g}"}


def _say(**facts: int | str) -> None:
    for name, value in facts.items():
        typer.echo(f"{name}\t{value}")
