"""Two texts for a likelihood: what is given, and what is scored.

A template says both: `Passage: {document} Ask about it.{scored}Question: {query}`. What follows `{scored}` is the
target, whose tokens' probabilities are asked for; without that mark it begins at the last placeholder. The two parts
are tokenised apart, as the authors of these methods do, so a target has the same tokens after every document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.batching import Row
from rerank_cli.inference.tokens import PlainText, cut

SCORED = "{scored}"
_PLACES = ("query", "document")


class Part(NamedTuple):
    """Half of a template: the words around one placeholder, and which of a pair's texts goes there."""

    before: str
    place: str
    after: str


def parts_of(template: str) -> tuple[Part, Part]:
    """What is given, and what is scored; raises `WrongUsage` for a template without one placeholder in each."""
    at = template.find(SCORED)
    if at < 0:
        at = max(template.find(f"{{{place}}}") for place in _PLACES)
    parts = [_part(text) for text in (template[: max(at, 0)], template[max(at, 0) :].removeprefix(SCORED))]
    if None in parts or {part.place for part in parts if part} != set(_PLACES):
        raise WrongUsage(
            f"the template {template!r} does not say what is given and what is scored",
            "a likelihood needs {document} and {query} once each, with the one that is scored last",
        )
    given, scored = (part for part in parts if part)
    return given, scored


def _part(text: str) -> Part | None:
    found = [place for place in _PLACES for _ in range(text.count(f"{{{place}}}"))]
    if len(found) != 1:
        return None
    before, after = text.split(f"{{{found[0]}}}")
    return Part(before, found[0], after)


class Ends(NamedTuple):
    """Token ids that stand before and after every target; the model is asked for them as for the target's own."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class LikelihoodTokens:
    """Rows of a pair's given text, with the target's ids as `extra["labels"]`.

    `joined`: the target follows the given text in one row of `max_length` tokens, as a causal model reads it. Else
    the given text has `max_length` tokens and the target `target_length`. Both times the document is cut before the query.
    """

    def __init__(
        self, tokenizer: Any, template: str, ends: Ends, *, max_length: int, target_length: int, joined: bool
    ) -> None:
        self._tokenizer = tokenizer
        self._plain = PlainText(tokenizer)
        self._given, self._scored = parts_of(template)
        self._ends = ends
        self._max_length, self._target_length = max_length, target_length
        self._joined = joined

    def overhead(self) -> int:
        """The number of tokens around the two texts in a row of `max_length`; raises `WrongUsage` when nothing is given."""
        (given,) = self._texts([""], self._given, framed=True).values()
        if not len(given.ids):
            raise WrongUsage("the template has no words before what is scored")
        if not self._joined:
            return len(given.ids)
        (target,) = self._texts([""], self._scored, framed=False).values()
        return len(given.ids) + len(target.ids) + sum(map(len, self._ends))

    def rows(self, pairs: Sequence[Pair]) -> list[Row]:
        """One row a pair; each distinct text is tokenised once."""
        given = self._texts([getattr(pair, self._given.place) for pair in pairs], self._given, framed=True)
        scored = self._texts([getattr(pair, self._scored.place) for pair in pairs], self._scored, framed=False)
        return [
            self._row(given[getattr(pair, self._given.place)], scored[getattr(pair, self._scored.place)])
            for pair in pairs
        ]

    def _row(self, given: _Tokens, target: _Tokens) -> Row:
        ends = sum(map(len, self._ends))
        beyond = max(0, len(target.ids) + ends - self._target_length)
        ids, target_ids = given.ids, target.without(beyond)
        if not self._joined:
            ids = given.without(len(ids) - self._max_length)
        elif (too_long := len(ids) + len(target_ids) + ends - self._max_length) > 0:
            own = {self._given.place: given.own, self._scored.place: max(0, target.own - beyond)}
            kept = dict(zip(_PLACES, cut(own["query"], own["document"], sum(own.values()) - too_long)))
            ids = given.without(given.own - kept[self._given.place])
            target_ids = target.without(target.own - kept[self._scored.place])
        truncated = len(ids) + len(target_ids) < len(given.ids) + len(target.ids)
        labels = np.concatenate([self._ends.before, target_ids, self._ends.after]).astype(np.int64)
        return Row(np.concatenate([ids, labels]) if self._joined else ids, None, truncated, {"labels": labels})

    def _texts(self, texts: Sequence[str], part: Part, *, framed: bool) -> dict[str, _Tokens]:
        distinct = list(dict.fromkeys(texts))
        plain = [self._plain(text) for text in distinct]
        encodings = self._tokenizer.encode_batch(
            [f"{part.before}{text}{part.after}" for text in plain], add_special_tokens=framed
        )
        start = len(part.before)
        return {
            text: _Tokens(encoding, start, start + len(inside))
            for text, inside, encoding in zip(distinct, plain, encodings)
        }


class _Tokens:
    """One tokenised part; its text lies between two characters, and can be cut from its end."""

    def __init__(self, encoding: Any, start: int, end: int) -> None:
        self.ids = np.array(encoding.ids, dtype=np.int64)
        self._encoding, self._start, self._end = encoding, start, end
        self._places: np.ndarray | None = None

    @property
    def own(self) -> int:
        """How many tokens the text has."""
        return len(self._text_places())

    def without(self, count: int) -> np.ndarray:
        """The ids without the last `count` tokens of the text, or as many as it has."""
        if count <= 0:
            return self.ids
        return np.delete(self.ids, self._text_places()[max(self.own - count, 0) :])

    def _text_places(self) -> np.ndarray:
        # A token belongs where it ends; tokens added around the text have no place in it.
        if self._places is None:
            plain = np.array(self._encoding.special_tokens_mask) == 0
            ends = np.array([end for _, end in self._encoding.offsets])
            self._places = np.flatnonzero(plain & (ends > self._start) & (ends <= self._end))
        return self._places


class BothDirections:
    """Rows of two likelihoods a pair: the second one's arrays have names that begin with `reviewer_`."""

    def __init__(self, first: LikelihoodTokens, second: LikelihoodTokens) -> None:
        self._first, self._second = first, second

    def rows(self, pairs: Sequence[Pair]) -> list[Row]:
        """One row a pair."""
        return [_joined(*both) for both in zip(self._first.rows(pairs), self._second.rows(pairs), strict=True)]


def _joined(first: Row, second: Row) -> Row:
    extra: Mapping[str, np.ndarray] = {
        **first.extra,
        "reviewer_input_ids": second.ids,
        "reviewer_attention_mask": np.ones_like(second.ids),
        "reviewer_labels": second.extra["labels"],
    }
    return Row(first.ids, first.types, first.truncated or second.truncated, extra)
