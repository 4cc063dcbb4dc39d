"""What a reranking cost, query by query: the lines that `rerank rerank --stats` writes, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, BinaryIO

from rerank_cli.errors import BadData


@dataclass(frozen=True)
class QueryCost:
    """Texts put to the model for one query, and their tokens in all."""

    inputs: float
    tokens: float


def read_stats(stream: BinaryIO, name: str) -> dict[str, QueryCost]:
    """JSON lines with `qid`, `pairs` and `tokens`: query (as text) -> its cost.

    Raises `BadData` with FILE:LINE for a line that is none, a number that is not finite or below 0, a query twice.
    """
    costs: dict[str, QueryCost] = {}
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            record: Any = json.loads(line)
            qid, cost = record["qid"], QueryCost(float(record["pairs"]), float(record["tokens"]))
        except (ValueError, KeyError, TypeError):
            hint = "rerank rerank --stats FILE writes them"
            raise BadData("no JSON line with qid, pairs and tokens", hint, where=where) from None
        if not (0 <= cost.inputs < float("inf") and 0 <= cost.tokens < float("inf")):
            raise BadData("pairs and tokens are numbers from 0", where=where)
        if str(qid) in costs:
            raise BadData(f"query {qid} appears twice", "join no statistics of two runs", where=where)
        costs[str(qid)] = cost
    return costs
