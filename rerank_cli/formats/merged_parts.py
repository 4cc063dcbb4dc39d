"""The parts of a run joined again, in the order that the queries had before they were shared out.

What parts say of themselves is believed only when they all say the same: another N, another setting, another run, a part too few
or too many would each give a run that looks whole.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from rerank_cli.errors import BadData
from rerank_cli.formats.parts import Part

#: Facts that may differ, because they say where a thing lies or how the run came here, not what was computed.
_OTHERWISE_TOLD = {"collection", "input", "source", "revision", "topics"}
#: Facts that may differ and are told: scores differ by rounding at most.
_TOLD = ("versions", "engine", "provider", "device", "batch_tokens")


def merged(parts: Sequence[Part]) -> Iterator[bytes]:
    """The lines of the whole run, query by query; reads the parts side by side, a query of each in memory.

    Raises `BadData` naming a part that is missing, doubled, cut off, of another cut, of other settings or of another run: where it
    can be known before anything is yielded, the others at the end at the latest.
    """
    _refuse_other_cuts(parts)
    for part in parts[1:]:
        _refuse_other_settings(parts[0], part)
    expected, misplaced = 0, None
    for position, lines in heapq.merge(*parts, key=itemgetter(0)):
        if misplaced is None and position == expected:
            expected += 1
            yield lines
        elif misplaced is None:
            misplaced = expected
    ends = [part.end or {} for part in parts]
    for part, end in zip(parts[1:], ends[1:], strict=True):
        if end.get("run") != ends[0].get("run"):
            raise BadData(
                f"is a part of another run than {parts[0].name} "
                f"({end.get('of_queries')} queries with hash {end.get('run')}, and {ends[0].get('of_queries')} with {ends[0].get('run')})",
                "all shards must read the same run",
                where=part.name,
            )
    if misplaced is not None or expected != ends[0].get("of_queries"):
        raise BadData(
            f"query {expected if misplaced is None else misplaced} (from 0) of the run stands in no part, or in two",
            "the shards did not cut the run in the same way; were the texts the same for all?",
        )


def settings_of(part: Part) -> dict[str, Any]:
    """What must be the same in all parts: what was computed, how it is written, how the run was cut."""
    told = {name: fact for name, fact in part.facts.items() if name not in _OTHERWISE_TOLD}
    return _flat(told | {name: part.shard.get(name) for name in ("by", "format", "tag")})


def told_apart(parts: Sequence[Part]) -> Iterator[str]:
    """One line for each fact that need not be the same in all parts, and is not."""
    for name in _TOLD:
        values = {str(part.facts.get(name)): part.name for part in reversed(parts)}
        if len(values) > 1:
            yield f"{name} differs: " + ", ".join(f"{value} in {where}" for value, where in reversed(values.items()))


def _refuse_other_cuts(parts: Sequence[Part]) -> None:
    first = parts[0]
    of: int = first.shard["of"]
    having: dict[int, Part] = {}
    for part in parts:
        number = part.shard["number"]
        if part.shard["of"] != of:
            raise BadData(
                f"is part {number} of {part.shard['of']}, and {first.name} is part {first.shard['number']} of {of}",
                "parts of one cut go together",
                where=part.name,
            )
        if number in having:
            raise BadData(
                f"is part {number} of {of}, as {having[number].name} is", "name each part once", where=part.name
            )
        having[number] = part
    missing = [number for number in range(1, of + 1) if number not in having]
    if missing:
        some = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        are = "parts" if len(missing) > 1 else "part"
        raise BadData(
            f"{are} {some} of {of} missing: {len(parts)} named, the first {first.name}",
            f"--shard {missing[0]}/{of} makes part {missing[0]}",
        )


def _refuse_other_settings(one: Part, other: Part) -> None:
    theirs, others = settings_of(one), settings_of(other)
    for name in [*theirs, *others]:
        if theirs.get(name) != others.get(name):
            raise BadData(
                f"{name} is {others.get(name)!r}, and {theirs.get(name)!r} in {one.name}",
                "parts of one run are made with the same settings",
                where=other.name,
            )


def _flat(facts: Mapping[str, Any], front: str = "") -> dict[str, Any]:
    """Facts inside facts by their path, less those that may differ."""
    flat: dict[str, Any] = {}
    for name, fact in facts.items():
        if name in _TOLD or name in _OTHERWISE_TOLD:
            continue
        if isinstance(fact, dict):
            flat |= _flat(fact, f"{front}{name}.")
        else:
            flat[front + name] = fact
    return flat
