"""CUDA or TensorRT: what was measured of each for a model on a GPU, kept beside its engines.

Which is quicker depends on the model, the GPU and the versions of both, and nobody knows it beforehand; to find out in the middle
of a run would take the minutes in which TensorRT builds its engines. So what a bench measured is kept, and read where nobody
asked for either by name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from rerank_cli.core.build_once import write_whole
from rerank_cli.errors import BadData

#: Ratios nearer to 1 are noise.
_MARGIN = 1.1
_CUDA, _TENSORRT = PROVIDERS = ("cuda", "tensorrt")


class Quicker(NamedTuple):
    """What to take, and why in words."""

    provider: str
    why: str


def keep_speed(path: Path, provider: str, work: str, rate: float) -> None:
    """Add what was measured to the file: pairs a second, of some `work`."""
    kept = _read(path)
    told = kept.pop(work, {})
    kept[work] = told | {provider: rate}  # the latest work comes last
    write_whole(path, json.dumps(kept, indent=1) + "\n")


def quicker(path: Path) -> Quicker:
    """The quicker of the two in the latest work that both did; CUDA where there is none, or no more than noise between them."""
    for work, told in reversed(_read(path).items()):
        if set(PROVIDERS) <= set(told):
            ratio = told[_TENSORRT] / told[_CUDA]
            why = f"rerank bench measured {told[_TENSORRT]:.0f} pairs/s with TensorRT, {told[_CUDA]:.0f} with CUDA ({work})"
            return Quicker(_TENSORRT if ratio >= _MARGIN else _CUDA, why)
    return Quicker(_CUDA, "rerank bench has not measured both CUDA and TensorRT for this model here")


def _read(path: Path) -> dict[str, dict[str, float]]:
    try:
        kept: dict[str, dict[str, float]] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BadData(f"is no record of speeds: {error}", "remove it", where=str(path)) from error
    return kept
