"""ONNX Runtime: one session over one graph. Needs neither torch nor transformers, and opens in a tenth of a second.

On a processor a batch runs on one thread and as many batches at once as there are threads: they share the
session and its weights, nobody waits for the slowest part of every product, and a batch's numbers stay in its
core's own cache.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.errors import DeviceUnavailable, Missing, WorkFailed
from rerank_cli.inference.devices import PROVIDERS, Device, onnx_provider
from rerank_cli.inference.memory import failed_batch
from rerank_cli.inference.tensorrt import LengthRanges, provider_options

#: ONNX Runtime's log level for errors; below it are warnings that tell a user nothing.
_ERRORS_ONLY, _NOTHING = 3, 4
#: What it says when the file beside the graph is not there.
_NO_WEIGHTS = "External data path does not exist"


class OnnxBackend:
    """A graph loaded in ONNX Runtime; see `core.protocols.Backend`."""

    engine = "onnx"

    def __init__(
        self,
        graph: Path,
        *,
        provider: str = "auto",
        device: str = "auto",
        threads: int,
        note: Callable[[str], None],
        engines: Path | None = None,
        fused: bool = False,
    ) -> None:
        """Open `graph` with `threads` (0: ONNX Runtime's choice); TensorRT keeps what it builds under `engines`.

        A graph that was `fused` when it was exported opens without looking for more to fuse.

        Raises `DeviceUnavailable` for what was asked for by name, `Missing` without its weights, `WorkFailed` on a broken graph."""
        import onnxruntime

        self.provider, self.device = onnx_provider(provider, device, note)
        #: How many batches it takes at once.
        self.workers = threads if self.provider == "cpu" and threads > 1 else 1
        self._graph = graph
        self._threads = 1 if self.workers > 1 else threads
        #: What fails is told by an error of ours, not in the engine's log beside.
        self._quiet = onnxruntime.RunOptions()
        self._quiet.log_severity_level = _NOTHING
        self._session: Any
        if self.provider == "tensorrt":
            self._session = _tensorrt(graph, self.device, engines or graph.parent / "tensorrt", note)
        else:
            providers = _providers(self.provider, self.device)
            self._session = _session(graph, self.provider, providers, self._threads, fused=fused)

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """See `Backend.run`."""
        return self.outputs(batch)[0]

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Every output of the graph, for one that has several."""
        try:
            answer: list[np.ndarray] = self._session.run(None, batch, self._quiet)
        except Exception as error:  # onnxruntime's own classes share no public base
            raise failed_batch(batch, error) from error
        return answer

    def operations(self, batch: dict[str, np.ndarray]) -> int:
        """Floating-point operations in one batch; see `inference.operations`."""
        from rerank_cli.inference.operations import operations

        return operations(self._graph, _options(self._threads), _providers(self.provider, self.device), batch)


def _options(threads: int, *, fused: bool = False) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if fused:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    return options


def _providers(provider: str, device: Device) -> list[Any]:
    chosen: list[Any] = [PROVIDERS["cpu"]]
    if provider != "cpu":
        chosen.insert(0, (PROVIDERS[provider], {"device_id": str(device.index)}))
    return chosen


def _tensorrt(graph: Path, device: Device, engines: Path, note: Callable[[str], None]) -> LengthRanges:
    import onnxruntime

    from rerank_cli.inference.devices import gpu_name

    inputs = [one.name for one in _session(graph, "cpu", _providers("cpu", device), 1).get_inputs()]
    folder = engines / f"{gpu_name(device)}-onnxruntime-{onnxruntime.__version__}".replace(" ", "-")

    def open_range(end: int) -> Any:
        own = (PROVIDERS["tensorrt"], provider_options(inputs, end, device.index, folder))
        return _session(graph, "tensorrt", [own, *_providers("cuda", device)], 1)

    return LengthRanges(open_range, folder, note)


def _session(graph: Path, provider: str, providers: list[Any], threads: int, *, fused: bool = False) -> Any:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(graph), _options(threads, fused=fused), providers=providers)
    except Exception as error:  # onnxruntime's own classes share no public base
        if _NO_WEIGHTS in str(error):
            raise Missing(
                f"{graph.parent}: there are no weights ({graph.name}.data)",
                "make the folder again with rerank export-onnx",
            ) from error
        raise WorkFailed(f"{graph}: ONNX Runtime cannot load the graph: {_first_line(error)}") from error
    if PROVIDERS[provider] not in session.get_providers():
        raise DeviceUnavailable(
            f"ONNX Runtime did not take the provider {provider} for {graph}", "rerank doctor shows what loads here"
        )
    return session


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
