"""Scores out of words: one question a pair, an answer that is read, and another question where it cannot be.

How an answer becomes a score is each method's own: a generator that yields what is asked next, gets the completion, and
ends with a verdict. A local model is asked a round of all pairs at a time; of a server as many pairs are
under way as it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NamedTuple, Unpack

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Answers, Cache, Lengths, Pair, Scores, gathered
from rerank_cli.core.side_by_side import side_by_side
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.kept_words import KeptWriter
from rerank_cli.inference.memory import numbered_by, telling
from rerank_cli.inference.writing import Completion, Decoding, Prompt, Writer
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.words.prompt import PromptFile
from rerank_cli.methods.words.prompt_fit import Fitted, fit
from rerank_cli.methods.words.worded import Asked, HowAsked, described, prompt_of, shortest

#: Tokens that a second question may write after the first one's answer.
_MORE = 16


class Verdict(NamedTuple):
    """A pair's score; whether it took more than the first answer, or was made up; the reason the model gave."""

    value: float
    repaired: bool = False
    reason: str = ""


#: What is asked of one pair, until there is a verdict.
Asking = Generator[tuple[Prompt, Decoding], Completion, Verdict]
#: A pair's first question -> all of them.
Reading = Callable[[Prompt, Decoding], Asking]


class WrittenScorer:
    """A `core.protocols.Scorer` over a `Writer`; one completion a pair, and more where `read` asks for more.

    `tokens` of its answers are those read and those written.
    """

    def __init__(
        self,
        method: Method,
        checkpoint: Checkpoint,
        writer: Writer,
        prompt: PromptFile,
        read: Reading,
        *,
        max_length: int | None,
        instruction: str | None,
        note: Callable[[str], None],
    ) -> None:
        """Raises `WrongUsage` for an instruction that the prompt has no place for."""
        if instruction is not None and not prompt.reads_instruction:
            raise WrongUsage(f"{checkpoint.name} reads no instruction", "leave --instruction out")
        self.checkpoint = checkpoint.name
        #: The model's tokenizer, where it is on this machine.
        self.tokenizer: Any = getattr(writer, "tokenizer", None)
        #: Called with each pair and the reason that the model gave for its score.
        self.explain: Callable[[Pair, str], None] | None = None
        self._writer = self._fresh = writer
        #: The pairs that keep its servers busy, where it has servers.
        self.under_way = writer.at_once if writer.at_once > 1 else 0
        self._prompt, self._read = prompt, read
        self._instruction = instruction or checkpoint.instruction
        self._context = shortest(writer.context, max_length or checkpoint.max_length)
        self._decoding = self._affordable(prompt.decode(0), note)
        score = checkpoint.score or method.score
        self.description = described(
            method, checkpoint, writer, prompt, score, context=self._context, instruction=self._instruction
        )

    def keep_in(self, store: Cache) -> None:
        """From now on the completions are kept in `store`."""
        self._writer = KeptWriter(self._fresh, store)

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """See `Scorer.stream`; the prompts are made when it is called, and each pair's answer is handed over by itself."""
        courses = self._courses(pairs)
        done = side_by_side(self._alone, courses, self._writer.at_once) if self._writer.at_once > 1 else None
        return self._answers(pairs, done or self._together(courses, pairs))

    def score(self, pairs: Sequence[Pair]) -> Scores:
        """Every answer, in the pairs' order."""
        return gathered(self.stream(pairs), len(pairs))

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `Scorer.measure`: the prompts alone, for nobody knows what will be written."""
        fitted = [self._fitted(pair) for pair in pairs]
        tokens = self._fresh.count([one.prompt for one in fitted])
        return Lengths(np.array(tokens, np.int64), np.array([one.truncated > 0 for one in fitted], bool))

    def kept(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Which pairs' first completions are kept, (n,) bool."""
        if not isinstance(self._writer, KeptWriter):
            return np.zeros(len(pairs), bool)
        courses = self._courses(pairs)
        return np.array(self._writer.kept([(one.prompt, one.decoding) for one in courses]), bool)

    def _courses(self, pairs: Sequence[Pair]) -> list[_Course]:
        return [
            _Course(at, one, self._read(one.prompt, self._decoding)) for at, one in enumerate(map(self._fitted, pairs))
        ]

    def _answers(self, pairs: Sequence[Pair], done: Iterator[_Course]) -> Iterator[Answers]:
        for course in done:
            verdict = course.verdict
            if verdict.reason and self.explain is not None:
                self.explain(pairs[course.at], verdict.reason)
            yield Answers(
                np.array([course.at]),
                np.array([verdict.value], np.float32),
                np.array([course.tokens]),
                np.array([course.truncated]),
                course.calls,
                course.calls == 0,
                np.array([verdict.repaired]),
            )

    def _together(self, courses: list[_Course], pairs: Sequence[Pair]) -> Iterator[_Course]:
        """Every course to its end, those that ask alike in one call; each as soon as it is done."""
        with telling(pairs):
            yield from self._rounds(courses)

    def _rounds(self, courses: list[_Course]) -> Iterator[_Course]:
        while courses:
            alike: dict[Decoding, list[_Course]] = {}
            for course in courses:
                alike.setdefault(course.decoding, []).append(course)
            courses = []
            for decoding, some in alike.items():
                with numbered_by([course.at for course in some]):
                    for at, completion in self._writer.complete([course.prompt for course in some], decoding):
                        if some[at].take(completion):
                            yield some[at]
                        else:
                            courses.append(some[at])

    def _alone(self, course: _Course) -> _Course:
        """One course to its end."""
        while True:
            ((_, completion),) = self._writer.complete([course.prompt], course.decoding)
            if course.take(completion):
                return course

    def _fitted(self, pair: Pair) -> Fitted:
        room = None if self._context is None else self._context - self._decoding.max_tokens - _MORE
        return fit(self._prompt, self._fresh, pair.query, [pair.document], room=room, instruction=self._instruction)

    def _affordable(self, decoding: Decoding, note: Callable[[str], None]) -> Decoding:
        """An answer gets at most three quarters of the context; it is said when that is less than the prompt file asks for."""
        most = decoding.max_tokens if self._context is None else self._context * 3 // 4
        if decoding.max_tokens <= most:
            return decoding
        note(f"{self.checkpoint} may write {most} tokens, not {decoding.max_tokens}: its context is {self._context}")
        return decoding._replace(max_tokens=most)


