"""Conditions on fields, in a language so small that a model's reply can be checked to the last letter.

An expression is conditions joined by `and`; a condition is `field op value`: a name without blanks, one of = != < <= > >=,
and a value as JSON writes a string or a number: `year >= 2020 and venue = "ACL"`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_MEANT = {"==": "=", "eq": "=", "is": "=", "≠": "!=", "<>": "!=", "≤": "<=", "=<": "<=", "≥": ">=", "=>": ">="}
_FIELD = re.compile(r"[^\W\d][\w.-]*")
_CONDITION = re.compile(r'\s*([^\W\d][\w.-]*)\s*([=!<>≤≥≠]{1,2})\s*("(?:[^"\\]|\\.)*"|[^\s"]+)\s*')
_AND = re.compile(r"and\b|&&|$", re.I)


def expression(told: Any, fields: frozenset[str] = frozenset()) -> tuple[str, bool]:
    """What a model told as conditions (a list, an object or an expression) as one expression, and whether any was left out.

    `fields`: the names that there are; none: any name will do.
    """
    said: dict[str, None] = {}
    lost = False
    for condition in _conditions(told):
        written = _condition(*condition, fields) if condition else None
        if written is None:
            lost = True
        else:
            said[written] = None
    return " and ".join(said), lost


def _conditions(told: Any) -> Iterator[tuple[Any, Any, Any] | None]:
    """(field, operator, value) of each condition, None for one that is none."""
    if isinstance(told, str):
        yield from _spelled(told)
    elif isinstance(told, dict) and not ("field" in told and "value" in told):
        yield from ((field, "=", value) for field, value in told.items())
    elif told is not None:
        for one in told if isinstance(told, list) else [told]:
            whole = isinstance(one, dict) and "field" in one and "value" in one
            yield (one["field"], one.get("op", one.get("operator", "=")), one["value"]) if whole else None


def _spelled(text: str) -> Iterator[tuple[Any, Any, Any] | None]:
    at = 0
    while text[at:].strip():
        found = _CONDITION.match(text, at)
        joined = found and _AND.match(text, found.end())
        if not found or not joined:
            yield None
            return
        try:
            yield found[1], found[2], json.loads(found[3])
        except ValueError:
            yield found[1], found[2], found[3]
        at = joined.end()


def _condition(field: Any, operator: Any, value: Any, fields: frozenset[str]) -> str | None:
    """The condition as the language writes it; None for one that it cannot say."""
    if not isinstance(field, str) or not _FIELD.fullmatch(field) or field.lower() == "and":
        return None
    operator = _MEANT.get(str(operator).strip().lower(), str(operator).strip())
    if (fields and field not in fields) or operator not in OPERATORS:
        return None
    if isinstance(value, str):
        value = value.encode("utf-8", "replace").decode()
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
        return None
    return f"{field} {operator} {json.dumps(value, ensure_ascii=False)}"


def _finite(number: float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False
