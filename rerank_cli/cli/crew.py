"""`--ray` of `rerank retrieve` and `rerank index`: the workers of a cluster as what the built-in `map` is.

The workers are begun once for a command and do what comes: they count documents for an index, encode them, search. What
is to be done travels with each block, as bytes that a worker unpacks when they are others than before; so an index and a
model are opened once in each worker, by what the user typed here.
"""

from __future__ import annotations

import pickle
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.clusters import Cluster, at_a_worker, begin_work, cluster_of, workers_of
from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.cluster.workers import Place, Workers
    from rerank_cli.methods.pointwise import Description
    from rerank_cli.methods.vectors import TextModel

#: A block of no work, behind the last one of each work; its answer says that all of them are answered.
_LAST = None
#: How a model is opened: by settings and a terminal.
Opening = Callable[[Settings, Terminal], "TextModel"]


class Crew:
    """The workers, opened; `cores` and `device` are what each has."""

    def __init__(self, workers: Workers, device: str, settings: Settings, terminal: Terminal) -> None:
        self._coming: queue.SimpleQueue[Iterable[Any] | None] = queue.SimpleQueue()
        self._answers = workers.answers(chain.from_iterable(iter(self._coming.get, None)))
        self.cores, self.device = workers.share.cores, device if workers.share.gpus else "cpu"
        self._with = settings.for_elsewhere(), replace(terminal, threads=self.cores, progress_style="none")

    def over(self, work: Callable[[Any], Any], blocks: Iterable[Any], /) -> Iterator[Any]:
        """See `retrieval.sharing.Over`; one at a time."""
        try:
            packed = pickle.dumps(work)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise WrongUsage(f"this first stage cannot go to other processes: {error}", "leave --ray out") from error
        self._coming.put(chain(((packed, block) for block in blocks), [(b"", _LAST)]))
        for answer in self._answers:
            if answer is _LAST:
                return
            yield answer

    def model(self, opening: Opening) -> ModelElsewhere:
        """What `opening` opens, in each worker that is to ask it."""
        return ModelElsewhere(pickle.dumps((opening, *self._with)), self)

    def close(self) -> None:
        """Nothing more comes."""
        self._coming.put(None)
        self._answers.close()


class ModelElsewhere:
    """A model that the workers open: described here, asked there. Pickled as how it is opened."""

    def __init__(self, packed: bytes, crew: Crew) -> None:
        self._packed = packed
        self.description: Description
        (self.description,) = crew.over(partial(_description, self), [0])

    def __reduce__(self) -> tuple[Any, ...]:
        return _model, (self._packed,)


@lru_cache
def _model(packed: bytes) -> TextModel:
    """The model of this process; one whatever it is asked for."""
    opening, settings, terminal = pickle.loads(packed)
    opened: TextModel = opening(at_a_worker(settings), terminal)
    return opened


def _description(model: TextModel | ModelElsewhere, _: int) -> Description:
    return model.description


class _Desk:
    """What answers in a worker."""

    def __init__(self) -> None:
        self._packed = b""
        self._work: Callable[[Any], Any] = repr

    def __call__(self, asked: tuple[bytes, Any]) -> Any:
        packed, block = asked
        if block is _LAST:
            return _LAST
        if packed != self._packed:
            self._work = pickle.loads(packed)
            self._packed = packed
        return self._work(block)


def _desk(folder: str, place: Place) -> tuple[_Desk, None]:
    """A worker's beginning."""
    begin_work(folder, place.note)
    return _Desk(), None


def _name(asked: tuple[bytes, Any]) -> str:
    """Which block it is, in a message."""
    from rerank_cli.core.ids import shown
    from rerank_cli.retrieval.sharing import Batch

    block = asked[1]
    if isinstance(block, Batch):
        return f"documents {block.first_document + 1} to {block.first_document + len(block.texts)}"
    if isinstance(block, (list, tuple)):
        return f"topics {shown(block[0].qid)} to {shown(block[-1].qid)}"
    return "a model's opening"


def cluster_for(typed: Mapping[str, Any], models: bool, settings: Settings) -> Cluster | None:
    """See `cluster_of`; where there are no `models`, a device says nothing, and a worker has a GPU only if that was typed."""
    if models:
        return cluster_of(typed, settings)
    cluster = cluster_of({**typed, "device": "auto"}, settings)
    return cluster and cluster._replace(gpus=cluster.gpus or 0.0)


@contextmanager
def crew_of(cluster: Cluster, settings: Settings, terminal: Terminal) -> Iterator[Crew]:
    """The crew on a cluster; raises what `Workers` raises."""
    with workers_of(cluster, partial(_desk, str(settings.working_directory)), terminal, name=_name) as workers:
        crew = Crew(workers, cluster.device, settings, terminal)
        try:
            yield crew
        finally:
            crew.close()
