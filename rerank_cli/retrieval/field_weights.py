"""How much the fields of a document count: `title=2,text=1`, as Anserini's users write it, or `title^2,text`, as Elasticsearch's do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from rerank_cli.errors import WrongUsage
from rerank_cli.retrieval.variants import Parameters

#: The fields of a document, in the order in which they are indexed.
FIELDS = ("title", "text")

By = Literal["bm25f", "sum"]


class Field(NamedTuple):
    """A field that is searched: its weight, and the parameters with its b."""

    name: str
    weight: float
    parameters: Parameters


@dataclass(frozen=True)
class FieldWeights:
    """The weight of each field that is searched, the b of those that have one of their own, and how they are joined.

    `by` is bm25f (frequencies are joined, then they saturate) or sum (the fields' own BM25 scores are). Raises
    `WrongUsage` on a field that there is not, a weight below 0, none above 0, and a b outside 0..1 or of a field without weight.
    """

    weights: Mapping[str, float]
    b: Mapping[str, float] = field(default_factory=dict)
    by: By = "bm25f"

    def __post_init__(self) -> None:
        for name in (*self.weights, *self.b):
            if name not in FIELDS:
                raise WrongUsage(f"documents have no field {name!r}", f"they have {' and '.join(FIELDS)}")
        for name, weight in self.weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise WrongUsage(f"the weight of {name} is {weight}, which is not 0 or more", "as in title=2,text=1")
        if not any(self.weights.values()):
            raise WrongUsage("no field has a weight above 0", "as in title=2,text=1")
        for name, b in self.b.items():
            if not 0 <= b <= 1:
                raise WrongUsage(f"the b of {name} is {b}, which is not from 0 to 1", "usual values are 0.4 and 0.75")
            if not self.weights.get(name):
                raise WrongUsage(f"{name} has a b of its own, and no weight", f"give it a weight, or leave {name} out")

    def joined(self, parameters: Parameters) -> list[tuple[float, list[Field]]]:
        """The fields with a weight above 0 whose frequencies saturate together, and what the scores of these count."""
        own = [
            Field(name, self.weights[name], replace(parameters, b=self.b.get(name, parameters.b)))
            for name in FIELDS
            if self.weights.get(name)
        ]
        return [(1.0, own)] if self.by == "bm25f" else [(one.weight, [one._replace(weight=1.0)]) for one in own]

    @property
    def facts(self) -> dict[str, Any]:
        """What a header says of them."""
        told: dict[str, Any] = {"field_weights": dict(self.weights)}
        if self.b:
            told["field_b"] = dict(self.b)
        return told if self.by == "bm25f" else {**told, "fields_by": self.by}


def numbers_of(option: str, text: str) -> dict[str, float]:
    """`title=2,text=1` as a number for each name, 1 where none stands; raises `WrongUsage` naming the option."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, sign, number = part.strip().partition("^" if "^" in part else "=")
        try:
            if name in found:
                raise ValueError
            found[name] = float(number) if sign else 1.0
        except ValueError:
            raise WrongUsage(
                f"{option} {text}: each field and its number are wanted, once", f"as in {option} title=0.5,text=1"
            ) from None
    return found
