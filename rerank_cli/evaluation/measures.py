"""Measures over a run: the common ones computed here, all others by ir-measures, with one tie rule.

`vectorised.py` knows a list's canonical order only. ir-measures asks several libraries, and each breaks
ties in its own way (the same tied run has RR 0.5 by one and RR@10 0.25 by another): for them every list is
made strict first, its canonical order becomes the scores n, n-1, … 1, which all of them read alike. Averages are over the judged topics; one that the
run lacks counts as 0, as under trec_eval's -c.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Run
from rerank_cli.errors import Missing, WrongUsage
from rerank_cli.evaluation import exponential, interpolated, vectorised
from rerank_cli.evaluation.judged import Judgements

#: Files of this room that compute measures query by query: `covers(measure)` and `value(measure, ranking, grades)`.
_OWN = (exponential, interpolated)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One run's values: `values (M, Q)` float64 for M measures and Q judged topics, `overall (M,)` their means.

    Of the measures in `counts` (NumRet and its like) the overall value is the sum. `lacking` judged topics
    are not in the run; `unjudged` topics of the run are not judged.
    """

    name: str
    measures: tuple[str, ...]
    topics: tuple[bytes, ...]
    values: np.ndarray
    overall: np.ndarray
    counts: frozenset[str]
    lacking: int
    unjudged: int

    def of(self, measure: str) -> float:
        """The overall value of one measure by its name."""
        return float(self.overall[self.measures.index(measure)])

    def only(self, measures: Iterable[str]) -> Evaluation:
        """The same evaluation with these measures, in this order."""
        names = tuple(measures)
        rows = [self.measures.index(name) for name in names]
        return replace(self, measures=names, values=self.values[rows], overall=self.overall[rows])


class Judge:
    """Measures and judgements, ready for any number of runs.

    `fast=False` computes the vectorised measures the general way too, for tests that compare. Raises `Missing`
    when a measure's library is not installed, `WrongUsage` when no library computes it.
    """

    def __init__(self, measures: Sequence[Any], qrels: Qrels, *, fast: bool = True) -> None:
        self._measures = list(measures)
        self._qrels = qrels
        self._vectorised = [m for m in self._measures if fast and vectorised.covers(m)]
        self._own_way = [m for m in self._measures if m not in self._vectorised and _is_ours(m)]
        self._provided = [m for m in self._measures if m not in self._vectorised and not _is_ours(m)]
        for measure in self._provided:
            _refuse_unprovided(measure)

    def evaluate(self, run: Run, name: str) -> Evaluation:
        """Compute every measure on every judged topic; O(rows of the run on judged topics)."""
        topics = self._qrels.topics
        present = [qid for qid in topics if qid in run]
        values = np.zeros((len(self._measures), len(topics)))
        row = {measure: position for position, measure in enumerate(self._measures)}
        if self._vectorised:
            found = self.judgements.find(run)
            for measure in self._vectorised:
                values[row[measure]] = vectorised.values(measure, self.judgements, found)
        column = {_text(qid): position for position, qid in enumerate(topics)}
        for evaluator in self._evaluators:
            for metric in evaluator.iter_calc(_strict(run, present)):
                values[row[metric.measure], column[metric.query_id]] = metric.value
        for measure in self._own_way:
            values[row[measure]] = self._own(measure, run)
        return Evaluation(
            name,
            tuple(map(str, self._measures)),
            topics,
            values,
            np.array([_overall(m, values[row[m]]) for m in self._measures]),
            frozenset(str(m) for m in self._measures if _is_count(m)),
            len(topics) - len(present),
            len(run) - len(present),
        )

    @cached_property
    def judgements(self) -> Judgements:
        """The judgements ready to be joined with runs."""
        return Judgements(self._qrels)

    @cached_property
    def _evaluators(self) -> list[Any]:
        """ir-measures' evaluators; only diversity measures need the judgements one by one, with their subtopics."""
        import ir_measures

        diverse = [m for m in self._provided if _is_diverse(m)]
        plain = [m for m in self._provided if not _is_diverse(m)]
        out = []
        if plain:
            grades = {_text(q): {_text(d): g for d, g in own.items()} for q, own in self._qrels.by_query.items()}
            for own in grades.values():
                # pytrec_eval crashes on a topic with negative grades only; no run holds this id.
                if max(own.values()) < 0:
                    own["\n"] = 0
            out.append(ir_measures.evaluator(plain, grades))
        if diverse:
            q = self._qrels
            columns = zip(q.qids.tolist(), q.docids.tolist(), q.grades.tolist(), q.iterations.tolist(), strict=True)
            rows = [ir_measures.Qrel(_text(a), _text(b), grade, _text(i)) for a, b, grade, i in columns]
            out.append(ir_measures.evaluator(diverse, rows))
        return out

    def _own(self, measure: Any, run: Run) -> list[float]:
        if measure.NAME == "NumQ":
            return [1.0] * len(self._qrels.topics)
        judged = self._qrels.by_query
        if measure.NAME == "NumRel":
            return [sum(g >= measure["rel"] for g in judged[qid].values()) for qid in self._qrels.topics]
        room = next(room for room in _OWN if room.covers(measure))
        return [room.value(measure, run[q], judged[q]) if q in run else 0.0 for q in self._qrels.topics]


def _is_ours(measure: Any) -> bool:
    """Computed here: what needs Perl or differs elsewhere, and what must not depend on which topics the run has."""
    return measure.NAME in ("NumQ", "NumRel") or any(room.covers(measure) for room in _OWN)


def _is_diverse(measure: Any) -> bool:
    return type(measure).__module__.endswith(".diversity")


def _is_count(measure: Any) -> bool:
    from ir_measures.measures.base import SumAgg

    return isinstance(measure.aggregator(), SumAgg)


def _overall(measure: Any, values: np.ndarray) -> float:
    if not len(values):
        return 0.0
    return float(values.sum()) if _is_count(measure) else float(values.mean())


def _refuse_unprovided(measure: Any) -> None:
    from ir_measures import DefaultPipeline

    able = [provider for provider in DefaultPipeline.providers if provider.supports(measure)]
    if any(provider.is_available() for provider in able):
        return
    if able:
        raise Missing(f"{measure} needs the package {able[0].NAME}, which is not installed", _install_line(able[0]))
    raise WrongUsage(
        f"no library of ir-measures computes {measure} with these parameters",
        f"the parameters of {measure.NAME} are {', '.join(measure.SUPPORTED_PARAMS)}; some need rel or max_rel",
    )


def _install_line(provider: Any) -> str:
    line = provider.install_instructions() or f"install {provider.NAME}"
    return line.replace("ir-measures[", "'ir-measures[").replace("]", "]'") if "[" in line else line


def _strict(run: Run, topics: Sequence[bytes]) -> dict[str, dict[str, float]]:
    """The run as providers read it, canonical order as scores n … 1, so that no two are equal."""
    longest = int(np.diff(run.offsets).max(initial=0))
    countdown = np.arange(longest, 0, -1, dtype=np.float64).tolist()
    lists = {}
    for qid in topics:
        docids = [_text(docid) for docid in run[qid].docids.tolist()]
        lists[_text(qid)] = dict(zip(docids, countdown[longest - len(docids) :], strict=True))
    return lists


def _text(identifier: bytes) -> str:
    """An id as the text that providers want: one character a byte, so that no id is changed or refused."""
    return identifier.decode("latin-1")