class _Course:
    """One pair on its way: what it asks next, and what it has cost."""

    def __init__(self, at: int, fitted: Fitted, asking: Asking) -> None:
        self.at, self.truncated = at, fitted.truncated > 0
        self.tokens = self.calls = 0
        self.verdict = Verdict(float("nan"))
        self._asking = asking
        self.prompt, self.decoding = next(asking)

    def take(self, completion: Completion) -> bool:
        """Go on with the completion of what was asked; whether that was the last."""
        self.tokens += completion.read + completion.written
        self.calls += not completion.cached
        try:
            self.prompt, self.decoding = self._asking.send(completion)
        except StopIteration as end:
            self.verdict = end.value
            return True
        return False


def reason_of(text: str) -> str:
    """What was thought aloud before the answer."""
    return text.partition("</think>")[0].removeprefix("<think>").strip()


def scored_in_words(
    method: Method,
    own: str,
    read: Reading,
    checkpoint: Checkpoint,
    writer: Writer,
    prompt: Asked,
    **how: Unpack[HowAsked],
) -> WrittenScorer:
    """The scorer that a method's `asked` returns, with the prompt as `prompt_of` finds it; raises `Missing` or `BadData` for it."""
    return WrittenScorer(method, checkpoint, writer, prompt_of(prompt, checkpoint, own), read, **how)
