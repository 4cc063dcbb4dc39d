"""Many queries through a ranking algorithm at once: their questions are answered together, their lists come out in order.

A model on this machine answers a whole round of all queries under way as one batch (lockstep): it wants large
batches, and waits for nobody. A server answers one question at a time and many at once: each query goes on as soon as
its own replies are there, the earliest query first.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator

from rerank_cli.core.protocols import Ranker, Reply, Slate
from rerank_cli.core.side_by_side import Workers
from rerank_cli.errors import BudgetSpent
from rerank_cli.pipeline.courses import Course
from rerank_cli.pipeline.naming import naming
from rerank_cli.pipeline.plan import Plan


def driven(courses: Iterable[Course], ranker: Ranker, plan: Plan) -> Generator[Course]:
    """Every course with its result, in order; at most `plan.at_a_time` under way (as many as a server answers at
    a time, where that is more), twice as many held.

    After `plan.deadline` seconds, or when the ranker raises `BudgetSpent`, nothing more is asked, and every course
    ends with the best order it had; what is under way at a server then is waited for as long again. Close it to stop:
    questions under way are not waited for.
    """
    together = _lockstep if ranker.at_once == 1 else _as_they_come
    yield from together(_Held(courses, plan, max(plan.at_a_time, ranker.at_once)), ranker)


#: Questions that wait in all courses together; beyond it no further course begins.
_WAITING = 1 << 16
#: Documents of questions that are answered between two looks at a deadline.
_BETWEEN_LOOKS = 256
#: A question of a course, with its place there.
_Asked = tuple[Course, int, Slate]


class _Held:
    """The courses that have begun and are not handed over yet; refilled from the rest."""

    def __init__(self, courses: Iterable[Course], plan: Plan, most: int) -> None:
        self._rest = iter(courses)
        self._held: deque[Course] = deque()
        self._most = most
        self.deadline = plan.deadline
        self._until: float | None = None
        self._why = ""

    def finished(self) -> Iterator[Course]:
        """The first courses, as far as they have their results; removed."""
        while self._held and self._held[0].done:
            yield self._held.popleft()

    def refilled(self) -> bool:
        """Begin new courses in the places of those that ended; False when none began. One that begins too late ends at once."""
        began = False
        under_way = sum(not one.done for one in self._held)
        waiting = sum(len(one.waiting) for one in self._held)
        while under_way < self._most and len(self._held) < 2 * self._most and waiting < _WAITING:
            course = next(self._rest, None)
            if course is None:
                break
            if self.deadline is not None and self._until is None:
                self._until = time.monotonic() + self.deadline
            if self._why:
                course.stop(self._why)
            self._held.append(course)
            began = True
            under_way += not course.done
            waiting += len(course.waiting)
        return began

    def stop(self, why: str) -> None:
        """Nothing more is asked: every course ends with what it knows, and those that begin later too."""
        self._why = why
        for course in self._held:
            course.stop(why)

    @property
    def stopped(self) -> bool:
        """Whether nothing more is asked."""
        return bool(self._why)

    def check_time(self) -> None:
        """Stop when the time is over."""
        if not self._why and self._until is not None and time.monotonic() >= self._until:
            self.stop("deadline")

    @property
    def seconds_left(self) -> float | None:
        """How long to wait for an answer at most; None: until it comes."""
        return None if self._until is None or self._why else max(0.0, self._until - time.monotonic())

    @property
    def under_way(self) -> list[Course]:
        """The courses that wait for answers, in order."""
        return [one for one in self._held if not one.done]


def _lockstep(held: _Held, ranker: Ranker) -> Generator[Course]:
    while True:
        held.refilled()
        held.check_time()
        yield from held.finished()
        asked: list[_Asked] = []
        for course in held.under_way:
            while course.waiting:
                asked.append((course, *course.ask()))
        if not asked:
            if not held.refilled():
                return
            continue
        for some in [asked] if held.deadline is None else _small(asked):
            held.check_time()
            if held.stopped:
                break
            try:
                with naming([course.question for course, _, _ in some]):
                    for at, reply in ranker.answer([slate for _, _, slate in some]):
                        course, place, _ = some[at]
                        if not course.done:
                            course.take(place, reply)
            except BudgetSpent:
                held.stop("budget")


def _small(asked: list[_Asked]) -> Iterator[list[_Asked]]:
    """The questions of a round in parts of a few documents, so that the clock is looked at between them."""
    some: list[_Asked] = []
    documents = 0
    for one in asked:
        if some and documents + len(one[2].documents) > _BETWEEN_LOOKS:
            yield some
            some, documents = [], 0
        some.append(one)
        documents += len(one[2].documents)
    if some:
        yield some


def _as_they_come(held: _Held, ranker: Ranker) -> Generator[Course]:
    def one(slate: Slate) -> Reply:
        ((_, reply),) = ranker.answer([slate])
        return reply

    workers = Workers(one, ranker.at_once)
    pending: dict[int, tuple[Course, int]] = {}
    number = 0
    try:
        while True:
            held.refilled()
            held.check_time()
            yield from held.finished()
            for course in held.under_way:
                while course.waiting and len(pending) < ranker.at_once:
                    place, slate = course.ask()
                    pending[number] = (course, place)
                    workers.ask(number, slate)
                    number += 1
            if not held.under_way and not held.refilled():
                break
            if pending:
                answered = workers.answered(held.seconds_left)
                if answered is not None:
                    course, place = pending.pop(answered[0])
                    try:
                        _take(course, place, answered[1])
                    except BudgetSpent:
                        held.stop("budget")
        # Asked before the time was over, and paid for: waited for as long again, so that the cache has them.
        until = None if held.deadline is None else time.monotonic() + held.deadline
        while pending:
            answered = workers.answered(None if until is None else max(0.0, until - time.monotonic()))
            if answered is None:
                break
            pending.pop(answered[0])
    finally:
        workers.leave()


def _take(course: Course, place: int, reply: Reply | BaseException) -> None:
    if isinstance(reply, BaseException):
        raise reply
    if not course.done:
        course.take(place, reply)
