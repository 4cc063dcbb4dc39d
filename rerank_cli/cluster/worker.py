"""What runs in each process of a cluster: something is loaded once, and answers blocks."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import rerank_cli
from rerank_cli.cluster.store import RemoteCache
from rerank_cli.core.protocols import Cache
from rerank_cli.errors import WorkFailed


class Place(NamedTuple):
    """What a worker is given: its processor `cores`, `note` to be said where the run is written, and the run's one `cache`."""

    cores: int
    gpus: float
    note: Callable[[str], None]
    cache: Cache | None


#: Called once in each worker; returns what answers a block, and what it tells of itself, which must be the same of all.
Make = Callable[[Place], tuple[Callable[[Any], Any], Any]]


class Worker:
    """One process of the cluster, as Ray runs it; unpacks nothing before it knows that its program is ours."""

    def __init__(self, version: str, packed: bytes, cores: int, gpus: float, cache: RemoteCache | None) -> None:
        self._version, self._packed, self._cache = version, packed, cache
        self._cores, self._gpus = cores, gpus
        self._said: list[str] = []
        self._answer: Callable[[Any], Any] | None = None

    def open(self) -> tuple[Any, list[str]]:
        """Load what answers; returns what it tells of itself, and its notes."""
        if self._version != rerank_cli.__version__:
            raise WorkFailed(
                f"a worker runs rerank {rerank_cli.__version__}, and this is {self._version}",
                "install the same version on every node",
            )
        make: Make = pickle.loads(self._packed)
        if self._cache is not None:
            self._cache.note = self._said.append
        self._answer, told = make(Place(self._cores, self._gpus, self._said.append, self._cache))
        return told, self._notes()

    def answer(self, block: Any) -> tuple[Any, list[str]]:
        """The answer to a block, and what was said meanwhile."""
        assert self._answer is not None
        return self._answer(block), self._notes()

    def where(self) -> str:
        """The node it is on."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def _notes(self) -> list[str]:
        notes = self._said[:]
        del self._said[: len(notes)]
        return notes
