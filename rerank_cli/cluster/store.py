"""One cache for all workers: an actor beside whoever started the run holds it, and the others ask there.

What a worker paid for is kept on the machine where the run is written before the worker goes on, so that a worker, a node
or this program may end at any moment and the next run pays only for what was under way. Should the actor itself
die, Ray begins it anew and repeats the calls: asking twice and keeping twice change nothing.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rerank_cli.core.protocols import Cache


class _Keeper:
    """The process that holds the cache."""

    def __init__(self, packed: bytes) -> None:
        self._said: list[str] = []
        self._cache: Cache = pickle.loads(packed)(self._said.append)

    def get(self, keys: Sequence[bytes]) -> tuple[list[bytes | None], list[str]]:
        return self._cache.get(keys), self._said

    def put(self, items: list[tuple[bytes, bytes]]) -> list[str]:
        self._cache.put(items)
        return self._said


class RemoteCache:
    """A `core.protocols.Cache` that asks the keeper; picklable. `note` hears what the cache itself has to say."""

    def __init__(self, keeper: Any) -> None:
        self._keeper = keeper
        self.note: Callable[[str], None] = _unheard

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Cache.get`; one question to the keeper."""
        if not keys:
            return []
        values, said = self._waited(self._keeper.get.remote(list(keys)))
        self._pass_on(said)
        return list(values)

    def put(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """See `Cache.put`; returns when the keeper has them."""
        if rows := list(items):
            self._pass_on(self._waited(self._keeper.put.remote(rows)))

    def _waited(self, reference: Any) -> Any:
        import ray

        return ray.get(reference)

    def _pass_on(self, said: Iterable[str]) -> None:
        for text in said:
            self.note(text)


def _unheard(text: str) -> None:
    """Before a worker has a voice nothing is asked of the cache."""


def remote_cache(ray: Any, open_cache: Callable[[Callable[[str], None]], Cache]) -> RemoteCache:
    """The cache that `open_cache` opens, held by an actor on this machine's node that needs no core of its own."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(_Keeper).options(
        num_cpus=0, num_gpus=0, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1
    )
    return RemoteCache(actor.remote(pickle.dumps(open_cache)))
