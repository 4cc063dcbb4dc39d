"""TensorRT: an engine for each range of lengths, built once for a model, a GPU and a version, and kept.

TensorRT tunes an engine for the shapes it is told and builds it anew for others, which takes minutes. So batches are
padded to the end of a few ranges of lengths, and each range has a session of its own with one explicit profile:
ONNX Runtime builds several profiles into one engine, but runs the first of them only (onnxruntime pull request 31624).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.errors import WrongUsage

#: The ends of the ranges of lengths, in tokens; beyond the last a batch is padded to the next multiple of it.
ENDS = (64, 128, 256, 512)
#: Padded tokens in the largest batch of a range.
MOST_TOKENS = 32768
#: Inputs that are rows of one token each: what a profile of rows x tokens describes.
_ROWS_BY_LENGTH = ("input_ids", "attention_mask", "token_type_ids")


def end_of(length: int) -> int:
    """The end of the range that `length` tokens fall into."""
    return next((end for end in ENDS if length <= end), -(-length // ENDS[-1]) * ENDS[-1])


def most_rows(end: int) -> int:
    """The rows of the largest batch of the range that ends at `end`."""
    return max(1, MOST_TOKENS // end)


def provider_options(inputs: list[str], end: int, device_id: int, folder: Path) -> dict[str, str]:
    """ONNX Runtime's options for the range that ends at `end`: its profile, and where engines and timings are kept.

    Raises `WrongUsage` for a graph that reads more than one row of tokens a text, whose shapes have no such profile.
    """
    if not set(inputs) <= set(_ROWS_BY_LENGTH):
        raise WrongUsage(
            f"TensorRT is not offered for a graph that reads {', '.join(inputs)}", "--provider cuda computes it"
        )

    def shapes(n: int) -> str:
        return ",".join(f"{name}:{n}x{end}" for name in inputs)

    return {
        "device_id": str(device_id),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder / str(end)),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
        "trt_profile_min_shapes": shapes(1),
        "trt_profile_opt_shapes": shapes(max(1, most_rows(end) // 2)),
        "trt_profile_max_shapes": shapes(most_rows(end)),
    }


class LengthRanges:
    """A session a range of lengths, opened when the first batch of it comes; `open_range(end)` opens one."""

    def __init__(self, open_range: Callable[[int], Any], folder: Path, note: Callable[[str], None]) -> None:
        self._open = open_range
        self._folder = folder
        self._note = note
        self._sessions: dict[int, Any] = {}

    def run(self, names: Any, batch: dict[str, np.ndarray], options: Any = None) -> list[np.ndarray]:
        """As onnxruntime's `InferenceSession.run`, over batches padded to the end of their range; the mask hides what is added.

        The first batch of a range that has no engine yet builds it, and says so.
        """
        length = batch["input_ids"].shape[1]
        end = end_of(length)
        if end not in self._sessions:
            kept = self._folder / str(end)
            if not kept.is_dir() or not any(kept.iterdir()):
                self._note(f"building TensorRT's engine for up to {end} tokens: minutes, once for this GPU")
                kept.mkdir(parents=True, exist_ok=True)
            self._sessions[end] = self._open(end)
        padded = {name: np.pad(array, ((0, 0), (0, end - length))) for name, array in batch.items()}
        rows = most_rows(end)
        parts = [
            self._sessions[end].run(names, {name: array[at : at + rows] for name, array in padded.items()}, options)
            for at in range(0, len(padded["input_ids"]), rows)
        ]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]
