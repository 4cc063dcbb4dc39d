"""How a cluster's cores and GPUs are shared among workers: plain arithmetic over its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rerank_cli.errors import DeviceUnavailable, WorkFailed

#: Workers that leave more of the cores than this unused are made smaller.
_UNUSED = 0.1


class Share(NamedTuple):
    """How many workers there are, and what each of them has."""

    workers: int
    cores: int
    gpus: float


def shared(nodes: Sequence[Mapping[str, float]], workers: int | None, gpus: float | None) -> Share:
    """What each worker gets of `nodes`, whose resources Ray names CPU and GPU.

    `gpus` each, None: one where any node has some. `workers` None: one for each such part of the GPUs, and without GPUs as
    few and as large ones as use nine tenths of the cores. A worker has as many cores as leave room for all of them, and
    at least one; where there is no room for all, the others wait. Raises `DeviceUnavailable` when no node has the GPUs,
    `WorkFailed` when none has a core.
    """
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0.0
    cores = [int(node.get("CPU", 0)) for node in nodes]
    most = [int(node.get("GPU", 0) / gpus + 1e-9) if gpus else count for node, count in zip(nodes, cores)]
    if gpus and not any(most):
        largest = max((node.get("GPU", 0) for node in nodes), default=0)
        raise DeviceUnavailable(
            f"no node of the cluster has {gpus:g} GPU for a worker: the most that one of the {len(nodes)} has is {largest:g}",
            "--gpus-per-worker says how many a worker takes, 0 none",
        )
    if not any(cores):
        raise WorkFailed(f"none of the {len(nodes)} nodes of the cluster has a core for a worker")

    def room(size: int) -> int:
        return sum(min(limit, count // size) for limit, count in zip(most, cores))

    sizes = range(max(cores), 0, -1)
    if workers is None and not gpus:
        size = next(size for size in sizes if room(size) * size >= (1 - _UNUSED) * sum(cores))
        return Share(room(size), size, gpus)
    wanted = workers or max(1, room(1))
    return Share(wanted, next((size for size in sizes if room(size) >= wanted), 1), gpus)
