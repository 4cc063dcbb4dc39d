"""Which device and ONNX Runtime provider a run takes, and why one that was asked for cannot be had.

onnxruntime lists CUDA and TensorRT whether or not their libraries are installed, prints red lines when
they are not, and goes on without them on the CPU. So each is tried here first, quietly: the driver, then the
provider's own library with all that it links to. What was asked for by name and cannot be had is an error.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rerank_cli.errors import DeviceUnavailable, WrongUsage

#: Name on the command line -> ONNX Runtime's name.
PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}

#: Batches at once on a GPU: one that it computes, and one that is made ready meanwhile.
ON_GPU = 2


@dataclass(frozen=True)
class Device:
    """A device: `kind` is cpu or cuda, `index` the GPU's number."""

    kind: str
    index: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"


def parsed(device: str) -> Device | None:
    """`cpu`, `cuda` or `cuda:N` as a Device, None for `auto`; raises `WrongUsage` for anything else."""
    kind, _, index = device.partition(":")
    if device == "auto":
        return None
    if kind == "cpu" and not index:
        return Device("cpu")
    if kind == "cuda" and (index.isdigit() or device == "cuda"):
        return Device("cuda", int(index or 0))
    raise WrongUsage(f"there is no device {device!r}", "the devices are auto, cpu, cuda and cuda:N")


def onnx_provider(provider: str, device: str, note: Callable[[str], None]) -> tuple[str, Device]:
    """The provider (a key of `PROVIDERS`) and device to use for what was asked.

    `auto` takes a GPU when there is one and CUDA really loads, and says why not when only the second fails.
    Raises `DeviceUnavailable` for a provider or device asked for by name, `WrongUsage` when they contradict.
    """
    asked = parsed(device)
    if provider not in ("auto", *PROVIDERS):
        raise WrongUsage(f"there is no provider {provider!r}", f"the providers are auto, {', '.join(PROVIDERS)}")
    if (provider == "cpu" and asked and asked.kind == "cuda") or (
        provider in ("cuda", "tensorrt") and asked and asked.kind == "cpu"
    ):
        raise WrongUsage(f"--provider {provider} does not run on --device {device}")
    if provider == "cpu" or (asked and asked.kind == "cpu"):
        return "cpu", Device("cpu")
    named = provider != "auto" or asked is not None
    gpu = asked or Device("cuda")
    wanted = "cuda" if provider == "auto" else provider
    obstacle = gpu_obstacle(gpu) or provider_obstacle(wanted)
    if obstacle is None:
        return wanted, gpu
    if named:
        what = f"provider {wanted}" if provider != "auto" else f"device {device}"
        raise DeviceUnavailable(f"the {what} is not available: {obstacle}", "rerank doctor shows what loads here")
    if gpu_obstacle(gpu) is None:
        note(f"scoring on the CPU although there is a GPU: {obstacle}")
    return "cpu", Device("cpu")


def gpu_obstacle(device: Device) -> str | None:
    """Why this NVIDIA GPU cannot be used, from the driver alone; None when it can."""
    count = gpu_count()
    if count == 0:
        return "there is no NVIDIA GPU or no driver"
    return None if device.index < count else f"there {'is' if count == 1 else 'are'} {count} GPU, numbered from 0"


def gpu_count() -> int:
    """The number of NVIDIA GPUs that the driver shows to this process; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def gpu_name(device: Device) -> str:
    """What the driver calls this GPU; "GPU" where it does not tell."""
    name = ctypes.create_string_buffer(100)
    try:
        told = ctypes.CDLL("libcuda.so.1").cuDeviceGetName(name, len(name), device.index) == 0
    except OSError:
        told = False
    return name.value.decode("ascii", "replace") if told else "GPU"


def provider_obstacle(provider: str) -> str | None:
    """Why this provider does not load here (the missing library); None when it loads."""
    import onnxruntime

    if PROVIDERS[provider] not in onnxruntime.get_available_providers():
        return f"this onnxruntime ({onnxruntime.__version__}) was built without {PROVIDERS[provider]}"
    if provider == "cpu":
        return None
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
        onnxruntime.preload_dlls()
    try:
        _library(provider)
    except OSError as error:
        return str(error)
    return None


def tensorrt_version() -> str:
    """The version of the TensorRT that ONNX Runtime links to, as one number; only where `provider_obstacle` finds none."""
    return str(_library("tensorrt").getInferLibVersion())


def _library(provider: str) -> ctypes.CDLL:
    """ONNX Runtime's library of a provider, with all that it links to; raises `OSError` for what is not there."""
    import onnxruntime

    capi = Path(onnxruntime.__file__).parent / "capi"
    ctypes.CDLL(str(capi / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(capi / f"libonnxruntime_providers_{provider}.so"))
