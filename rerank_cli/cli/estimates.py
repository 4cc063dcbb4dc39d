"""What `--dry-run` prints: a name and a number a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rerank_cli.inference.writing import Writer
    from rerank_cli.pipeline import AskedEstimate, Estimate, Plan
    from rerank_cli.rewriting.rewriter import Asking


def say_estimate(cost: Estimate, price: str | None) -> None:
    """What scoring every document would cost; with a `price`, also in money."""
    _say(
        queries=cost.queries,
        pairs=cost.pairs,
        cached=cost.cached,
        calls=cost.pairs - cost.cached,
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
        cached=cost.cached,
        tokens=cost.tokens,
        longest=cost.longest,
        truncated=cost.truncated,
        missing=cost.missing,
        **_money(cost.tokens, price),
    )


def say_writing_estimate(
    what: str, texts: Iterable[tuple[str, Sequence[str]]], how: Asking, writer: Writer, price: str | None
) -> None:
    """What asking a model that writes about `texts` (query, documents) would cost at the most."""
    from rerank_cli.cli.endpoints import prices

    count = tokens = 0
    for query, documents in texts:
        count += 1
        tokens += how.replies * writer.count(how.prompts(query, documents, writer)[:1])[0]
    calls = count * how.replies
    written = calls * how.decoding(writer).max_tokens
    facts: dict[str, Any] = {what: count, "calls": calls, "tokens": tokens, "written_at_most": written}
    facts |= {"truncated": how.tally.cut}
    if price is not None:
        for_read, for_written = prices(price)
        facts["cost_at_most"] = f"{(tokens * for_read + written * for_written) / 1e6:.6g}"
    _say(**facts)


def _money(tokens: int, price: str | None) -> dict[str, str]:
    """What reading `tokens` costs; how much a model will write, nobody knows."""
    from rerank_cli.cli.endpoints import prices

    return {} if price is None else {"cost_read": f"{tokens * prices(price)[0] / 1e6:.6g}"}


def _say(**facts: int | str) -> None:
    for name, value in facts.items():
        typer.echo(f"{name}\t{value}")
