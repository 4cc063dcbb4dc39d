"""PyTorch: the same graph module that is exported, run as it is; on a processor a batch a thread, as in `onnx`.

A GPU does one batch after the other, and starts the next without a pause when somebody has it ready: so two threads have a
batch each, of which one waits for its answer while the other pads the next and puts its kernels behind those of the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from rerank_cli.errors import DeviceUnavailable, missing_extra
from rerank_cli.inference.devices import ON_GPU, Device, parsed
from rerank_cli.inference.memory import failed_batch

#: How many numbers a processor adds at a time.
_STEP = 16


class TorchBackend:
    """A module that takes the batch's arrays in order and returns numbers; see `core.protocols.Backend`."""

    engine = "torch"
    provider = "torch"

    def __init__(self, module: Any, *, longest: int, device: str = "auto", threads: int) -> None:
        """Move `module`, which reads at most `longest` tokens, to the device. Raises `DeviceUnavailable` when one asked for by name is not there."""
        import torch

        self.device = torch_device(device)
        on_cpu = self.device.kind == "cpu"
        #: How many batches it takes at once.
        self.workers = max(1, threads) if on_cpu else ON_GPU
        torch.set_num_threads(1 if on_cpu and threads > 1 else threads)
        self._module = module.to(str(self.device)).eval()
        #: See `batching.of_fixed_width`.
        self.length_step, self.longest = length_step(module, self.device), longest

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """See `Backend.run`."""
        return self.outputs(batch)[0]

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Every output of the module, for one that has several."""
        import torch

        with computing(batch):
            arrays = [torch.from_numpy(array) for array in batch.values()]
            if self.device.kind == "cuda":  # from memory that stays where it is, nobody waits for the copy
                arrays = [array.pin_memory().to(str(self.device), non_blocking=True) for array in arrays]
            made = self._module(*arrays)
            return [one.float().cpu().numpy() for one in (made if isinstance(made, tuple) else (made,))]

    def operations(self, batch: dict[str, np.ndarray]) -> int:
        """Floating-point operations in one batch, as PyTorch counts them; runs it once."""
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            self.outputs(batch)
        return int(counter.get_total_flops())


def length_step(module: Any, device: Device) -> int:
    """Rows are padded to multiples of this many tokens, and only those of one width share a batch: in 16 bits on a processor; 1 elsewhere."""
    import torch

    rounds = any(weight.dtype in (torch.float16, torch.bfloat16) for weight in module.parameters())
    return _STEP if rounds and device.kind == "cpu" else 1


@contextmanager
def computing(batch: Mapping[str, Any]) -> Iterator[None]:
    """Compute without gradients; raises `WorkFailed`, or `OutOfMemory`, saying how large the batch's `input_ids` were."""
    import torch

    try:
        with torch.inference_mode():
            yield
    except (RuntimeError, MemoryError) as error:
        raise failed_batch(batch, error) from error


def torch_device(device: str) -> Device:
    """The device PyTorch will use for what was asked; raises `DeviceUnavailable`, and `Missing` without PyTorch."""
    try:
        import torch
    except ModuleNotFoundError:
        raise missing_extra("torch", "torch", "computing with PyTorch") from None

    asked = parsed(device)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked is None:
        return Device("cuda") if count else Device("cpu")
    if asked.kind == "cuda" and asked.index >= count:
        why = f"PyTorch {torch.__version__} sees {count or 'no'} GPU"
        raise DeviceUnavailable(f"the device {device} is not available: {why}", "rerank doctor shows what loads here")
    return asked
