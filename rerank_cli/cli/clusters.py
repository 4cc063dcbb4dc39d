"""Clusters as they are asked for, `--ray` or several GPUs named by `--device`, and what is alike in any worker."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from rerank_cli.cli import ray_options
from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal, tell_nobody
from rerank_cli.errors import DeviceUnavailable, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.cluster.workers import Make, Workers
    from rerank_cli.core.protocols import Cache

#: What this program wants of Ray, unless the user wants something else; workers on this machine are as urgent as one process.
_RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_worker_niceness": "0"}


class Cluster(NamedTuple):
    """Where the workers are, how many there are (None: what there is room for), what each has, and which device it takes."""

    address: str
    workers: int | None
    gpus: float | None
    device: str


def cluster_of(typed: Mapping[str, Any], settings: Settings) -> Cluster | None:
    """The workers that were asked for, None: none. Raises `WrongUsage` for what does not go together, `DeviceUnavailable` for a GPU that is not there."""
    ray_options.check(typed)
    device = settings.resolve("device", typed.get("device")).value or "auto"
    address, workers, gpus = typed["ray"], typed["workers"], typed["gpus_per_worker"]
    several = device.split(",")
    if address is None and len(several) == 1:
        return None
    if "endpoint" in typed and settings.resolve("endpoint", typed["endpoint"]).value:
        raise WrongUsage(
            f"{'--ray' if address else f'--device {device}'} does not go together with --endpoint: servers are asked from here",
            "name all servers, with commas between them: --endpoint URL,URL",
        )
    if (cut := typed.get("shard_by")) is not None and cut.value == "tokens":
        raise WrongUsage("--shard-by tokens measures texts here, and workers look them up", "leave --shard-by out")
    if len(several) > 1:
        if address is not None:
            raise WrongUsage(
                f"--device {device} does not go together with --ray",
                "--ray local gives each worker its own GPU; --workers says how many",
            )
        return Cluster("local", _visible(several), 1.0, "cuda")
    if device not in ("auto", "cpu", "cuda"):
        raise WrongUsage(
            f"--device {device}: a cluster chooses which GPU a worker has", "--device cuda, or leave it out"
        )
    if device == "cpu" and gpus:
        raise WrongUsage("--device cpu does not go together with --gpus-per-worker")
    if gpus == 0 and device == "cuda":
        raise WrongUsage("--device cuda does not go together with --gpus-per-worker 0")
    named = "cuda" if gpus or device == "cuda" else device
    return Cluster(
        address, workers, 0.0 if device == "cpu" else 1.0 if named == "cuda" and gpus is None else gpus, named
    )


def _visible(devices: list[str]) -> int:
    """Let Ray see these GPUs and no other; returns how many there are."""
    from rerank_cli.inference.devices import gpu_obstacle, parsed

    found = [parsed(name) for name in devices]
    if any(device is None or device.kind != "cuda" for device in found) or len(set(found)) < len(found):
        raise WrongUsage(f"--device {','.join(devices)}: several devices are different GPUs", "as in cuda:0,cuda:1")
    numbers = []
    for device in found:
        assert device is not None
        if obstacle := gpu_obstacle(device):
            raise DeviceUnavailable(
                f"the device {device} is not available: {obstacle}", "rerank doctor shows what loads here"
            )
        numbers.append(device.index)
    seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(seen[number] if seen else str(number) for number in numbers)
    return len(numbers)


def workers_of(
    cluster: Cluster,
    make: Make,
    terminal: Terminal,
    *,
    name: Callable[[Any], str],
    open_cache: Callable[[Callable[[str], None]], Cache] | None = None,
) -> Workers:
    """The workers of a cluster, to be entered; see `Workers`."""
    from rerank_cli.cluster.workers import Workers

    for variable, value in _RAY.items():
        os.environ.setdefault(variable, value)
    return Workers(
        cluster.address,
        make,
        workers=cluster.workers,
        gpus_per_worker=cluster.gpus,
        cores=terminal.threads,
        open_cache=open_cache,
        name=name,
        note=terminal.note,
        say=Terminal._say,
    )


def begin_work(folder: str, note: Callable[[str], None]) -> None:
    """A worker begins: paths mean what they mean where the run is written, if the folder is here too, and what it says is heard there."""
    tell_nobody()
    with suppress(OSError):
        os.chdir(folder)
    sys.stderr = _Voice(sys.stderr, note)


def at_a_worker(settings: Settings) -> Settings:
    """The settings of where the run is written; HOME and the like are this machine's own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RERANK_")}
    return settings.elsewhere(own)


class _Voice:
    """stderr in a worker: our own lines are said where the run is written, others go to Ray's log."""

    def __init__(self, beside: TextIO, note: Callable[[str], None]) -> None:
        self._beside, self._note = beside, note

    def write(self, text: str) -> int:
        if text.startswith("rerank: "):
            self._note(text.removeprefix("rerank: ").rstrip("\n"))
            return len(text)
        return self._beside.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._beside, name)
