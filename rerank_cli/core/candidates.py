"""One query's candidates as a reader hands them over: the list, and texts where the run carried them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document


@dataclass(frozen=True, eq=False)
class Candidates:
    """A ranking with what came beside it: `query` and `documents` are None unless the run holds texts (jsonl, top1000)."""

    ranking: Ranking
    query: str | None = None
    documents: Mapping[bytes, Document] | None = None
