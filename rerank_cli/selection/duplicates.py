"""Documents whose words are nearly those of one that stands higher: Jaccard of word shingles, exact, without a model.

A shingle is five words in a row; two texts are as alike as the part of all their shingles that both have.

A. Broder: On the resemblance and containment of documents. SEQUENCES 1997.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

_WORD = re.compile(r"\w+")
WORDS = 5


def shingles(text: str) -> set[tuple[str, ...]]:
    """The distinct runs of five words, case folded and without punctuation; a shorter text is one shingle, its words."""
    words = _WORD.findall(text.casefold())
    return {tuple(words[at : at + WORDS]) for at in range(max(len(words) - WORDS, 0) + 1)}


def near_duplicates(texts: Sequence[str], threshold: float) -> np.ndarray:
    """Which texts (n,) bool, best first, have a Jaccard of `threshold` (above 0) or more with an earlier one that is none.

    Only pairs that share a shingle are looked at, so lists without duplicates cost the sum of their words.
    """
    left_out = np.zeros(len(texts), dtype=bool)
    sizes: list[int] = []
    holders: dict[tuple[str, ...], list[int]] = {}
    for at, text in enumerate(texts):
        own = shingles(text)
        sizes.append(len(own))
        shared = Counter(earlier for shingle in own for earlier in holders.get(shingle, ()))
        left_out[at] = any(both / (sizes[earlier] + len(own) - both) >= threshold for earlier, both in shared.items())
        if not left_out[at]:
            for shingle in own:
                holders.setdefault(shingle, []).append(at)
    return left_out
