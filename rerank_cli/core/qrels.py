"""Relevance judgements in columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Qrels:
    """Judgements, one a row: `qids (J,)`, `iterations (J,)`, `docids (J,)` bytes, `grades (J,)` int64.

    `iterations` is trec_eval's second column: ignored by most measures, the subtopic for diversity measures.
    """

    qids: np.ndarray
    iterations: np.ndarray
    docids: np.ndarray
    grades: np.ndarray

    def __len__(self) -> int:
        return len(self.qids)

    @cached_property
    def topics(self) -> tuple[bytes, ...]:
        """The judged queries, in the order of their first judgement."""
        starts = np.flatnonzero(np.append(True, self.qids[1:] != self.qids[:-1])[: len(self.qids)])
        return tuple(dict.fromkeys(self.qids[starts].tolist()))

    @cached_property
    def topic_of(self) -> np.ndarray:
        """The position of each judgement's query in `topics`, (J,) int64."""
        number = {qid: position for position, qid in enumerate(self.topics)}
        starts = np.flatnonzero(np.append(True, self.qids[1:] != self.qids[:-1])[: len(self.qids)])
        own = np.array([number[qid] for qid in self.qids[starts].tolist()], dtype=np.int64)
        return np.repeat(own, np.diff(starts, append=len(self.qids)))

    @cached_property
    def by_query(self) -> dict[bytes, dict[bytes, int]]:
        """Grade by query and document; of a pair judged twice the last stands."""
        grades: dict[bytes, dict[bytes, int]] = {qid: {} for qid in self.topics}
        for qid, docid, grade in zip(self.qids.tolist(), self.docids.tolist(), self.grades.tolist(), strict=True):
            grades[qid][docid] = grade
        return grades
