"""A corpus of Zipfian words and varied lengths, and queries of content words, for measuring retrieval."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = 200_000


def make_corpus(folder: Path, documents: int, queries: int) -> None:
    """`corpus.tsv` (id, text) and `queries.txt`: word ranks follow Zipf's law, lengths are log-normal about 50."""
    draw = np.random.default_rng(0)
    words = np.array([_word(number + 7) for number in range(WORDS)])
    weights = np.cumsum(1 / (np.arange(WORDS) + 2.7) ** 1.05)
    with open(folder / "corpus.tsv", "w", encoding="ascii") as out:
        for start in range(0, documents, 20_000):
            lengths = np.clip(draw.lognormal(3.9, 0.5, min(20_000, documents - start)), 4, 400).astype(int)
            text = words[np.searchsorted(weights, draw.random(lengths.sum()) * weights[-1])].tolist()
            ends = np.cumsum(lengths).tolist()
            for number, (begin, end) in enumerate(zip([0, *ends], ends), start):
                out.write(f"{number}\t{' '.join(text[begin:end])}\n")
    ranks = np.exp(draw.uniform(np.log(30), np.log(20_000), (queries, 6))).astype(int)
    (folder / "queries.txt").write_text("\n".join(" ".join(row) for row in words[ranks].tolist()))


def _word(number: int) -> str:
    """Consonants and vowels in turn: another word for each number, none an English ending."""
    syllables = []
    while number:
        syllables.append("bcdfgklmnprstvz"[number % 15] + "aou"[number // 15 % 3])
        number //= 45
    return "".join(syllables) + "k"
