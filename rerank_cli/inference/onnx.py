"""ONNX Runtime: one session over one graph. Needs neither torch nor transformers, and opens in a tenth of a second.

On a processor a batch runs on one thread and as many batches at once as there are threads: they share the
session and its weights, nobody waits for the slowest part of every product, and a batch's numbers stay in its
core's own cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.errors import DeviceUnavailable, Missing, WorkFailed, WrongUsage, first_line
from rerank_cli.inference.buckets import Buckets, run_options
from rerank_cli.inference.devices import ON_GPU, PROVIDERS, Device, gpu_name, onnx_provider, tensorrt_version
from rerank_cli.inference.memory import failed_batch
from rerank_cli.inference.tensorrt import LengthRanges, engine_folder, provider_options

#: ONNX Runtime's log level for errors; below it are warnings that tell a user nothing.
_ERRORS_ONLY = 3
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
        precision: str = "fp32",
        longest: int | None = None,
    ) -> None:
        """Open `graph` with `threads` (0: ONNX Runtime's choice); TensorRT keeps what it builds under `engines`.

        A graph that was `fused` when it was exported opens without looking for more to fuse. `longest`: how many positions
        the model has, where it has an end; a GPU's batches are padded to fixed lengths, and never beyond it.

        Raises `DeviceUnavailable` for what was asked for by name, `Missing` without its weights, `WorkFailed` on a broken graph."""
        self.provider, self.device = onnx_provider(provider, device, note)
        #: How many batches it takes at once.
        self.workers = {"cpu": max(1, threads), "cuda": ON_GPU}.get(self.provider, 1)
        self._graph = graph
        self._threads = 1 if self.workers > 1 else threads  # of a batch on the processor
        #: A batch in, every output of the graph out.
        self._run: Callable[..., list[np.ndarray]]
        if self.provider == "tensorrt":
            if fused:
                raise WrongUsage(
                    f"{graph.parent}: TensorRT cannot read the fused operators of this graph",
                    "name the checkpoint that it was made from, or --provider cuda",
                )
            kept = engines or graph.parent / "tensorrt"
            ranges = _tensorrt(graph, self.device, kept, note, precision, longest)
            self._run = partial(ranges.run, options=run_options())
        elif self.provider == "cuda":
            self._run = _cuda(graph, self.device, note, fused, longest).run
        else:
            session = _session(graph, "cpu", _providers("cpu", self.device), self._threads, fused=fused)
            self._run = partial(session.run, run_options=run_options())

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """See `Backend.run`."""
        return self.outputs(batch)[0]

    def outputs(self, batch: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Every output of the graph, for one that has several."""
        try:
            return self._run(None, batch)
        except Exception as error:  # onnxruntime's own classes share no public base
            raise failed_batch(batch, error) from error

    def operations(self, batch: dict[str, np.ndarray]) -> int:
        """Floating-point operations in one batch; see `inference.operations`."""
        from rerank_cli.inference.operations import operations

        # An engine of TensorRT's does not tell its products.
        by = "cpu" if self.provider == "cpu" else "cuda"
        return operations(self._graph, _options(self._threads), _providers(by, self.device), batch)


def _options(threads: int, *, fused: bool = False) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if fused:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    return options


def _providers(provider: str, device: Device, *, captures: bool = False) -> list[Any]:
    chosen: list[Any] = [PROVIDERS["cpu"]]
    if provider != "cpu":
        # Without a word about it, products of 32-bit matrices are made of numbers of 19 bits.
        options = {"device_id": str(device.index), "use_tf32": "0", "enable_cuda_graph": str(int(captures))}
        chosen.insert(0, (PROVIDERS[provider], options))
    return chosen


def _cuda(graph: Path, device: Device, note: Callable[[str], None], fused: bool, longest: int | None) -> Buckets:
    def open_session(captures: bool) -> Any:
        return _session(graph, "cuda", _providers("cuda", device, captures=captures), 1, fused=fused)

    return Buckets(open_session, device, note, longest)


def _tensorrt(
    graph: Path, device: Device, engines: Path, note: Callable[[str], None], precision: str, longest: int | None
) -> LengthRanges:
    inputs = [one.name for one in _session(graph, "cpu", _providers("cpu", device), 1, fused=True).get_inputs()]
    folder = engines_of_gpu(engines, device)

    def open_range(end: int, kept: Path) -> Any:
        own = (PROVIDERS["tensorrt"], provider_options(inputs, end, device.index, kept, precision))
        return _session(graph, "tensorrt", [own, *_providers("cuda", device)], 1)

    provider_options(inputs, 1, 0, folder)  # a graph that it is not offered for is refused before the first batch
    return LengthRanges(open_range, folder, note, longest)


def engines_of_gpu(engines: Path, device: Device) -> Path:
    """Where a model's engines for this GPU and the versions installed here lie; only where TensorRT loads."""
    import onnxruntime

    return engine_folder(engines, gpu_name(device), onnxruntime.__version__, tensorrt_version())


def _session(graph: Path, provider: str, providers: list[Any], threads: int, *, fused: bool = False) -> Any:
    import onnxruntime

    try:
        # Left to itself it prints on the data's stream that a provider failed, and goes on without it.
        session = onnxruntime.InferenceSession(
            str(graph), _options(threads, fused=fused), providers=providers, enable_fallback=False
        )
    except Exception as error:  # onnxruntime's own classes share no public base
        if _NO_WEIGHTS in str(error):
            raise Missing(
                f"{graph.parent}: there are no weights ({graph.name}.data)",
                "make the folder again with rerank export-onnx",
            ) from error
        raise WorkFailed(f"{graph}: ONNX Runtime cannot load the graph: {first_line(error)}") from error
    if PROVIDERS[provider] not in session.get_providers():
        raise DeviceUnavailable(
            f"ONNX Runtime did not take the provider {provider} for {graph}", "rerank doctor shows what loads here"
        )
    return session
