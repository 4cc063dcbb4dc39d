"""Writes docs/methods.md from the records of the methods, the strategies and models.toml: `python docs/write_methods.py > docs/methods.md`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from rerank_cli.methods import catalog, methods
from rerank_cli.strategies import Settings, strategies

ASKS = {
    "score": (
        "One document at a time",
        "Each document is scored by itself; no `--strategy` is needed, and any may be given.",
    ),
    "rate": ("A whole list", "The model sees the list and gives each document a value."),
    "prefer": ("Two documents", "The model tells which of two is better; a strategy turns comparisons into an order."),
    "pick": (
        "The best of several",
        "The model names the best document of a handful; a strategy asks until the top is sorted.",
    ),
    "order": (
        "An order of several",
        "The model orders the documents of a question; a strategy moves its window over the list.",
    ),
}


def page() -> Iterator[str]:
    """The lines of the page."""
    yield "# Methods and strategies"
    yield ""
    yield "Written by `make gen` from the records in `rerank_cli/methods/` and `rerank_cli/strategies/`; do not edit it here."
    yield ""
    yield "A *method* is how a model answers (`-m`, `--method`), a *strategy* is which questions it is asked (`--strategy`). Any"
    yield "strategy runs with any model that tells enough: a model that scores single documents or rates lists answers them all."
    yield "Cost is in model calls for n documents of one query."
    models: dict[str, list[str]] = {}
    for entry in catalog.known():
        models.setdefault(entry.method, []).append(f"`{entry.name}`")
    for asks, (title, text) in ASKS.items():
        yield from ("", f"## {title}", "", text)
        for name, module in sorted(methods().items()):
            method = module.METHOD
            if method.asks != asks:
                continue
            yield from ("", f"### {name}", "", f"{_sentence(method.summary)} {method.when}", "")
            cost = f"Cost: {method.calls}."
            if method.strategy:
                cost += f" Default strategy: `{method.strategy}`{_given(method.settings)}."
            yield f"{cost} Score: {method.score}. Paper: {method.paper}."
            if name in models:
                yield from ("", f"Models: {', '.join(models[name])}.")
    yield from (
        "",
        "## Strategies",
        "",
        "For a list of n documents, k places that must be right (`--top`), windows of w, steps of s.",
    )
    for name, strategy in strategies().items():
        yield from ("", f"### {name}", "", f"{_sentence(strategy.summary)} {strategy.when}".rstrip(), "")
        reads = ", ".join(f"`--{one.replace('_', '-')}`" for one in strategy.reads) or "nothing"
        defaults = {f.name: getattr(strategy.defaults, f.name) for f in fields(Settings) if f.name in strategy.reads}
        told = _given({key: value for key, value in defaults.items() if value is not None})
        yield f"Questions: {strategy.calls}{'' if strategy.exact else ' (at most)'}. Reads {reads}{told}. Paper: {strategy.paper}."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _given(settings: object) -> str:
    told = ", ".join(f"{key.replace('_', '-')} {value}" for key, value in dict(settings or {}).items())  # type: ignore[call-overload]
    return f" ({told})" if told else ""


if __name__ == "__main__":
    print("\n".join(page()))
