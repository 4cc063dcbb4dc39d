"""TensorRT: an engine for each range of lengths, built once for a model, a GPU and the versions of its builders, and kept.

TensorRT tunes an engine for the shapes it is told and builds it anew for others, which takes minutes. So batches are
padded to the end of a few ranges of lengths, and each range has a session of its own with one explicit profile:
ONNX Runtime builds several profiles into one engine, but runs the first of them only (onnxruntime pull request 31624).
What ONNX Runtime finds in an engine's folder it takes without a look at the version or the weights it was built from, and
fails where it is not whole: so the folder's name tells the versions, and it has that name only when the engine was built and ran.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.build_once import build_once
from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.inference.buckets import ROWS_BY_LENGTH, cut

#: The ends of the ranges of lengths, in tokens; beyond the last a batch is padded to the next multiple of it.
ENDS = (64, 128, 256, 512)
#: Padded tokens in the largest batch of a range.
MOST_TOKENS = 32768
#: What is kept beside an engine: the seconds that its building took.
BUILT = "built.json"


def end_of(length: int, longest: int | None = None) -> int:
    """The end of the range that `length` tokens fall into, for a model with `longest` positions."""
    end = next((end for end in ENDS if length <= end), -(-length // ENDS[-1]) * ENDS[-1])
    return end if longest is None or length > longest else min(end, longest)


def most_rows(end: int) -> int:
    """The rows of the largest batch of the range that ends at `end`."""
    return max(1, MOST_TOKENS // end)


def engine_folder(engines: Path, gpu: str, onnxruntime: str, tensorrt: str) -> Path:
    """Where engines lie that this GPU, built by these versions, can run."""
    return engines / f"{gpu}-onnxruntime-{onnxruntime}-tensorrt-{tensorrt}".replace(" ", "-")


def provider_options(
    inputs: list[str], end: int, device_id: int, folder: Path, precision: str = "fp32"
) -> dict[str, str]:
    """ONNX Runtime's options for the range that ends at `end`: its profile, and where engine and timings are kept.

    Raises `WrongUsage` for a graph that reads more than one row of tokens a text, whose shapes have no such profile.
    """
    if not set(inputs) <= set(ROWS_BY_LENGTH):
        raise WrongUsage(
            f"TensorRT is not offered for a graph that reads {', '.join(inputs)}", "--provider cuda computes it"
        )

    def shapes(n: int) -> str:
        return ",".join(f"{name}:{n}x{end}" for name in inputs)

    options = {
        "device_id": str(device_id),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
        "trt_profile_min_shapes": shapes(1),
        "trt_profile_opt_shapes": shapes(max(1, most_rows(end) // 2)),
        "trt_profile_max_shapes": shapes(most_rows(end)),
    }
    if precision == "fp16":
        options |= {"trt_fp16_enable": "1", "trt_layer_norm_fp32_fallback": "1"}
    return options


class LengthRanges:
    """A session a range of lengths, opened when the first batch of it comes; `open_range(end, folder)` opens one over an engine's folder."""

    def __init__(
        self,
        open_range: Callable[[int, Path], Any],
        folder: Path,
        note: Callable[[str], None],
        longest: int | None = None,
    ) -> None:
        """`folder`: see `engine_folder`; `longest`: how many positions the model has, where it has an end."""
        self._open = open_range
        self._folder = folder
        self._note = note
        self._longest = longest
        self._sessions: dict[int, Any] = {}

    def run(self, names: Any, batch: dict[str, np.ndarray], options: Any = None) -> list[np.ndarray]:
        """As onnxruntime's `InferenceSession.run`, over batches padded to the end of their range; the mask hides what is added.

        The first batch of a range that has no engine yet builds it, and says so.
        """
        rows, length = batch["input_ids"].shape
        end = end_of(length, self._longest)
        if end not in self._sessions:
            self._sessions[end] = self._opened(end, list(batch))
        session = self._sessions[end]
        padded = {name: np.pad(array, ((0, 0), (0, end - length))) for name, array in batch.items()}
        parts = [
            session.run(names, {name: array[at : at + most_rows(end)] for name, array in padded.items()}, options)
            for at in range(0, rows, most_rows(end))
        ]
        axis = session.get_inputs()[0].shape[1]
        return [
            cut(np.concatenate(outputs), rows, length, [at for at, name in enumerate(one.shape) if name == axis])
            for one, outputs in zip(session.get_outputs(), zip(*parts, strict=True), strict=True)
        ]

    def _opened(self, end: int, inputs: list[str]) -> Any:
        """The session of a range, over an engine that is kept or is built now: aside, by one process at a time, and renamed when it ran."""

        def build(aside: Path) -> None:
            self._note(f"building TensorRT's engine for up to {end} tokens, once for this GPU: {self._expected()}")
            for timings in self._folder.glob("*.timing"):
                shutil.copyfile(timings, aside / timings.name)
            began = time.monotonic()
            session = self._open(end, aside)
            session.run(None, {name: np.full((1, end), int(name != "token_type_ids")) for name in inputs})
            if not list(aside.glob("*.engine")):
                raise WorkFailed(
                    f"TensorRT built no engine for up to {end} tokens: it takes no part of this graph",
                    "--provider cuda computes it",
                )
            seconds = time.monotonic() - began
            for timings in aside.glob("*.timing"):
                os.replace(timings, self._folder / timings.name)
            (aside / BUILT).write_text(json.dumps({"seconds": round(seconds, 1)}) + "\n")
            self._note(f"built TensorRT's engine for up to {end} tokens in {seconds:.0f} s")

        waiting = f"waiting for another process that builds TensorRT's engine for up to {end} tokens"
        kept = build_once(self._folder / str(end), build, waiting=lambda: self._note(waiting))
        return self._open(end, kept)

    def _expected(self) -> str:
        """How long a build takes: as this model's last one here did, on whatever GPU and version, for whatever lengths."""
        last = max(self._folder.parent.glob(f"*/*/{BUILT}"), key=lambda path: path.stat().st_mtime, default=None)
        if last is None:
            return "minutes, ten for a large model; how long this one takes is not known yet"
        return f"the last one of this model took {json.loads(last.read_text())['seconds']:.0f} s"
