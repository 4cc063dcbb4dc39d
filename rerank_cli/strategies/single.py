"""One question that holds the whole list."""

from __future__ import annotations

import numpy as np

from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Ask once about everything; the values are the scores."""
    everything = list(range(n))
    if n < 2:
        return Ranked(everything)
    values = (yield Round([tuple(everything)], everything))[0]
    return Ranked(by_value(everything, values), values)


STRATEGY = Strategy(
    name="single",
    asks="order",
    summary="one question that holds the whole list",
    paper="Ma, Zhang, Pradeep and Lin, Zero-Shot Listwise Document Reranking with a Large Language Model, arXiv:2305.02156",
    calls="1",
    run=run,
    count=lambda n, settings: int(n > 1),
    when=(
        "The cheapest, where the model reads the whole list: long-context listwise models, attention, markers, "
        "embeddings. Listwise language models lose the middle of a long list; beyond 20 to 30 passages sliding is "
        "safer."
    ),
)
