"""ONNX Runtime: one session over one graph. Needs neither torch nor transformers, and opens in a tenth of a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.errors import DeviceUnavailable, WorkFailed
from rerank_cli.inference.devices import PROVIDERS, Device, onnx_provider

#: ONNX Runtime's log level for errors; below it are warnings that tell a user nothing.
_ERRORS_ONLY = 3


class OnnxBackend:
    """A graph loaded in ONNX Runtime; see `core.protocols.Backend`."""

    engine = "onnx"

    def __init__(
        self, graph: Path, *, provider: str = "auto", device: str = "auto", threads: int, note: Callable[[str], None]
    ) -> None:
        """Open `graph` with `threads` (0: ONNX Runtime's choice). Raises `DeviceUnavailable` for what was asked for by name, `WorkFailed` on a broken graph."""
        self.provider, self.device = onnx_provider(provider, device, note)
        self._session = _session(graph, self.provider, self.device, threads)

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """See `Backend.run`."""
        return self.outputs(batch)[0]

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Every output of the graph, for one that has several."""
        try:
            answer: list[np.ndarray] = self._session.run(None, batch)
        except Exception as error:  # onnxruntime's own classes share no public base
            rows, length = batch["input_ids"].shape
            raise WorkFailed(
                f"the model failed on a batch of {rows} x {length} tokens: {_first_line(error)}",
                "a smaller --batch-tokens needs less memory",
            ) from error
        return answer


def _session(graph: Path, provider: str, device: Device, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    chosen: list[Any] = [PROVIDERS["cpu"]]
    if provider != "cpu":
        chosen.insert(0, (PROVIDERS[provider], {"device_id": str(device.index)}))
    try:
        session = onnxruntime.InferenceSession(str(graph), options, providers=chosen)
    except Exception as error:  # onnxruntime's own classes share no public base
        raise WorkFailed(f"{graph}: ONNX Runtime cannot load the graph: {_first_line(error)}") from error
    if PROVIDERS[provider] not in session.get_providers():
        raise DeviceUnavailable(
            f"ONNX Runtime did not take the provider {provider} for {graph}", "rerank doctor shows what loads here"
        )
    return session


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
