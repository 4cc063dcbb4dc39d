"""From what the user typed after -m to a loaded model, exporting it on the way when it must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.core.protocols import Pair
    from rerank_cli.methods import LoadedScorer
    from rerank_cli.methods.checkpoint import Checkpoint

#: Documents of a topic on which precisions are compared.
_LIST = 20


def open_scorer(
    model: Setting,
    settings: Settings,
    terminal: Terminal,
    *,
    method: str | None = None,
    engine: str = "auto",
    device: str = "auto",
    provider: str = "auto",
    precision: str | None = None,
    max_length: int | None = None,
    batch_tokens: int | None = None,
    trust_remote_code: bool = False,
) -> LoadedScorer:
    """Load the model of a setting as a `Scorer`; says on stderr which, and on what it runs."""
    from functools import partial

    from rerank_cli.methods import catalog

    checkpoint = catalog.find(model.value or "", method=method)
    opened = partial(
        _opened,
        checkpoint,
        settings,
        terminal,
        engine=engine,
        device=device,
        provider=provider,
        fetching={"offline": terminal.offline, "trust_remote_code": trust_remote_code, "note": terminal.note},
        running={"threads": terminal.threads, "max_length": max_length, "batch_tokens": batch_tokens},
    )
    if precision == "fast":
        precision = _quickest(opened, settings, terminal)
    scorer = opened(precision)
    terminal.note(f"{scorer.description!s} ({model.origin})")
    return scorer


def _opened(
    checkpoint: Checkpoint,
    settings: Settings,
    terminal: Terminal,
    precision: str | None,
    *,
    engine: str,
    device: str,
    provider: str,
    fetching: dict[str, Any],
    running: dict[str, Any],
) -> LoadedScorer:
    """Open a checkpoint in one precision: PyTorch for what ONNX Runtime's provider does not compute, else a graph."""
    from rerank_cli import export, methods
    from rerank_cli.export.reduced import ensure_reduced
    from rerank_cli.inference.devices import onnx_provider
    from rerank_cli.methods.exported import RECORD, read_record

    folder = checkpoint.folder
    own = read_record(folder).precision if folder and (folder / RECORD).is_file() else "fp32"
    precision = precision or own
    on_cpu = onnx_provider(provider, device, lambda _: None)[0] == "cpu" if engine != "torch" else False
    by_torch = engine == "torch" or precision == "bf16" or (precision == "fp16" and on_cpu)
    if by_torch and precision == "int8":
        raise WrongUsage("--precision int8 is for the graph: --engine torch does not compute in it")
    if by_torch and (engine == "onnx" or provider != "auto"):
        asked = f"--provider {provider}" if provider != "auto" else "--engine onnx"
        raise WrongUsage(f"{asked}: ONNX Runtime does not compute {checkpoint.name} in {precision} here")
    if by_torch:
        return methods.load_torch(
            checkpoint, cache_dir=settings.cache_dir, precision=precision, device=device, **fetching, **running
        )
    folder = export.ensure_exported(checkpoint, settings.cache_dir, max_length=running["max_length"], **fetching)
    if precision != own:
        if own != "fp32":
            raise WrongUsage(f"{checkpoint.name} is a graph in {own}, and --precision {precision} was asked for")
        folder = ensure_reduced(
            folder,
            precision,
            settings.cache_dir,
            lists=lambda: real_lists(settings, terminal),
            threads=terminal.threads,
            note=terminal.note,
        )
    return methods.load(folder, provider=provider, device=device, note=terminal.note, name=checkpoint.name, **running)


def _quickest(opened: Callable[[str], LoadedScorer], settings: Settings, terminal: Terminal) -> str:
    """What `--precision fast` means for this model here; said on stderr."""
    from rerank_cli.export.fastest import quickest
    from rerank_cli.inference.devices import gpu_count

    if gpu_count():
        raise WrongUsage("--precision fast is measured on processors only", "on a GPU, name fp16 or bf16")
    exact = opened("fp32").description
    told = f"{exact.model_hash} {exact.template} {exact.max_length} {exact.engine} {terminal.threads}"
    choice = quickest(told, opened, lambda: real_lists(settings, terminal), settings.cache_dir, note=terminal.note)
    terminal.note(str(choice))
    return choice.precision


def real_lists(settings: Settings, terminal: Terminal) -> list[list[Pair]]:
    """Real pairs to compare precisions on: every topic of the demo collection with its judged documents and others, 20 each."""
    from rerank_cli.collection import DEMO, Overrides, open_collection
    from rerank_cli.core.protocols import Pair
    from rerank_cli.core.texts import rendered

    demo = open_collection(
        DEMO, Overrides(), registered={}, cache_dir=settings.cache_dir, note=lambda _: None, offline=True
    )
    judged = demo.qrels().by_query
    texts = {document.docid: rendered(document, demo.doc_template) for document in demo.documents()}
    lists = []
    for number, (qid, query) in enumerate(demo.topics().items()):
        others = list(texts)[number * 4 :] + list(texts)
        docids = list(dict.fromkeys([*judged.get(qid, {}), *others]))[:_LIST]
        lists.append([Pair(query, texts[docid]) for docid in docids])
    return lists


def facts_of(scorer: LoadedScorer) -> dict[str, Any]:
    """What provenance says of a model."""
    import dataclasses

    facts = dataclasses.asdict(scorer.description)
    return {"model": facts.pop("name"), **facts}
