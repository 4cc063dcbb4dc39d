"""Which rows of a run are judged, and how: the one join that all vectorised measures stand on.

Everything that the common measures need of a run is where its judged documents stand: a topic, a rank
and a grade for each, in arrays over all topics.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rerank_cli.core.hashing import all_differ, fingerprints, slots_of
from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Run, blocks_of_lists


@dataclass(frozen=True, eq=False)
class Found:
    """The judged documents of a run: `topic (H,)`, `rank (H,)` from 1, `grade (H,)`; `length (T,)` of the topics' lists.

    Rows of a topic stand together, by rank. A topic that the run lacks has length 0.
    """

    topic: np.ndarray
    rank: np.ndarray
    grade: np.ndarray
    length: np.ndarray


class Judgements:
    """Judgements ready to be joined with runs: `topic (J,)` numbers them by `qrels.topics`, `grade (J,)` int64.

    Of a pair judged twice the last stands. O(J log J).
    """

    def __init__(self, qrels: Qrels) -> None:
        self.topics = qrels.topics
        topic = qrels.topic_of
        keep = _last_of_each(topic, qrels.docids)
        self.topic, self.docids, self.grade = topic[keep], qrels.docids[keep], qrels.grades[keep]

    @cached_property
    def by_gain(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The judgements of each topic, best first: topic, place from 1, grade, each (J,)."""
        order = np.lexsort((-self.grade, self.topic))
        topic = self.topic[order]
        return topic, place_in_stretch(topic), self.grade[order]

    def relevant(self, rel: int) -> np.ndarray:
        """How many documents of each topic are judged `rel` or better, (T,) int64."""
        return self.count(self.topic[self.grade >= rel])

    def count(self, topic: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """How often each topic stands in `topic`, or what `weights` add up to, in their order, (T,)."""
        return np.bincount(topic, weights, minlength=len(self.topics))

    def find(self, run: Run) -> Found:
        """Where the judged documents of a run stand; O(rows of the run)."""
        number = {qid: position for position, qid in enumerate(self.topics)}
        topic_of = np.array([number.get(qid, -1) for qid in run.qids], dtype=np.int64)
        lengths = np.diff(run.offsets)
        length = np.zeros(len(self.topics), dtype=np.int64)
        length[topic_of[topic_of >= 0]] = lengths[topic_of >= 0]
        rows, judgement = [], []
        for block in blocks_of_lists(run.offsets):
            lists = slice(*np.searchsorted(run.offsets, [block.start, block.stop]))
            topic = np.repeat(topic_of[lists], lengths[lists])
            inside = np.flatnonzero(topic >= 0)
            if len(inside) < len(topic):
                found, which = self._judged(topic[inside], run.docids[block][inside])
                found = inside[found]
            else:
                found, which = self._judged(topic, run.docids[block])
            rows.append(block.start + found)
            judgement.append(which)
        row = np.concatenate(rows or [np.empty(0, dtype=np.int64)])
        own = np.concatenate(judgement or [np.empty(0, dtype=np.int64)])
        rank = row - run.offsets[np.searchsorted(run.offsets, row, side="right") - 1] + 1
        return Found(self.topic[own], rank, self.grade[own], length)

    def _judged(self, topic: np.ndarray, docids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of some rows of a run those that are judged, ascending, and the judgement of each."""
        if docids.dtype == object or self._table is None:
            return self._judged_by_name(topic, docids)
        prints = fingerprints(docids, topic)
        may_be = np.flatnonzero(self._table.taken[slots_of(prints, *self._table.slots)])
        keys = self._keys(prints[may_be], topic[may_be])
        place = np.searchsorted(self._table.keys, keys)
        place[place == len(self._table.keys)] = 0
        which = self._table.order[place]
        alike = self._table.keys[place] == keys
        rows, which = may_be[alike], which[alike]
        if np.all((self.topic[which] == topic[rows]) & (self.docids[which] == docids[rows])):
            return rows, which
        return self._judged_by_name(topic, docids)

    def _judged_by_name(self, topic: np.ndarray, docids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same by a dictionary: for ids in objects, and should two fingerprints ever collide."""
        numbers = self._numbers
        found = [numbers.get(pair, -1) for pair in zip(topic.tolist(), docids.tolist(), strict=True)]
        which = np.array(found, dtype=np.int64)
        rows = np.flatnonzero(which >= 0)
        return rows, which[rows]

    @cached_property
    def _numbers(self) -> dict[tuple[int, bytes], int]:
        return {pair: n for n, pair in enumerate(zip(self.topic.tolist(), self.docids.tolist(), strict=True))}

    @cached_property
    def _table(self) -> _Table | None:
        """The judgements by their keys; None when two judgements share one, or ids are objects."""
        if self.docids.dtype == object:
            return None
        prints = fingerprints(self.docids, self.topic)
        keys = self._keys(prints, self.topic)
        order = np.argsort(keys)
        ordered = keys[order]
        if np.any(ordered[1:] == ordered[:-1]):
            return None
        slots = (16, len(prints))
        taken = np.zeros(int(slots_of(np.array([2**64 - 1], dtype=np.uint64), *slots)[0]) + 1, dtype=bool)
        taken[slots_of(prints, *slots)] = True
        return _Table(ordered, order, taken, slots)

    def _keys(self, prints: np.ndarray, topic: np.ndarray) -> np.ndarray:
        """The topic's number, then as much of the fingerprint as fits: in a run's order, look-ups are close together."""
        bits = np.uint64(len(self.topics).bit_length())
        return np.asarray(topic.astype(np.uint64) << (np.uint64(64) - bits) | prints >> bits)


@dataclass(frozen=True, eq=False)
class _Table:
    """Keys in ascending order, the judgement of each, and which slots of their fingerprints are taken."""

    keys: np.ndarray
    order: np.ndarray
    taken: np.ndarray
    slots: tuple[int, int]


def place_in_stretch(values: np.ndarray) -> np.ndarray:
    """The place (n,) from 1 of each row among neighbours of the same value."""
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return np.arange(1, len(values) + 1) - np.repeat(starts, np.diff(starts, append=len(values)))


def _last_of_each(topic: np.ndarray, docids: np.ndarray) -> np.ndarray:
    """The rows that stay, ascending, when of a pair that stands twice the last does."""
    if docids.dtype == object:
        last = {pair: row for row, pair in enumerate(zip(topic.tolist(), docids.tolist(), strict=True))}
        return np.sort(np.fromiter(last.values(), dtype=np.int64, count=len(last)))
    prints = fingerprints(docids, topic)
    if all_differ(prints):
        return np.arange(len(topic))
    order = np.argsort(prints, kind="stable")
    ordered = prints[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    one, other = order[again], order[again + 1]
    if not np.all((topic[one] == topic[other]) & (docids[one] == docids[other])):
        return _last_of_each(topic, docids.astype(object))
    return np.delete(np.arange(len(topic)), one)
