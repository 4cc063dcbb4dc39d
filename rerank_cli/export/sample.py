"""The fixed pairs on which every export is compared with PyTorch: short and long, empty and repeated, several scripts."""

from __future__ import annotations

from rerank_cli.core.protocols import Pair

_QUERIES = (
    "how do bees find their way home",
    "price of copper 1998",
    "Wie tief ist der Bodensee?",
    "what is the half-life of caffeine in adults",
    "lighthouse",
    "¿quién inventó el submarino y cuándo se usó por primera vez en una guerra?",
)
_SENTENCES = (
    "Honey bees learn landmarks on short flights and keep the angle to the sun in mind.",
    "The mine closed in 1998, when a tonne of copper sold for less than it cost to dig.",
    "Der Bodensee ist an seiner tiefsten Stelle 251 Meter tief.",
    "Caffeine leaves the blood of most adults by half in about five hours; smoking shortens this.",
    "A lens of glass rings turns a small flame into a beam that ships see twenty miles away.",
    "Isaac Peral botó en 1888 un submarino eléctrico; la armada no quiso más.",
    "No answer is here, only a recipe: flour, water, salt, and an oven that is hot enough.",
    "東京の地下鉄は朝の八時がいちばん混む。",
)


def sample() -> list[Pair]:
    """48 pairs: each query with eight documents of one word to about two hundred."""
    documents = [
        _SENTENCES[0],
        _SENTENCES[1],
        " ".join(_SENTENCES[2:4]),
        " ".join(_SENTENCES[3:6]),
        " ".join(_SENTENCES),
        " ".join(reversed(_SENTENCES * 2)),
        "yes",
        _SENTENCES[6],
    ]
    return [Pair(query, document) for query in _QUERIES for document in documents]


def sizes() -> list[int]:
    """How many pairs of `sample` belong to each query, in order."""
    return [len(sample()) // len(_QUERIES)] * len(_QUERIES)
