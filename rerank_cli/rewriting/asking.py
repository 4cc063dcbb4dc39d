"""Many questions to a model that writes, and the answers in the order of the questions.

A server is kept busy: as many questions as it takes are always under way, and one that is slow holds up only what is
handed over, not what is asked. A local model gets as many prompts as make good batches. A budget that is spent is no error:
what was not asked any more has no answer, and what is known from earlier still is found.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from rerank_cli.core.side_by_side import Workers
from rerank_cli.errors import BudgetSpent, OutOfMemory, RerankError
from rerank_cli.inference.endpoint import estimated_prompts
from rerank_cli.inference.writing import Completion, Decoding, Prompt, Writer

T = TypeVar("T")
Asked = tuple[T, Sequence[Prompt]]
Answered = tuple[T, list[Completion | None]]

#: Prompts that a local model gets together, and questions that are held for each one that a server takes at a time.
_TOGETHER, _HELD = 512, 8


class Unasked:
    """A `Writer` that stands for one that nobody has opened: it estimates tokens, and is never asked for words."""

    identity = engine = device = precision = ""
    at_once, context = 1, None

    def complete(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Completion]]:
        """See `Writer.complete`; nothing."""
        return iter(())

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """See `Writer.count`; estimates."""
        return estimated_prompts(prompts)


class LimitedWriter:
    """A `Writer` over another one that completes `calls` prompts in all and raises `BudgetSpent` for the next."""

    def __init__(self, writer: Writer, calls: int) -> None:
        self.identity, self.engine, self.device = writer.identity, writer.engine, writer.device
        self.precision, self.at_once, self.context = writer.precision, writer.at_once, writer.context
        self._writer, self._left, self._calls = writer, calls, calls
        self._lock = threading.Lock()

    def complete(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Completion]]:
        """See `Writer.complete`; the first prompts, as far as they may be asked."""
        with self._lock:
            taken = min(len(prompts), self._left)
            self._left -= taken
        yield from self._writer.complete(prompts[:taken], decoding) if taken else ()
        if taken < len(prompts):
            raise BudgetSpent(f"the budget of {self._calls} calls is spent")

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """See `Writer.count`."""
        return self._writer.count(prompts)


def in_order(
    writer: Writer, asked: Iterable[Asked[T]], decoding: Decoding, name: Callable[[T], str] = str
) -> Iterator[Answered[T]]:
    """Each item with the completions of its prompts, None for those that the budget had no room for; a call a prompt.

    An item is handed over as soon as it and all before it are answered; few of `asked` are read ahead. Raises what the writer
    raises, and what is wrong in `asked` once all before it is handed over: it was asked, and is paid for. `name` is what
    to call an item whose prompt has no room in memory.
    """
    wrong: list[RerankError] = []

    def readable() -> Iterator[Asked[T]]:
        try:
            yield from asked
        except RerankError as error:
            wrong.append(error)

    if writer.at_once > 1:
        yield from _by_threads(writer, readable(), decoding)
    else:
        yield from _together(writer, readable(), decoding, name)
    if wrong:
        raise wrong[0]


class _Row(Generic[T]):
    """Items that wait for answers, in order."""

    def __init__(self) -> None:
        self._items: deque[tuple[T, list[Completion | None], list[int]]] = deque()
        #: Number of a question -> the list that its answer goes into, the place there, and how many of it are left.
        self._places: dict[int, tuple[list[Completion | None], int, list[int]]] = {}
        self._next = itertools.count()
        self.held = 0

    def add(self, item: T, count: int) -> list[int]:
        """Put an item at the end; the numbers of its questions."""
        answers: list[Completion | None] = [None] * count
        left = [count]
        numbers = list(itertools.islice(self._next, count))
        self._places.update({number: (answers, at, left) for at, number in enumerate(numbers)})
        self._items.append((item, answers, left))
        self.held += count
        return numbers

    def put(self, number: int, completion: Completion | None) -> None:
        answers, at, left = self._places.pop(number)
        answers[at] = completion
        left[0] -= 1

    def item_of(self, number: int) -> T:
        """The item of a question that waits."""
        answers = self._places[number][0]
        return next(item for item, own, _ in self._items if own is answers)

    def done(self) -> Iterator[Answered[T]]:
        """Take the items at the front that are answered."""
        while self._items and self._items[0][2][0] == 0:
            item, answers, _ = self._items.popleft()
            self.held -= len(answers)
            yield item, answers


def _by_threads(writer: Writer, asked: Iterator[Asked[T]], decoding: Decoding) -> Iterator[Answered[T]]:
    def one(prompt: Prompt) -> Completion | None:
        try:
            ((_, completion),) = writer.complete([prompt], decoding)
        except BudgetSpent:
            return None
        return completion

    row: _Row[T] = _Row()
    workers = Workers(one, writer.at_once)
    waiting = 0
    try:
        more = True
        while more or waiting:
            while more and row.held < _HELD * writer.at_once:
                found = next(asked, None)
                more = found is not None
                if found is not None:
                    item, prompts = found
                    for number, prompt in zip(row.add(item, len(prompts)), prompts):
                        workers.ask(number, prompt)
                        waiting += 1
            yield from row.done()
            if waiting:
                answer = workers.answered()
                assert answer is not None
                if isinstance(answer[1], BaseException):
                    raise answer[1]
                row.put(answer[0], answer[1])
                waiting -= 1
        yield from row.done()
    finally:
        workers.leave()


def _together(
    writer: Writer, asked: Iterator[Asked[T]], decoding: Decoding, name: Callable[[T], str]
) -> Iterator[Answered[T]]:
    row: _Row[T] = _Row()
    numbers: list[int] = []
    prompts: list[Prompt] = []

    def complete() -> Iterator[Answered[T]]:
        left = set(numbers)
        try:
            for at, completion in writer.complete(prompts, decoding):
                row.put(numbers[at], completion)
                left.discard(numbers[at])
                yield from row.done()
        except BudgetSpent:
            pass
        except OutOfMemory as error:
            error.about(name(row.item_of(numbers[error.row])))
            raise
        for number in left:
            row.put(number, None)
        yield from row.done()

    for item, own in asked:
        numbers += row.add(item, len(own))
        prompts += own
        if len(prompts) >= _TOGETHER:
            yield from complete()
            numbers, prompts = [], []
    yield from complete()
