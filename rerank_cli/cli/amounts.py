"""Sizes and times as people write them: 20G, 1.5M, 30d."""

from __future__ import annotations

import re

from rerank_cli.errors import WrongUsage

_BYTES = {letter: 1024**power for power, letter in enumerate("BKMGT")}
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def byte_count(text: str, option: str) -> int:
    """The bytes that `20G`, `500M` or `0.5GiB` mean (powers of 1024); raises `WrongUsage` for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT])(?:I?B)?|(\d+)B?", text.strip().upper())
    if found is None:
        raise WrongUsage(f"{option} is {text!r}, not a size", "write it as 20G, 500M or 1.5T")
    number, letter, plain = found.groups()
    return int(plain) if plain is not None else int(float(number) * _BYTES[letter])


def seconds(text: str, option: str) -> int:
    """The seconds that `12h`, `30d`, `2w` or `1y` mean; raises `WrongUsage` for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([hdwy])", text.strip().lower())
    if found is None:
        raise WrongUsage(f"{option} is {text!r}, not a time", "write it as 12h, 30d, 2w or 1y")
    return int(float(found[1]) * _SECONDS[found[2]])


def shown_bytes(count: int) -> str:
    """A size for people: `850 B`, `1.2 GiB`."""
    letter, unit = max(((letter, unit) for letter, unit in _BYTES.items() if unit <= max(count, 1)), key=lambda x: x[1])
    return f"{count} B" if unit == 1 else f"{count / unit:.1f} {letter}iB"
