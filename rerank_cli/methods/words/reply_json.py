"""Scores and lists that a model was asked to write as JSON, and what can still be read of them when it is not quite that.

A reply may be fenced, cut off, lack its last brace or hold one bracket too many. It is read as JSON first, mended
second, and searched for `label: number` last; whoever reads learns whether anything but the first was needed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_FENCE = re.compile(r"```(?:json)?\s*(.*?)(?:```|$)", re.S | re.I)
_FLAT = re.compile(r"\{[^{}]*\}")
_PAIR = re.compile(r"\[?\"?\[?([0-9]{1,9})\]?\"?\]?\s*[:=]\s*\"?(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)(?![0-9])")
_LIST = re.compile(r"\[([^\[\]]*)\]")
_NUMBER = re.compile(r"[0-9]+")


def scores(text: str, labels: Sequence[str]) -> tuple[dict[str, float], bool]:
    """Numbers by label from the last object of `text`, and whether it had to be mended."""
    for found, mended in _objects(text):
        known = _by_label(found, labels)
        numbers = {name: number for name, value in known.items() if (number := _number(value)) is not None}
        if numbers:
            return numbers, mended or len(numbers) < len(found)
    pairs = {name.lstrip("0"): float(value) for name, value in _PAIR.findall(text)}
    return {name: value for name, value in pairs.items() if name in labels}, True


def component_scores(text: str, labels: Sequence[str]) -> tuple[dict[str, float], bool]:
    """Relevance (0-10) and half the sum of the other criteria (0-5 each) by label, and whether anything was amiss.

    Equals are parted by their authority, a thousandth of it; a document of relevance under 3 stands below all others.
    """
    for found, mended in _objects(text):
        values = {}
        for name, parts in _by_label(found, labels).items():
            given = (
                {str(key).lower(): _number(value) for key, value in parts.items()} if isinstance(parts, dict) else {}
            )
            numbers = {
                key: min(max(value, 0.0), 10.0 if key == "relevance" else 5.0)
                for key, value in given.items()
                if value is not None
            }
            if "relevance" in numbers:
                relevance = numbers.pop("relevance")
                others = 0.5 * sum(numbers.values()) + numbers.get("authoritativeness", 0.0) / 1000
                values[name] = relevance + others if relevance >= 3 else relevance - 10
        if values:
            return values, mended or len(values) < len(found)
    return {}, True


def listed(text: str) -> list[str]:
    """The numbers of the last list that holds any."""
    lists = [numbers for inner in _LIST.findall(text) if (numbers := _NUMBER.findall(inner))]
    return [number.lstrip("0") for number in lists[-1]] if lists else []


def _by_label(found: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """The object's values under the labels that its keys name (`[1]`, `1`, `Document 1`)."""
    named = ((_NUMBER.search(key), value) for key, value in found.items())
    return {at[0].lstrip("0"): value for at, value in named if at and at[0].lstrip("0") in labels}


def _objects(text: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """Objects in `text`, the likeliest answer first, each with whether it was mended."""
    pieces = _FENCE.findall(text)[::-1][:4]
    pieces += [text[text.find("{") : text.rfind("}") + 1], *_FLAT.findall(text)[::-1][:4]]
    for piece in pieces:
        if isinstance(found := _loaded(piece), dict):
            yield found, False
    for piece in [*pieces, text[max(0, text.find("{")) :]]:
        mended = re.sub(r"\[([0-9]+)\]\]", r"[\1]", piece.strip())
        mended = re.sub(r",\s*$", "", re.sub(r",(\s*\})", r"\1", mended))
        for end in ("", "}", "}}"):
            if isinstance(found := _loaded(mended + end), dict):
                yield found, True


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _number(value: Any) -> float | None:
    """A finite number, also one written as text; no truth value is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
