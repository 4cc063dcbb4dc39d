"""Rerankers, one file each, and how one is loaded.

A file of this room that holds a `METHOD` is a reranker, and has its name; packages add theirs through the entry-point
group `rerank_cli.methods`. Besides `METHOD` it has

- `MODEL_CLASS`: the transformers class that reads the checkpoint: its name, or a function of config.json that
  returns it, `MAY_LACK`: parts of weights' names that it may do without, `FUSION`: the optimizer's name for its graph,
  or None, `PRECISIONS` (where not every one is safe): those it may be computed in;
- `record(source) -> Record`: what the checkpoint's files say about how it is asked (no torch);
- `graph(model, record, folder) -> torch.nn.Module`: token arrays in, scores or vectors out: what is exported and what PyTorch runs;
  arrays besides these it names in `more_inputs` (example, names of dynamic axes) and `more_outputs` (names of dynamic axes);
- `reference(model, record, folder, batch) -> Tensor`: the same answer as the checkpoint's authors compute it: the export's check;
- `scorer(record, tokenizer, backend, max_length, batch_tokens) -> Scorer`, or a `ListScorer` where `METHOD.asks` is "rate",
  a `Ranker` where it is "prefer", "pick" or "order"; all have `LoadedScorer`'s attributes;
- `ENGINES`: ("torch",) where the graph cannot be exported (it generates, or looks at attention) and only PyTorch runs it;
- `by_torch(model, record, tokenizer, **placed)`: what answers, instead of graph and scorer, where arrays in and numbers out
  are no fit; `Placed` says on what it runs and how much it reads.

A method that is asked in words, of a model that writes, has `asked` instead of, or besides, graph and record:

- `asked(checkpoint, writer, prompt, **how)`: a Ranker, ListScorer or Scorer over a `Writer` (`inference.writing`), which is a
  server or a local model; `prompt` is the user's own template or None, `how` a `words.worded.HowAsked`. It may have
  `keep_in(store)`: from then on the writer's completions are kept there.
"""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, cast

from rerank_cli.core.method import Method
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.core.protocols import Answers, Lengths, Pair, Scores
    from rerank_cli.inference.memory import Halves
    from rerank_cli.methods.checkpoint import Checkpoint
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import Description, LoadedBackend
    from rerank_cli.methods.source import Source
    from rerank_cli.methods.torch_model import ModelClass

ENTRY_POINTS = "rerank_cli.methods"
#: What a method may be computed in unless it says otherwise.
PRECISIONS = ("fp32", "fp16", "bf16", "int8")


class MethodModule(Protocol):
    """What a file with a `METHOD` holds; see this module's docstring."""

    METHOD: Method
    MODEL_CLASS: ModelClass
    MAY_LACK: tuple[str, ...]
    FUSION: str | None

    def record(self, source: Source) -> Record: ...
    def graph(self, model: Any, record: Record, folder: Path) -> Any: ...
    def reference(self, model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any: ...
    def scorer(
        self, record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
    ) -> LoadedScorer: ...


class Placed(TypedDict):
    """On what a method's `by_torch` runs its model, how much that reads, and who halves what memory refuses."""

    device: str
    threads: int
    max_length: int | None
    batch_tokens: int | None
    halves: Halves


class LoadedScorer(Protocol):
    """A `core.protocols.Scorer` that says what it is: `description` for headers, `checkpoint` for notes, its `tokenizer`.

    What a method that rates lists returns is a `core.protocols.ListScorer` too, and is asked so when it reranks.
    """

    checkpoint: str
    description: Description
    tokenizer: Any

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]: ...
    def score(self, pairs: Sequence[Pair]) -> Scores: ...
    def measure(self, pairs: Sequence[Pair]) -> Lengths: ...


