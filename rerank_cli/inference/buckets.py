"""Small batches on a GPU: a graph of kernels captured once for a shape and started whole, over buffers that stay where they are.

A small batch takes a GPU less time than the processor needs to start its hundreds of kernels one by one. CUDA can capture
them in one graph, but only for one shape and one place in memory: so batches are padded to the nearest of a few shapes, written
over the inputs of that shape, and what was added is cut off the outputs again. A large batch keeps the GPU busy by itself and
would only pay for the padding, and a shape that came once may never come again: both run as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rerank_cli.errors import WorkFailed, first_line
from rerank_cli.inference.devices import Device

#: Inputs that are rows of one token each: what a shape of rows x length says all of.
ROWS_BY_LENGTH = ("input_ids", "attention_mask", "token_type_ids")
#: Padded tokens of the largest batch that is padded to a shape. An estimate, not yet measured (`benchmarks/gpu.py --buckets`):
#: the kernels of a small model take about as long as their starts at some thousand tokens, those of a larger one earlier.
MOST_TOKENS = 8192
#: Shapes that are kept, and the bytes of the largest output that one may have: 300 MB of a GPU's memory at the very most.
MOST_SHAPES, MOST_BYTES = 64, 4 << 20
#: Multiples that lengths and rows are padded to, where an eighth of the power of two below is less.
_LEAST = {"length": 8, "rows": 1}
#: How far the answers of a captured graph may be from those of the same kernels started one by one.
_CLOSE = 1e-3
_CAPTURE = "gpu_graph_id"
#: ONNX Runtime's log level above that of errors.
_NOTHING = 4


def padded_to(size: int, least: int) -> int:
    """The size that `size` is padded to: eight sizes between two powers of two, so an eighth more at worst, a 25th on average."""
    step = max(least, 1 << max(0, (size - 1).bit_length() - 4))
    return -(-size // step) * step


class Buckets:
    """A session of one graph; `open_session(whether it may capture)` opens it. Safe to call from any thread."""

    def __init__(
        self,
        open_session: Callable[[bool], Any],
        device: Device,
        note: Callable[[str], None],
        longest: int | None = None,
    ) -> None:
        """`longest`: how many positions the model has, where it has an end."""
        self._open, self._device, self._note, self._longest = open_session, device, note, longest
        self._session: Any
        self._came: Counter[tuple[int, int]] = Counter()
        self._kept: dict[tuple[int, int], _Shape] = {}
        self._captures = True
        try:
            self._session = open_session(True)
        except WorkFailed as error:
            self._without(f"ONNX Runtime cannot capture this model ({error.message.rpartition(': ')[2]})")
        # ONNX Runtime keeps what it captured with the thread that ran it, and no two may run at once.
        self._thread = ThreadPoolExecutor(1, "gpu")

    def run(self, names: Any, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """As onnxruntime's `InferenceSession.run`."""
        return self._thread.submit(self._run, names, batch).result()

    def _run(self, names: Any, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        shape = self._shape(batch) if self._captures else None
        if shape is None:
            return self._as_it_is(names, batch)
        if shape not in self._kept:
            self._came[shape] += 1
            if self._came[shape] == 1 or len(self._kept) == MOST_SHAPES:
                return self._as_it_is(names, batch)
            wanted = self._as_it_is(names, batch)
            if max(one.nbytes // len(one) * shape[0] for one in wanted) <= MOST_BYTES:
                obstacle = self._captured(shape, batch, wanted)
                if obstacle:
                    self._without(f"a batch of {shape[0]} x {shape[1]} tokens cannot be captured ({obstacle})")
            return wanted
        return self._kept[shape].run(batch)

    def _shape(self, batch: dict[str, np.ndarray]) -> tuple[int, int] | None:
        """The shape (rows, length) that the batch is padded to; None for one that runs as it is."""
        if not set(batch) <= set(ROWS_BY_LENGTH):
            return None
        rows, length = batch["input_ids"].shape
        end = padded_to(length, _LEAST["length"])
        if self._longest is not None and length <= self._longest:
            end = min(end, self._longest)
        shape = padded_to(rows, _LEAST["rows"]), end
        return shape if shape[0] * shape[1] <= MOST_TOKENS else None

    def _as_it_is(self, names: Any, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        answers: list[np.ndarray] = self._session.run(names, batch, _captured_as(-1))
        return answers

    def _captured(self, shape: tuple[int, int], batch: dict[str, np.ndarray], wanted: list[np.ndarray]) -> str:
        """Keep a shape that gives `batch`, over which it was not captured, the answers that are `wanted`; or say why not."""
        try:
            made = _Shape(self._session, self._device, shape, batch, len(self._kept))
            if not all(_close(a, b) for a, b in zip(made.run(batch), wanted, strict=True)):
                return "it gets other answers"
        except Exception as error:  # onnxruntime's own classes share no public base
            return first_line(error)
        self._kept[shape] = made
        return ""

    def _without(self, why: str) -> None:
        """Go on with a session that captures nothing; said once, for there is nothing left to say it again."""
        self._kept.clear()
        self._session, self._captures = None, False  # its memory is free before the next one needs as much
        self._session = self._open(False)
        self._note(f"going on without CUDA graphs: {why}")


class _Shape:
    """Inputs and outputs of one shape, in the device's memory, bound to the session and captured as `number`."""

    def __init__(
        self, session: Any, device: Device, shape: tuple[int, int], batch: dict[str, np.ndarray], number: int
    ) -> None:
        from onnxruntime import OrtValue

        self._session, self._size, self._options = session, shape, _captured_as(number)
        self._binding = session.io_binding()
        # It is captured over other tokens and another mask than any batch: what it took from them and kept would show.
        blank = {name: np.full(shape, int(name != "token_type_ids"), array.dtype) for name, array in batch.items()}
        self._inputs = {
            name: OrtValue.ortvalue_from_numpy(array, device.kind, device.index) for name, array in blank.items()
        }
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        names = [one.name for one in session.get_outputs()]
        for name in names:
            self._binding.bind_output(name, device.kind, device.index)
        session.run_with_iobinding(self._binding, _captured_as(-1))
        # What ONNX Runtime made for the outputs of this run is where all later ones are written.
        self._outputs = dict(zip(names, self._binding.get_outputs(), strict=True))
        for name, value in self._outputs.items():
            self._binding.bind_ortvalue_output(name, value)
        session.run_with_iobinding(self._binding, self._options)
        #: Of each output: which axes are as long as the batch's texts.
        self._long = [
            [at for at, axis in enumerate(one.shape) if axis == session.get_inputs()[0].shape[1]]
            for one in session.get_outputs()
        ]

    def run(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Every output for `batch`, which is no larger than the shape; rows are filled up with the last."""
        rows, length = batch["input_ids"].shape
        for name, array in batch.items():
            wide = np.pad(array, ((0, 0), (0, self._size[1] - length)))
            self._inputs[name].update_inplace(np.pad(wide, ((0, self._size[0] - rows), (0, 0)), mode="edge"))
        self._binding.synchronize_inputs()
        self._session.run_with_iobinding(self._binding, self._options)
        self._binding.synchronize_outputs()
        whole = [value.numpy() for value in self._outputs.values()]
        return [cut(one, rows, length, axes) for one, axes in zip(whole, self._long, strict=True)]


def cut(array: np.ndarray, rows: int, length: int, axes: list[int]) -> np.ndarray:
    """A copy of the first `rows` of an output, and of the first `length` along `axes`."""
    return array[tuple(slice(rows if at == 0 else length if at in axes else None) for at in range(array.ndim))].copy()


def _captured_as(number: int) -> Any:
    """Options of a run that is captured, or was, as `number`; -1 captures nothing."""
    options = run_options()
    options.add_run_config_entry(_CAPTURE, str(number))
    return options


def run_options() -> Any:
    """Options of a run whose failure is told by an error of ours, and not in the engine's log beside."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = _NOTHING
    return options


def _close(got: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(got - wanted).max(initial=0) <= _CLOSE * max(1.0, float(np.abs(wanted).max(initial=0))))
