"""PyTorch: the same graph module that is exported, run as it is; on a processor a batch a thread, as in `onnx`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from rerank_cli.errors import DeviceUnavailable
from rerank_cli.inference.devices import Device, parsed
from rerank_cli.inference.memory import failed_batch, is_memory

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
        #: How many batches it takes at once.
        self.workers = threads if self.device.kind == "cpu" and threads > 1 else 1
        torch.set_num_threads(1 if self.workers > 1 else threads)
        self._module = module.to(str(self.device)).eval()
        #: See `batching.fixed_shapes`.
        self.length_step, self.longest = length_step(module, self.device), longest

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """See `Backend.run`."""
        return self.outputs(batch)[0]

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Every output of the module, for one that has several."""
        import torch

        with computing(batch):
            arrays = [torch.from_numpy(array).to(str(self.device)) for array in batch.values()]
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
    except RuntimeError as error:
        raise failed_batch(batch, str(error).splitlines()[0], is_memory=is_memory(error)) from error


def torch_device(device: str) -> Device:
    """The device PyTorch will use for what was asked; raises `DeviceUnavailable`."""
    import torch

    asked = parsed(device)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked is None:
        return Device("cuda") if count else Device("cpu")
    if asked.kind == "cuda" and asked.index >= count:
        why = f"PyTorch {torch.__version__} sees {count or 'no'} GPU"
        raise DeviceUnavailable(f"the device {device} is not available: {why}", "rerank doctor shows what loads here")
    return asked
