"""`--precision fast`: the quickest precision that keeps the order, found by trying each on this machine.

Which one that is depends on the processor: bf16 in PyTorch where it has instructions for it, 8-bit weights in ONNX
Runtime elsewhere, neither for a model that one of them disturbs. So every candidate scores real pairs beside
fp32, in turn, and what was measured is kept with the choice.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rerank_cli.core.build_once import build_once, opened
from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BadData, Missing, WorkFailed, WrongUsage
from rerank_cli.export.reduced import HOLDS, Lists, ranked, scored

if TYPE_CHECKING:
    from rerank_cli.methods import LoadedScorer

#: A precision must be this much quicker than fp32 to be worth its error.
_WORTH = 1.05
_ROUNDS = 2
_FILE = "fast.json"


@dataclass(frozen=True)
class Tried:
    """What one precision did: times quicker than fp32, tau with fp32, or the `obstacle` to it."""

    speed: float = 0.0
    tau: float = 0.0
    obstacle: str = ""


@dataclass(frozen=True)
class Choice:
    """The precision that `fast` takes, and what every candidate did."""

    precision: str
    tried: Mapping[str, Tried]

    def __str__(self) -> str:
        told = [
            f"{name}: {one.obstacle or f'{one.speed:.2f} times as quick, tau {one.tau:.3f}'}"
            for name, one in self.tried.items()
        ]
        return f"fast is {self.precision} here (beside fp32, {'; '.join(told)})"


def quickest(
    told: str,
    open_precision: Callable[[str], LoadedScorer],
    lists: Callable[[], Lists],
    cache_dir: Path,
    *,
    note: Callable[[str], None],
) -> Choice:
    """The quickest of bf16 and int8 that agrees with fp32, else fp32; measured once and kept in `cache_dir/onnx`.

    `told` names model, versions and threads: what the choice depends on besides the processor. `open_precision` opens the
    model in a precision. Costs four passes over `lists()` a candidate, the first time.
    """
    key = hashlib.sha256(f"{told}\n{_processor()}".encode()).hexdigest()[:20]

    def build(folder: Path) -> None:
        note("measuring which precision is quickest here, once")
        choice = _measured(open_precision, lists())
        (folder / _FILE).write_text(json.dumps(asdict(choice)) + "\n", encoding="utf-8")

    return opened(lambda: build_once(cache_dir / "onnx" / f"{key}-fast", build), _choice)


def _choice(folder: Path) -> Choice:
    path = folder / _FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Choice(kept["precision"], {name: Tried(**one) for name, one in kept["tried"].items()})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(f"cannot be read: {error}", "delete the folder it lies in", where=str(path)) from error


def _measured(open_precision: Callable[[str], LoadedScorer], lists: Lists) -> Choice:
    tried: dict[str, Tried] = {}
    for precision in ("bf16", "int8"):
        if precision == "bf16" and not has_bf16():
            tried[precision] = Tried(obstacle="this processor has no instructions for it")
            continue
        try:
            tried[precision] = _beside_exact(open_precision, precision, lists)
        except (WorkFailed, WrongUsage, Missing) as error:
            tried[precision] = Tried(obstacle=error.message)
    good = {name: one.speed for name, one in tried.items() if one.tau >= HOLDS and one.speed >= _WORTH}
    return Choice(max(good, key=lambda name: good[name], default="fp32"), tried)


def _beside_exact(open_precision: Callable[[str], LoadedScorer], precision: str, lists: Lists) -> Tried:
    """Score all lists in fp32 and in `precision`, in turn, each time by a scorer that has seen no text yet; the least times count."""
    seconds: dict[str, list[float]] = {"fp32": [], precision: []}
    values: dict[str, list[np.ndarray]] = {}
    for _ in range(_ROUNDS):
        for name, taken in seconds.items():
            scorer = open_precision(name)
            scored(scorer, [[Pair("warm", "up")]])
            began = time.perf_counter()
            values[name] = scored(scorer, lists)
            taken.append(time.perf_counter() - began)
    return Tried(min(seconds["fp32"]) / min(seconds[precision]), ranked(values["fp32"], values[precision]).tau)


def has_bf16() -> bool:
    """Whether this processor multiplies in bf16 itself."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(_processor().split()))


def _processor() -> str:
    """The processor's model and abilities as Linux tells them; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return " ".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
