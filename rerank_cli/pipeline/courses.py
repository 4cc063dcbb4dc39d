"""One query's way through a ranking algorithm: its questions as slates, its answers as they come, its order at any time."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.core.protocols import Reply, Slate
from rerank_cli.core.steps import joined
from rerank_cli.errors import WrongUsage
from rerank_cli.pipeline.plan import Plan, as_duel
from rerank_cli.pipeline.questions import Question
from rerank_cli.strategies import Ranked, Round


@dataclass
class Tally:
    """What a query's replies cost together."""

    questions: int = 0
    rounds: int = 0
    calls: int = 0
    tokens: int = 0
    written: int = 0
    truncated: int = 0
    cached: int = 0
    repaired: dict[str, int] = field(default_factory=dict)
    reasons: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    #: Why it was stopped before its end: empty, max-calls, deadline or budget.
    stopped: str = ""

    def told(self) -> dict[str, Any]:
        """What `--stats` says of the query besides the counts."""
        facts: dict[str, Any] = {"rounds": self.rounds}
        if self.repaired:
            facts["repaired"] = self.repaired
        if self.stopped:
            facts["stopped"] = self.stopped
        if self.reasons:
            facts["reasons"] = self.reasons
        return facts


class Course:
    """A query under way: `waiting` are the places of this round's questions that nobody has been asked yet."""

    def __init__(self, question: Question, plan: Plan, asks: str, most: int | None) -> None:
        self.question = question
        self.tally = Tally()
        self.result: Ranked | None = None
        self.waiting: list[int] = []
        self._plan, self._asks, self._most = plan, asks, most
        self._first_stage = joined(question.ranking.scores)[question.scored]
        self._began = time.monotonic()
        rng = np.random.default_rng([plan.seed, zlib.crc32(question.qid)])
        self._steps = plan.strategy.run(len(question.pairs), plan.settings, rng)
        self._round = Round([], [])
        self._answers: list[np.ndarray] = []
        self._open = 0
        self._advance(first=True)

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return self.result is not None

    def slate(self, place: int) -> Slate:
        """The round's question at `place`, and nobody needs to be asked it again."""
        positions = list(self._round.questions[place])
        if self._most is not None and len(positions) > self._most:
            raise WrongUsage(
                f"{self._plan.strategy.name} puts {len(positions)} documents into one question, and this model reads "
                f"at most {self._most} at a time",
                f"--strategy sliding --window {self._most}, or a smaller depth: -k {self._most}",
            )
        pairs = self.question.pairs
        return Slate(
            self.question.query,
            [pairs[at].document for at in positions],
            self._first_stage[positions],
            self.question.scored[positions],
        )

    def take(self, place: int, reply: Reply) -> None:
        """The reply to the question at `place`; the last of a round moves on to the next."""
        tally = self.tally
        tally.questions += 1
        tally.calls += reply.calls
        tally.tokens += reply.tokens
        tally.written += reply.written
        tally.truncated += reply.truncated
        tally.cached += reply.cached
        if reply.repaired:
            tally.repaired[reply.repaired] = tally.repaired.get(reply.repaired, 0) + 1
        if reply.reason and self._plan.explain:
            documents = [shown(bytes(self.question.ranking.docids[at])) for at in self._presented(place)]
            tally.reasons.append({"documents": documents, "reason": reply.reason})
        values = np.asarray(reply.values, dtype=np.float64)
        duel = len(values) == 2 and (self._plan.strategy.asks == "prefer" or self._plan.settings.orders is not None)
        self._answers[place] = as_duel(values, self._asks) if duel else values
        self._open -= 1
        if not self._open and not self.waiting:
            tally.rounds += 1
            self._advance()

    def stop(self, why: str) -> None:
        """End here, with the best order so far; what is under way no longer counts."""
        if not self.done:
            self.tally.stopped = why
            self._end(Ranked(self._round.best))

    def _presented(self, place: int) -> list[int]:
        return [int(self.question.scored[at]) for at in self._round.questions[place]]

    def _advance(self, first: bool = False) -> None:
        try:
            self._round = next(self._steps) if first else self._steps.send(self._answers)
            while not self._round.questions:
                self._round = self._steps.send([])
        except StopIteration as end:
            self._end(end.value)
            return
        left = None if self._plan.max_calls is None else self._plan.max_calls - self.tally.questions
        if left is not None and left <= 0:
            self.stop("max-calls")
            return
        asked = self._round.questions if left is None else self._round.questions[:left]
        if len(asked) < len(self._round.questions):
            self.tally.stopped = "max-calls"
        self._answers = [np.full(len(question), np.nan) for question in self._round.questions]
        self.waiting = list(range(len(asked)))[::-1]
        self._open = len(asked)

    def ask(self) -> tuple[int, Slate]:
        """The next question of this round; it counts as asked from now on."""
        place = self.waiting.pop()
        return place, self.slate(place)

    def _end(self, result: Ranked) -> None:
        self.result = result
        self.waiting = []
        self.tally.seconds = time.monotonic() - self._began
        self._steps.close()
