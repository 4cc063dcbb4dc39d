"""A stream of blocks answered by many processes, in order, whatever becomes of the processes.

Ray Core's actors, and not Ray Data: what is worked on is a stream that comes through stdin. It has no length, lies in no
file that all nodes see, and an answer must go on as soon as it and all before it are there. What is asked of an engine
is to start processes with cores and GPUs somewhere, to carry calls to them and to tell when one is gone; placement,
waiting for room and the transport of what is large are Ray's.

A worker has at most two blocks, one that it works on and one that waits for it, so that it never waits for us. Beyond
these, input is read only as far as answers may be kept until those before them come: memory is bounded whatever the
length of the run, here and at the workers.

A worker that is gone is replaced by a new actor, not by Ray's restart of the old one: two lives of one actor have one
name, and a call that failed would not tell which of them it had met. Ray gives the new one room where there is
some, or when there is some. The first of the blocks that the dead worker had is the one it died on, or now and then the
one before, when its answer was still on its way; all are put again, and one on which three died while their nodes lived is
named instead of put a fourth time. So is one that was given back with an error three times; what is wrong with the input
(no text, a line that cannot be read) ends the run at once.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

import rerank_cli
from rerank_cli.cluster.blocks import END, Course, Event, Hired, read
from rerank_cli.cluster.connection import connected
from rerank_cli.cluster.room import Share, shared
from rerank_cli.cluster.store import RemoteCache, remote_cache
from rerank_cli.cluster.worker import Make, Place, Worker
from rerank_cli.core.protocols import Cache
from rerank_cli.errors import RerankError, WorkFailed, first_line

__all__ = ["Make", "Place", "Workers"]

#: Blocks of a worker: one that is worked on, one that waits. And how many a worker are read before the first is handed over.
_UNDER_WAY, _HELD = 2, 4
#: Workers that a block, or a beginning, may cost.
_TRIES = 3
#: Seconds without any worker after which it is said.
_PATIENCE = 10.0
#: Numbers of calls that are no block's.
_WHERE, _OPEN = -2, -3


class Workers:
    """Processes of a Ray cluster that answer blocks; open as a context, which waits for the first of them.

    `address` is `local`, `auto` or HOST:PORT; `make` (picklable) is called in each worker. `workers` and `gpus_per_worker`
    are shared out as `room.shared` says; `cores` are those of this machine that `local` takes. `open_cache` (picklable)
    opens the one cache of the run, on this machine. `name` tells of a block in a message; `note` hears of what
    happens here, `say` what workers have to say, each line once.

    Raises `Missing` without Ray, `DeviceUnavailable` or `WorkFailed` when no node has room for a worker, and what
    `make` raises in the first of them.
    """

    def __init__(
        self,
        address: str,
        make: Make,
        *,
        workers: int | None = None,
        gpus_per_worker: float | None = None,
        cores: int = 1,
        open_cache: Callable[[Callable[[str], None]], Cache] | None = None,
        name: Callable[[Any], str] = repr,
        note: Callable[[str], None],
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._address, self._make, self._open_cache = address, make, open_cache
        self._wanted, self._gpus, self._cores = workers, gpus_per_worker, cores
        self._name, self._note, self._say = name, note, say or note
        self._opened = ExitStack()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._staff: list[Hired] = []
        self._stillborn: list[str] = []
        self._heard: set[str] = set()
        self._said_alone = False
        self._cache: RemoteCache | None = None
        self._ray: Any = None
        #: What the workers told of themselves; of the first when the context is entered.
        self.told: Any = None
        self.share = Share(0, 0, 0.0)

    def __enter__(self) -> Workers:
        try:
            self._ray = self._opened.enter_context(connected(self._address, max(self._cores, self._wanted or 1)))
            self._begin()
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def answers(self, blocks: Iterable[Any]) -> Generator[Any]:
        """The answer to each block, in the blocks' order, as soon as it and all before it are there; once a `Workers`.

        `blocks` is read on a thread, so that an answer does not wait for the next block. Raises what a worker's answer
        raised, `WorkFailed` for a block that no worker survives or that cannot be computed. Close it to stop: blocks under way are not waited for.
        """
        run = Course()
        room = threading.Semaphore(_HELD * self.share.workers)
        left = threading.Event()
        threading.Thread(target=read, args=(blocks, self._events, room, left), name="blocks", daemon=True).start()
        try:
            while True:
                self._hand_out(run)
                while run.given in run.done:
                    yield run.done.pop(run.given)
                    run.given += 1
                    room.release()
                if run.given == run.total:
                    return
                hired, number, what = self._next_event(waiting=bool(run.blocks))
                if hired is not None:
                    self._heard_of(hired, number, what, run)
                elif isinstance(what, BaseException):
                    raise what
                elif number == END:
                    run.total = what
                else:
                    run.blocks[number] = what
                    run.waiting.append(number)
        finally:
            left.set()
            room.release()

    def _begin(self) -> None:
        """Share out the cluster, hire, and wait for the first worker that has opened."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        self.share = shared(nodes, self._wanted, self._gpus)
        self._cache = None if self._open_cache is None else remote_cache(self._ray, self._open_cache)
        gpus = f", {self.share.gpus:g} GPU" if self.share.gpus else ""
        self._note(
            f"Ray {self._address}: {self.share.workers} workers, each with {self.share.cores} cores{gpus}, on {len(nodes)} nodes"
        )
        for _ in range(self.share.workers):
            self._hire()
        while not any(hired.opened for hired in self._staff):
            hired, number, what = self._next_event(waiting=True)
            assert hired is not None
            self._heard_of(hired, number, what, Course())

    def _hire(self) -> None:
        from ray import cloudpickle

        options = {"num_cpus": self.share.cores, "num_gpus": self.share.gpus}
        actor = (
            self._ray.remote(Worker)
            .options(**options)
            .remote(rerank_cli.__version__, cloudpickle.dumps(self._make), *self.share[1:], self._cache)
        )
        hired = Hired(actor)
        self._staff.append(hired)
        self._call(hired, _WHERE, actor.where)
        self._call(hired, _OPEN, actor.open)

    def _call(self, hired: Hired, number: int, method: Any, *arguments: Any) -> Future[Any]:
        future: Future[Any] = method.remote(*arguments).future()
        future.add_done_callback(lambda done: self._events.put((hired, number, done)))
        return future

    def _next_event(self, *, waiting: bool) -> Event:
        """What happens next; says it, once, when there is work and no worker has found room for a while."""
        while True:
            alone = waiting and not self._said_alone and not any(hired.node for hired in self._staff)
            try:
                return self._events.get(timeout=_PATIENCE if alone else None)
            except queue.Empty:
                self._said_alone = True
                gpus = f" and {self.share.gpus:g} GPU" if self.share.gpus else ""
                self._note(f"waiting for the cluster to have room for a worker with {self.share.cores} cores{gpus}")

    def _heard_of(self, hired: Hired, number: int, done: Future[Any], run: Course) -> None:
        """A call of a worker has ended: a place, a beginning, an answer, an error, or the worker's end."""
        from ray.exceptions import RayTaskError

        if hired not in self._staff:
            return
        error = done.exception()
        if isinstance(error, RayTaskError):
            self._failed(hired, number, self._cause(error, hired), run)
        elif error is not None:
            self._lost(hired, run)
        elif number == _WHERE:
            hired.node = done.result()
        elif number == _OPEN:
            told, notes = done.result()
            self._speak(notes)
            if self.told is not None and told != self.told:
                raise WorkFailed(f"the workers do not have the same: one has {self.told}, another {told}")
            self.told, hired.opened = told, True
            self._stillborn.clear()
        else:
            self._take(hired, number, run)

    def _take(self, hired: Hired, number: int, run: Course) -> None:
        answer, notes = hired.has.pop(number).result()
        self._speak(notes)
        run.done[number] = answer
        del run.blocks[number]

    def _speak(self, notes: Iterable[str]) -> None:
        for text in dict.fromkeys(notes):
            if text not in self._heard:
                self._heard.add(text)
                self._say(text)

    def _hand_out(self, run: Course) -> None:
        """Give the blocks that wait to the workers that have least, in the blocks' order."""
        while run.waiting:
            free = [hired for hired in self._staff if hired.opened and len(hired.has) < _UNDER_WAY]
            if not free:
                return
            hired = min(free, key=lambda one: len(one.has))
            number = run.waiting.popleft()
            hired.has[number] = self._call(hired, number, hired.actor.answer, run.blocks[number])

    def _failed(self, hired: Hired, number: int, cause: BaseException, run: Course) -> None:
        """Put a block again that could not be computed, it may have been the node's fault; raises what was raised, for the third time with the block's name."""
        if number not in hired.has or (isinstance(cause, RerankError) and not isinstance(cause, WorkFailed)):
            raise cause
        del hired.has[number]
        why = first_line(cause)
        run.failures[number] += 1
        if run.failures[number] == _TRIES:
            raise WorkFailed(
                f"{self._name(run.blocks[number])} failed {_TRIES} times: {why}",
                getattr(cause, "hint", "") or "what was answered before is kept; --debug shows where it failed",
            ) from cause
        self._note(f"a worker failed; put again: {self._name(run.blocks[number])}: {why}")
        run.waiting.appendleft(number)

    def _lost(self, hired: Hired, run: Course) -> None:
        """Another worker in the place of one that is gone or out of reach, and its blocks put again."""
        self._staff.remove(hired)
        self._ray.kill(hired.actor)
        for number in [n for n, future in hired.has.items() if future.done() and future.exception() is None]:
            self._take(hired, number, run)
        again = list(hired.has)
        run.waiting.extendleft(reversed(again))
        if again:
            self._note(f"a worker is gone; put again: {', '.join(self._name(run.blocks[number]) for number in again)}")
            self._blame(again[0], hired.node, run)
        elif not hired.opened:
            self._stillborn.append(hired.node)
            # One whose node was not known yet may have been sent to a node that was gone: that happens many times at once.
            if self._died_on_living(self._stillborn) >= _TRIES or len(self._stillborn) >= 10 * _TRIES:
                trouble = f"{len(self._stillborn)} workers in a row died before they had begun"
                if not any(other.opened for other in self._staff):
                    raise WorkFailed(trouble, "is there memory for what each loads? --workers says how many there are")
                self._note(f"{trouble}: going on with {len(self._staff)}")
                return
        self._hire()

    def _blame(self, number: int, node: str, run: Course) -> None:
        """A worker died on this block; raises `WorkFailed` for the third whose node lives."""
        run.deaths[number].append(node)
        died = self._died_on_living(run.deaths[number])
        if died >= _TRIES:
            raise WorkFailed(
                f"{died} workers died, one after the other, on {self._name(run.blocks[number])}",
                "what was answered before is kept: leave that out, or give a worker more memory, and run again",
            )

    def _died_on_living(self, places: Iterable[str]) -> int:
        """How many of the workers that died at these places did so while their nodes lived."""
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        return sum(place in alive for place in places)

    def _cause(self, error: Any, hired: Hired) -> BaseException:
        """What was raised in a worker, as itself."""
        cause: BaseException = error.cause if isinstance(getattr(error, "cause", None), BaseException) else error
        if isinstance(cause, RerankError) or hired.opened:
            return cause
        return WorkFailed(
            f"a worker could not begin: {str(cause).strip().splitlines()[-1]}",
            f"every node needs rerank-cli {rerank_cli.__version__} in the same Python as here",
        )
