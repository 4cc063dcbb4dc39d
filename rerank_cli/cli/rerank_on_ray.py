"""`--ray` of `rerank rerank`, and several GPUs named by `--device`: each worker does what one process would do.

A worker is told what was typed and opens model and texts from it; blocks of whole queries go there, finished lists come
back. Texts are looked up where the work is, and travel only when the run is to carry them. A block is two of the
windows in which a model batches pairs by length, so that batches are those of one process.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from rerank_cli.cli import ray_options
from rerank_cli.cli.reranking import Reranking
from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import DeviceUnavailable, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.cluster.workers import Place, Workers
    from rerank_cli.core.candidates import Candidates
    from rerank_cli.core.protocols import Cache
    from rerank_cli.pipeline import Reranked

#: Windows in a block: one is read while the other is scored.
_WINDOWS = 2
#: What this program wants of Ray, unless the user wants something else.
RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


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
            "--ray does not go together with --endpoint: servers are asked from here",
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
        # Paths mean what they mean here, where the folder is there too.
        with suppress(OSError):
            os.chdir(self.settings.working_directory)
        sys.stderr = Voice(sys.stderr, place.note)
        typed = {**self.typed, "device": self.device if place.gpus else "cpu"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RERANK_")}
        settings = self.settings.elsewhere(environment)
        terminal = replace(self.terminal, threads=place.cores, progress_style="none")
        cache = place.cache
        keep_in = None if cache is None else lambda: nullcontext(cache)
        work = Reranking(typed, settings, terminal, keep_in, ExitStack())
        work.find_texts(self.header, self.carries_texts)
        return partial(_answered, work, typed["output_format"].value == "jsonl"), work.facts


class Voice:
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

    def __init__(self, workers: Workers, typed: Mapping[str, Any]) -> None:
        self._workers, self._typed = workers, typed

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
        while some := list(islice(windows, _WINDOWS)):
            if until is None and self._typed["deadline"] is not None:
                until = time.time() + self._typed["deadline"]
            yield _Block([one for window in some for one in window], until)


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
) -> Iterator[OnRay]:
    """The workers of a cluster, begun; raises what `Workers` raises, and what opening raised in a worker."""
    from rerank_cli.cluster.workers import Workers

    for name, value in RAY.items():
        os.environ.setdefault(name, value)
    told = {name: value for name, value in typed.items() if name != "terminal"}
    with Workers(
        cluster.address,
        _Opening(told, terminal, settings.for_elsewhere(), cluster.device, header, carries_texts),
        workers=cluster.workers,
        gpus_per_worker=cluster.gpus,
        cores=terminal.threads,
        open_cache=open_cache and partial(_warning, open_cache),
        name=_name,
        note=terminal.note,
        say=Terminal._say,
    ) as workers:
        yield OnRay(workers, typed)
