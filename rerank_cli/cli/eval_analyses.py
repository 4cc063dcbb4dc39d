"""The analyses of `eval` that look at more than one list of a query: how each becomes rows of the usual table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rerank_cli.cli.judged_runs import evaluated
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData, Missing

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.core.run import Run
    from rerank_cli.evaluation.measures import Evaluation, Judge
    from rerank_cli.evaluation.plots.data import Curve


def depth_curve(
    judge: Judge,
    base: tuple[str, Run],
    runs: Sequence[tuple[str, Run, str]],
    depths: Sequence[int],
    phantoms: Phantoms | None,
    terminal: Terminal,
) -> list[Evaluation]:
    """The base run's evaluation, then for each run (name, run, path) and depth K that of NAME@K; with phantom hits counted.

    What the base run lacks is said once: no depth changes it.
    """
    from rerank_cli.evaluation.depth_curve import at_depth
    from rerank_cli.evaluation.phantoms import counted

    name, first_stage = base

    def looked_at(evaluation: Evaluation, run: Run) -> Evaluation:
        return evaluation if phantoms is None else counted(evaluation, phantoms(first_stage, run))

    evaluations = [looked_at(evaluated(judge, first_stage, name, name, terminal), first_stage)]
    for run_name, run, path in runs:
        for depth in depths:
            recomposed = at_depth(first_stage, run, depth, path)
            evaluations.append(looked_at(judge.evaluate(recomposed, f"{run_name}@{depth}"), recomposed))
    return evaluations


class Phantoms:
    """Counts phantom hits of runs against their base: looks at the texts of what was lifted, each once."""

    def __init__(self, found: Collection, rel: int | None) -> None:
        self._words = _Words(found)
        self._grades, self._rel = found.qrels().by_query, 1 if rel is None else rel
        self._strange: dict[tuple[bytes, bytes], bool] = {}

    def __call__(self, base: Run, reranked: Run) -> dict[bytes, int]:
        """How many each judged query has; `Missing` for a query or document without text."""
        from rerank_cli.evaluation.phantoms import lifted

        counts = {}
        for qid, docids in lifted(base, reranked, self._grades, self._rel).items():
            fresh = [docid for docid in docids if (qid, docid) not in self._strange]
            asked = set(self._words.of_query(qid)) if fresh else set()
            for docid, terms in zip(fresh, self._words.of_documents(fresh), strict=True):
                self._strange[qid, docid] = asked.isdisjoint(terms)
            counts[qid] = sum(self._strange[qid, docid] for docid in docids)
        return counts


class _Words:
    """Terms of queries and documents of a collection, as BM25 has them; what has no text is `Missing`."""

    def __init__(self, found: Collection) -> None:
        from rerank_cli.retrieval.analyzers import analyzer_named

        self._found, self._topics, self._texts = found, found.topics(), found.documents()
        self._analyzer = analyzer_named("english")

    def of_query(self, qid: bytes) -> list[str]:
        from rerank_cli.core.ids import shown

        if qid not in self._topics:
            raise Missing(f"query {shown(qid)} has no text in {self._found.name}", "see -c and --split")
        return self._analyzer.terms(self._topics[qid])

    def of_documents(self, docids: Sequence[bytes]) -> list[list[str]]:
        from rerank_cli.core.ids import shown
        from rerank_cli.core.texts import rendered

        documents = self._texts.lookup(docids)
        if None in documents:
            absent = docids[documents.index(None)]
            raise Missing(
                f"document {shown(absent)} is not in {self._found.name}", "name the run's own collection with -c"
            )
        template = self._found.doc_template
        return [self._analyzer.terms(rendered(d, template)) for d in documents if d is not None]


def curves(shown: Sequence[Evaluation], runs: Sequence[str], depths: Sequence[int]) -> list[Curve]:
    """What `depth_curve` gave, measure by measure; `runs` are the runs' names without depths."""
    from rerank_cli.evaluation.plots.data import Curve

    base, rest = shown[0], shown[1:]
    found = []
    for row, measure in enumerate(base.measures):
        values = [float(evaluation.overall[row]) for evaluation in rest]
        lines = [(run, values[n * len(depths) : (n + 1) * len(depths)]) for n, run in enumerate(runs)]
        if measure not in base.counts:
            found.append(Curve(measure, base.name, float(base.overall[row]), depths, lines))
    return found


def say_where_it_falls(found: Sequence[Curve], digits: int, terminal: Terminal) -> None:
    """Say each run's best depth, and warn of depths at which it is below the base run."""
    for curve in found:
        for run, values in curve.runs:
            best = max(range(len(values)), key=lambda place: (values[place], -place))
            terminal.note(f"{run}: {curve.measure} is best at depth {curve.depths[best]}, {values[best]:.{digits}f}")
            below = [str(d) for d, value in zip(curve.depths, values, strict=True) if value < curve.base_value]
            if below:
                depths = f"depth{'s' if len(below) > 1 else ''} {', '.join(below)}"
                terminal.warn(
                    f"{run}: {curve.measure} is below {curve.base} ({curve.base_value:.{digits}f}) at {depths}"
                )


def separation(
    judge: Judge,
    run: Run,
    evaluation: Evaluation,
    found: Collection,
    rel: int | None,
    per_query: bool,
    terminal: Terminal,
) -> list[Evaluation]:
    """The run's and BM25's evaluations of each part of the judged topics; with `per_query` the separation of each topic.

    Topics without both a relevant and another candidate have no separation: they are counted and left out.
    """
    import numpy as np

    from rerank_cli.core.run import Ranking, Run
    from rerank_cli.evaluation import separation as lexical

    words, grades = _Words(found), found.qrels().by_query
    rankings, values = [], np.full(len(evaluation.topics), np.nan)
    for place, qid in enumerate(evaluation.topics):
        if qid not in run:
            continue
        docids = run[qid].docids.tolist()
        scores = lexical.bm25(words.of_query(qid), words.of_documents(docids))
        relevant = np.array([grades[qid].get(docid, 0) >= (1 if rel is None else rel) for docid in docids])
        apart = lexical.separation(scores, relevant)
        values[place] = np.nan if apart is None else apart
        rankings.append(Ranking.build(qid, docids, scores.tolist()))
    known = ~np.isnan(values)
    if not known.any():
        raise BadData("no judged query has both a relevant and another candidate", "see --rel", where=evaluation.name)
    if not known.all():
        terminal.note(f"{int((~known).sum())} queries have no relevant or no other candidate and were left out")
    if per_query:
        whole = replace(
            evaluation, measures=("separation",), values=values[None, :], overall=values[:1], counts=frozenset()
        )
        return [lexical.part_of(whole, known, evaluation.name).only(["separation"])]
    words_only = judge.evaluate(Run.of(rankings), "bm25 of its candidates").only(evaluation.measures)
    parts = {"misleading": known & (values < lexical.MISLEADING), "helpful": known & (values >= lexical.MISLEADING)}
    return [
        lexical.part_of(of_run, topics, f"{of_run.name}, words {part}")
        for part, topics in parts.items()
        if topics.any()
        for of_run in (evaluation, words_only)
    ]
