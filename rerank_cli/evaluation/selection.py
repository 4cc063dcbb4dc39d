"""What an evaluation looks at: all of the runs and judgements, or the part that somebody else's figures are of.

A topic that a run lacks counts as 0 here. trec_eval without -c averages over the topics that both files have,
which rewards a run for leaving hard topics out; its figures can be asked for. Documents that nobody judged count
as not relevant; figures of lists without them (trec_eval's -J, "condensed lists": Sakai, SIGIR 2007) compare
systems that did not contribute to the pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Run
from rerank_cli.evaluation.judged import Judgements


def of_shared_topics(qrels: Qrels, runs: Sequence[Run]) -> Qrels:
    """The judgements of the topics that every run has; possibly none. O(judgements)."""
    shared = np.array([all(qid in run for run in runs) for qid in qrels.topics], dtype=bool)
    keep = shared[qrels.topic_of] if len(qrels) else np.empty(0, dtype=bool)
    return Qrels(qrels.qids[keep], qrels.iterations[keep], qrels.docids[keep], qrels.grades[keep])


def of_judged_documents(run: Run, judgements: Judgements) -> Run:
    """The run without documents that were not judged or have a grade below 0 ("pooled, not judged"); O(rows).

    Queries stay, also those of which no document is left.
    """
    found = judgements.find(run)
    position = {qid: number for number, qid in enumerate(run.qids)}
    lists = np.array([position.get(qid, 0) for qid in judgements.topics], dtype=np.int64)[found.topic]
    good = found.grade >= 0
    rows = np.sort(run.offsets[lists[good]] + found.rank[good] - 1)
    lengths = np.bincount(lists[good], minlength=len(run))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return replace(run, offsets=offsets, docids=run.docids[rows], scores=run.scores[rows])
