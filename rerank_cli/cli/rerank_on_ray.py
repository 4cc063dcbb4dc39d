"""`--ray` of `rerank rerank`, and several GPUs named by `--device`: each worker does what one process would do.

A worker is told what was typed and opens model and texts from it; blocks of whole queries go there, finished lists come
back. Texts are looked up where the work is, and travel only when the run is to carry them. A block is two of the
windows in which a model batches pairs by length, so that batches are those of one process; a run of few queries is cut
smaller, so that every worker has some.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from rerank_cli.cli.clusters import Cluster, at_a_worker, begin_work, workers_of
from rerank_cli.cli.reranking import Reranking
from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.cluster.workers import Place, Workers
    from rerank_cli.core.candidates import Candidates
    from rerank_cli.core.protocols import Cache
    from rerank_cli.pipeline import Reranked

#: Windows in a block: one is read while the other is scored.
_WINDOWS = 2
#: Blocks that each worker is to have at least, so that none works long while others are done.
_BLOCKS_EACH = 2


class _Block(NamedTuple):
    """Whole queries, and the time of day at which a strategy stops asking (None: never)."""

    candidates: list[Candidates]
    until: float | None


@dataclass(frozen=True)
class _Opening:
    """What a worker is told: all that was typed, the settings found here, and what the run said of itself."""

    typed: Mapping[str, Any]
    terminal: Terminal
    settings: Settings
    device: str
    header: dict[str, Any] | None
    carries_texts: bool

    def __call__(self, place: Place) -> tuple[Callable[[_Block], list[Reranked]], dict[str, Any]]:
        """Open model and texts in a worker; returns what answers, and what provenance says of it."""
        begin_work(str(self.settings.working_directory), place.note)
        typed = {**self.typed, "device": self.device if place.gpus else "cpu"}
        settings = at_a_worker(self.settings)
        terminal = replace(self.terminal, threads=place.cores, progress_style="none")
        cache = place.cache
        keep_in = None if cache is None else lambda: nullcontext(cache)
        work = Reranking(typed, settings, terminal, keep_in, ExitStack())
        work.find_texts(self.header, self.carries_texts)
        return partial(_answered, work, typed["output_format"].value == "jsonl"), work.facts


def _answered(work: Reranking, with_texts: bool, block: _Block) -> list[Reranked]:
    """A block's lists; each with its own documents' texts, or with none where nobody writes them."""
    left = None if block.until is None else max(0.0, block.until - time.time())
    found = []
    for one in work.answers(block.candidates, left):
        docids = one.ranking.docids.tolist() if with_texts else []
        own = {docid: one.documents[docid] for docid in docids if docid in one.documents}
        found.append(replace(one, documents=own))
    return found


class OnRay:
    """A run reranked by workers."""

    def __init__(self, workers: Workers, typed: Mapping[str, Any], queries: int | None) -> None:
        self._workers, self._typed, self._queries = workers, typed, queries

    @property
    def facts(self) -> dict[str, Any]:
        """What provenance says of the work; the same of every worker."""
        return dict(self._workers.told)

    def answers(self, candidates: Iterable[Candidates]) -> Generator[Reranked]:
        """See `Reranking.answers`."""
        for block in self._workers.answers(self._blocks(candidates)):
            yield from block

    def _blocks(self, candidates: Iterable[Candidates]) -> Iterator[_Block]:
        from rerank_cli.pipeline.questions import Options, gathered

        until = None
        windows = gathered(candidates, Options(self._typed["depth"]))
        while some := [one for window in islice(windows, _WINDOWS) for one in window]:
            if until is None and self._typed["deadline"] is not None:
                until = time.time() + self._typed["deadline"]
            size = in_equal_parts(len(some), self._queries, self._workers.share.workers)
            for start in range(0, len(some), size):
                yield _Block(some[start : start + size], until)


def in_equal_parts(queries: int, of: int | None, workers: int) -> int:
    """How many of some `queries` go into a block, when there are `of` in all (None: nobody knows) for so many workers."""
    if of is None:
        return queries
    most = max(1, of // (_BLOCKS_EACH * workers))
    parts = math.ceil(queries / most)
    return math.ceil(queries / parts)


def _name(block: _Block) -> str:
    from rerank_cli.core.ids import shown

    qids = [shown(one.ranking.qid) for one in block.candidates]
    return f"query {qids[0]}" if len(qids) == 1 else f"the {len(qids)} queries from {qids[0]} to {qids[-1]}"


def _warning(open_cache: Callable[[Callable[[str], None]], Cache], say: Callable[[str], None]) -> Cache:
    return open_cache(lambda text: say(f"warning: {text}"))


@contextmanager
def opened_on_ray(
    cluster: Cluster,
    typed: Mapping[str, Any],
    settings: Settings,
    terminal: Terminal,
    open_cache: Callable[[Callable[[str], None]], Cache] | None,
    header: dict[str, Any] | None,
    carries_texts: bool,
    queries: int | None,
) -> Iterator[OnRay]:
    """The workers of a cluster, begun, for a run of so many `queries` (None: nobody knows); raises what `Workers` raises, and what opening raised in a worker."""
    told = {name: value for name, value in typed.items() if name != "terminal"}
    opening = _Opening(told, terminal, settings.for_elsewhere(), cluster.device, header, carries_texts)
    kept = open_cache and partial(_warning, open_cache)
    with workers_of(cluster, opening, terminal, name=_name, open_cache=kept) as workers:
        yield OnRay(workers, typed, queries)
