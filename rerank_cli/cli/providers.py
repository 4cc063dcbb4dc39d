"""CUDA or TensorRT on a GPU: which computes a graph when nobody says, and what TensorRT needs before it starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.inference.bench import Speed
    from rerank_cli.methods.pointwise import Description


def on_gpu(
    provider: str, device: str, precision: str, exported: Callable[..., Path], settings: Settings, terminal: Terminal
) -> tuple[str, Path]:
    """The provider to take where auto, cuda or tensorrt was asked for, and a folder whose graph it can read.

    `auto` is what `rerank bench` measured to be quicker for this model on this GPU. `exported(fuses=…)` makes folders.
    """
    from rerank_cli.inference.quicker import quicker
    from rerank_cli.methods.exported import read_record

    if provider != "tensorrt":
        fused = exported(fuses=True)
        speeds = _speeds(read_record(fused).source_hash, precision, device, settings)
        if provider == "cuda" or speeds is None:
            return "cuda", fused
        found = quicker(speeds)
        terminal.note(f"{found.provider} on the GPU: {found.why}")
        if found.provider == "cuda":
            return "cuda", fused
    unfused = exported(fuses=False)
    if provider == "auto" and read_record(unfused).report.get("fused"):
        terminal.note("cuda all the same: TensorRT cannot read the fused operators of this folder's graph")
        return "cuda", unfused
    # TensorRT has no option for it: unless told so before it starts, it multiplies 32-bit numbers as if they had 19 bits.
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    return "tensorrt", unfused


def keep_measured(about: Description, speed: Speed, settings: Settings) -> None:
    """Keep what a bench measured on a GPU, for `auto` to choose by."""
    from rerank_cli.inference.quicker import PROVIDERS, keep_speed

    if about.provider in PROVIDERS:
        speeds = _speeds(about.model_hash, about.precision, about.device, settings)
        if speeds is not None:
            keep_speed(
                speeds, about.provider, f"{speed.pairs} pairs, {speed.tokens} tokens", speed.pairs / speed.seconds
            )


def _speeds(model_hash: str, precision: str, device: str, settings: Settings) -> Path | None:
    """Where the speeds of a model on a GPU are kept, beside its engines; None where TensorRT does not load."""
    from rerank_cli.inference.devices import Device, parsed, provider_obstacle
    from rerank_cli.inference.onnx import engines_of_gpu

    if provider_obstacle("tensorrt") is not None:
        return None
    engines = settings.cache_dir / "tensorrt" / model_hash / precision
    return engines_of_gpu(engines, parsed(device) or Device("cuda")) / "speeds.json"
