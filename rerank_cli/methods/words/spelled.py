"""An answer's text and the tokens that spell it: which token stands where a pattern was found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rerank_cli.inference.writing import Completion


class Spelled:
    """The text of an answer as its tokens spell it, with the place of each; empty where no tokens were told."""

    def __init__(self, completion: Completion) -> None:
        self._tokens = completion.tokens
        self.text = ""
        self._starts: list[int] = []
        for word, _ in completion.tokens:
            self._starts.append(len(self.text))
            self.text += word

    def at(self, place: int) -> Mapping[str, float]:
        """The log-probabilities of the first token that begins at `place` or after it; empty when there is none."""
        return next((told for start, (_, told) in zip(self._starts, self._tokens) if start >= place), {})

    def likelihood(self, found: re.Match[str], group: int) -> float | None:
        """The sum of log-probabilities of the tokens that spell a match's group; None when one was not told."""
        ends: Sequence[int] = [*self._starts[1:], len(self.text)]
        own = [
            told.get(word)
            for start, end, (word, told) in zip(self._starts, ends, self._tokens)
            if start < found.end(group) and end > found.start(group)
        ]
        return None if None in own or not own else sum(value for value in own if value is not None)