@functools.cache
def methods() -> dict[str, MethodModule]:
    """Every reranker that is installed, by its literature name; imports no heavy package."""
    modules = [import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    modules += [point.load() for point in _entry_points()]
    return {module.METHOD.name: module for module in modules if hasattr(module, "METHOD")}


def method_named(name: str) -> MethodModule:
    """The module of the method `name`; raises `WrongUsage` listing the names."""
    if name.replace("-", "_") in {info.name for info in pkgutil.iter_modules(__path__)}:
        own: Any = import_module(f"{__name__}.{name.replace('-', '_')}")
        if hasattr(own, "METHOD"):
            return cast(MethodModule, own)
    try:
        return methods()[name]
    except KeyError:
        raise WrongUsage(f"there is no method {name!r}", f"the methods are {', '.join(sorted(methods()))}") from None


def permitted(module: MethodModule, precision: str, name: str) -> None:
    """Raise `WrongUsage` when the method must not be computed in `precision` (T5 overflows in fp16)."""
    safe = getattr(module, "PRECISIONS", PRECISIONS)
    if precision not in safe:
        raise WrongUsage(
            f"{name} is not computed in {precision}: a {module.METHOD.name} is safe in {', '.join(safe)} only"
        )


def engines_of(module: MethodModule) -> tuple[str, ...]:
    """What can compute a method: onnx and torch for a graph, torch alone, or words for one that is only asked in words."""
    if not hasattr(module, "graph") and not hasattr(module, "by_torch"):
        return ("words",)
    return tuple(getattr(module, "ENGINES", ("torch",) if hasattr(module, "by_torch") else ("onnx", "torch")))


def load(
    folder: Path,
    *,
    engine: str = "auto",
    device: str = "auto",
    provider: str = "auto",
    threads: int,
    max_length: int | None = None,
    batch_tokens: int | None = None,
    note: Callable[[str], None],
    name: str | None = None,
    cache_dir: Path | None = None,
    instruction: str | None = None,
    around: Callable[[Any], Any] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> LoadedScorer:
    """Open an exported folder with ONNX Runtime; imports neither torch nor transformers.

    `name` is what to call the model in headers (default: what it was called when exported), `instruction` what
    an instruction-aware model is told (default: what its checkpoint was trained with); `around` wraps the
    backend, for who watches it; `meanwhile` is called while the graph is being opened, which leaves the interpreter
    free. TensorRT's engines are kept in `cache_dir`, or beside the graph. Raises
    `DeviceUnavailable` for a device or provider asked for by name, `Missing` or `BadData` for a folder
    that is not whole, `WrongUsage` for `engine="torch"` (a graph has no PyTorch weights).
    """
    from concurrent.futures import ThreadPoolExecutor
    from dataclasses import replace

    # Here, for imports take turns: the graph is opened the sooner, beside all that comes after.
    import onnxruntime  # noqa: F401

    from rerank_cli.inference.memory import Halves
    from rerank_cli.inference.onnx import OnnxBackend
    from rerank_cli.inference.tokens import load_tokenizer
    from rerank_cli.methods.exported import GRAPH, TOKENIZER, instructed, read_record

    record = read_record(folder)
    record = instructed(replace(record, name=name or record.name), instruction)
    if engine == "torch":
        raise WrongUsage(
            f"{folder} holds an ONNX graph, which --engine torch cannot run",
            f"name the checkpoint it was made from ({record.source}), or leave --engine out",
        )
    module = method_named(record.method)
    engines = None if cache_dir is None else cache_dir / "tensorrt" / record.source_hash / record.precision
    fused = bool(record.report.get("fused"))
    placed: dict[str, Any] = {"provider": provider, "device": device, "threads": threads, "note": note}
    placed |= {"precision": record.precision, "longest": record.longest}
    halves = Halves(note)
    with ThreadPoolExecutor(1) as beside:
        opening = beside.submit(OnnxBackend, folder / GRAPH, engines=engines, fused=fused, **placed)
        tokenizer = load_tokenizer(folder / TOKENIZER)
        meanwhile()
        backend = _prepared(opening.result(), halves, around)
    scorer = module.scorer(record, tokenizer, backend, max_length, batch_tokens)
    scorer.tokenizer = tokenizer
    return _as_listed(scorer, record, halves)


def load_torch(
    checkpoint: Checkpoint,
    *,
    precision: str = "fp32",
    device: str = "auto",
    threads: int,
    max_length: int | None = None,
    batch_tokens: int | None = None,
    offline: bool = False,
    trust_remote_code: bool = False,
    cache_dir: Path | None = None,
    note: Callable[[str], None],
    instruction: str | None = None,
    around: Callable[[Any], Any] | None = None,
) -> LoadedScorer:
    """Open a checkpoint with PyTorch: the graph that would be exported, run as a module; needs the extra `torch`.

    In fp16 and bf16 the encoder computes in that precision and what makes the score in fp32.
    Raises `DeviceUnavailable` for a device asked for by name, `Missing` for a checkpoint that cannot be had,
    `WrongUsage` for a folder that holds only an exported graph.
    """
    from dataclasses import replace

    from rerank_cli.inference.memory import Halves
    from rerank_cli.inference.torch import TorchBackend, torch_device
    from rerank_cli.methods.exported import instructed
    from rerank_cli.methods.source import open_source
    from rerank_cli.methods.torch_model import load_model

    source = open_source(
        checkpoint, cache_dir=cache_dir, offline=offline, trust_remote_code=trust_remote_code, note=note
    )
    module = method_named(source.checkpoint.method)
    permitted(module, precision, source.checkpoint.name)
    record = replace(instructed(module.record(source), instruction), precision=precision)
    where = torch_device(device)
    if where.kind != "cpu" and precision in ("fp16", "bf16"):
        note(f"in {precision} on a GPU a score may move a little with the batch it is in")
    fused = where.kind == "cuda"
    model = load_model(source, module.MODEL_CLASS, may_lack=module.MAY_LACK, precision=precision, fused=fused)
    halves = Halves(note)
    if by_torch := getattr(module, "by_torch", None):
        placed = Placed(
            device=str(where), threads=threads, max_length=max_length, batch_tokens=batch_tokens, halves=halves
        )
        return _as_listed(by_torch(model, record, source.tokenizer, **placed), record, halves)
    graph = module.graph(model, record, source.folder)
    backend = TorchBackend(graph, longest=record.max_length, device=device, threads=threads)
    scorer = module.scorer(record, source.tokenizer, _prepared(backend, halves, around), max_length, batch_tokens)
    scorer.tokenizer = source.tokenizer
    return _as_listed(scorer, record, halves)


def _as_listed(scorer: Any, record: Record, halves: Halves) -> LoadedScorer:
    """The scorer with the ranking algorithm that its checkpoint's entry names, where it has one, and what memory refused."""
    scorer.halves = halves
    if record.strategy:
        scorer.strategy = record.strategy
    if record.settings:
        scorer.settings = {**scorer.settings, **record.settings}
    opened: LoadedScorer = scorer
    return opened


def _prepared(backend: Any, halves: Halves, around: Callable[[Any], Any] | None) -> LoadedBackend:
    """The backend as scorers get it: what is asked of it is done in halves where there is no memory for the whole."""
    backend.halves = halves
    prepared: LoadedBackend = around(backend) if around else backend
    return prepared


def _entry_points() -> Any:
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINTS)
