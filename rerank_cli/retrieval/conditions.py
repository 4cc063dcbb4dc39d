"""Conditions on the fields of a document, as a user or a model writes them: `year >= 1990 and lang = "en"`.

A condition is FIELD OPERATOR VALUE, the operator one of = != < <= > >=, the value a number or a string in quotes;
conditions are joined by `and`. A condition on a number looks at numbers only, one on a string at strings only (compared
by code points, so dates written 2024-05-01 compare as they should); a document whose field is absent, or of another kind,
does not meet it, not even `!=`. `metadata.year` is the year inside of metadata.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from rerank_cli.core.ids import one_line
from rerank_cli.errors import WrongUsage

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FIELD = re.compile(r"[^\W\d][\w.-]*")
_OPERATOR = re.compile("|".join(_OPERATORS))
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_AND = re.compile(r"and\b", re.IGNORECASE)
_BLANKS = re.compile(r"\s*")

Value = str | int | float


class Condition(NamedTuple):
    """A field of a document compared with a value."""

    field: str
    operator: str
    value: Value

    def holds(self, value: Value) -> bool:
        """Whether a document with this value in the field meets the condition."""
        alike = isinstance(value, str) == isinstance(self.value, str)
        return alike and _OPERATORS[self.operator](value, self.value)


def parsed(text: str) -> tuple[Condition, ...]:
    """The conditions that `text` joins by `and`; raises `WrongUsage` with the character where it cannot be read on."""
    at = 0
    conditions: list[Condition] = []

    def take(pattern: re.Pattern[str], expected: str) -> str:
        nonlocal at
        found = _next(pattern, text, at)
        if found is None:
            start = _BLANKS.match(text, at).end()  # type: ignore[union-attr]
            rest = repr(one_line(text[start : start + 12])) if start < len(text) else "the end"
            raise WrongUsage(
                f"the filter {one_line(text)!r} at character {start + 1}: {rest} where {expected} is due",
                'a filter reads like year >= 1990 and lang = "en"',
            )
        at = found.end()
        return found[0]

    while True:
        field = take(_FIELD, "a field's name")
        compared = take(_OPERATOR, f"one of {' '.join(_OPERATORS)}")
        literal = _next(_NUMBER, text, at)
        value = take(_STRING if literal is None else _NUMBER, "a number or a string in quotes")
        conditions.append(Condition(field, compared, _value(value)))
        if _BLANKS.fullmatch(text, at):
            return tuple(conditions)
        take(_AND, "and")


def _next(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """The pattern behind the blanks at `at`."""
    return pattern.match(text, _BLANKS.match(text, at).end())  # type: ignore[union-attr]


def _value(literal: str) -> Value:
    if literal.startswith("'"):
        return literal[1:-1]
    value: Value = json.loads(literal, strict=False)
    return value
