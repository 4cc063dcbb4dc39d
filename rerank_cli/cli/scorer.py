"""From what the user typed after -m to a loaded model, exporting it on the way when it must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import Missing, WrongUsage

if TYPE_CHECKING:
    from pathlib import Path

    from rerank_cli.core.protocols import Cache
    from rerank_cli.inference.cache import AnswerCache
    from rerank_cli.methods import LoadedScorer
    from rerank_cli.methods.checkpoint import Checkpoint

    #: Opens the answers that are kept, for who has a place for what they have to say.
    OpenCache = Callable[[Callable[[str], None]], AnswerCache]


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
    instruction: str | None = None,
    batch_tokens: int | None = None,
    trust_remote_code: bool = False,
    prompt: str | None = None,
    around: Callable[[Any], Any] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> LoadedScorer:
    """Load the model of a setting; says on stderr which, and on what it runs. `around` wraps its backend.

    `meanwhile` may be called while a graph is being opened (see `methods.load`).

    `prompt` is a prompt's name or file for a model that writes, a file with a template for any other.
    """
    from functools import partial

    from rerank_cli.cli.precisions import quickest_here
    from rerank_cli.cli.prompts import check_template, with_template
    from rerank_cli.methods import catalog

    checkpoint = catalog.find(model.value or "", method=method)
    words = _in_words(checkpoint, prompt)
    template = None if words or prompt is None else prompt
    checkpoint = with_template(checkpoint, template)
    opened = partial(
        _opened,
        checkpoint,
        settings,
        terminal,
        engine=engine,
        provider=provider,
        fetching={"offline": terminal.offline, "trust_remote_code": trust_remote_code, "note": terminal.note},
        prompt=prompt,
        running={
            "device": device,
            "threads": terminal.threads,
            "max_length": max_length,
            "instruction": instruction,
            "batch_tokens": batch_tokens,
            "around": around,
        },
        meanwhile=meanwhile,
    )
    if precision == "fast":
        precision = quickest_here(opened, settings, terminal)
    scorer = opened(precision)
    check_template(scorer, checkpoint, template)
    terminal.note(f"{scorer.description!s} ({model.origin})")
    return scorer


def _opened(
    checkpoint: Checkpoint,
    settings: Settings,
    terminal: Terminal,
    precision: str | None,
    *,
    engine: str,
    provider: str,
    prompt: str | None,
    fetching: dict[str, Any],
    running: dict[str, Any],
    meanwhile: Callable[[], None],
) -> LoadedScorer:
    """Open a checkpoint in one precision: as a model that writes, by PyTorch where ONNX Runtime cannot, else its graph."""
    from functools import partial

    from rerank_cli import export, methods
    from rerank_cli.cli.precisions import real_lists
    from rerank_cli.cli.providers import on_gpu
    from rerank_cli.core.build_once import opened
    from rerank_cli.export.reduced import ensure_reduced
    from rerank_cli.inference.devices import onnx_provider
    from rerank_cli.methods.exported import RECORD, read_record
    from rerank_cli.methods.source import open_source

    if not checkpoint.source:
        raise Missing(
            f"{checkpoint.name} is a prompt, and no checkpoint goes with it",
            f"name a server with --endpoint URL, or a model: -m FOLDER --method {checkpoint.method} --prompt {checkpoint.prompt}",
        )
    if not checkpoint.method and checkpoint.folder is None:
        # What its files say decides what computes it.
        checkpoint = open_source(checkpoint, cache_dir=settings.cache_dir, **fetching).checkpoint
    module = methods.method_named(checkpoint.method) if checkpoint.method else None
    engines = methods.engines_of(module) if module else ("onnx", "torch")
    if _in_words(checkpoint, prompt):
        if engine == "onnx" or provider != "auto":
            raise WrongUsage(
                f"{checkpoint.name} writes its answers, which only PyTorch does here", "leave --engine out"
            )
        return _writing(module, checkpoint, settings, precision, prompt, fetching, running)
    folder = checkpoint.folder
    own = read_record(folder).precision if folder and (folder / RECORD).is_file() else "fp32"
    precision = precision or own
    on_cpu = onnx_provider(provider, running["device"], lambda _: None)[0] == "cpu" if engine != "torch" else False
    by_torch = engine == "torch" or "onnx" not in engines or precision == "bf16" or (precision == "fp16" and on_cpu)
    if by_torch and precision == "int8":
        raise WrongUsage("--precision int8 is for the graph: --engine torch does not compute in it")
    if by_torch and (engine == "onnx" or provider != "auto"):
        asked = f"--provider {provider}" if provider != "auto" else "--engine onnx"
        if "onnx" not in engines:
            raise WrongUsage(f"{asked}: only PyTorch runs {checkpoint.method}, which has no graph to export")
        raise WrongUsage(f"{asked}: ONNX Runtime does not compute {checkpoint.name} in {precision} here")
    if by_torch:
        return methods.load_torch(checkpoint, cache_dir=settings.cache_dir, precision=precision, **fetching, **running)
    exported = partial(
        export.ensure_exported, checkpoint, settings.cache_dir, max_length=running["max_length"], **fetching
    )

    def exact() -> Path:
        nonlocal provider
        if on_cpu:
            return exported()
        provider, folder = on_gpu(provider, running["device"], precision or own, exported, settings, terminal)
        return folder

    def reduced(folder: Path) -> LoadedScorer:
        if own != "fp32":
            raise WrongUsage(f"{checkpoint.name} is a graph in {own}, and --precision {precision} was asked for")
        how: dict[str, Any] = {"threads": terminal.threads, "note": terminal.note}
        lists = partial(real_lists, settings)
        return opened(lambda: ensure_reduced(folder, precision or own, settings.cache_dir, lists=lists, **how), loaded)

    def loaded(folder: Path) -> LoadedScorer:
        told: dict[str, Any] = {"name": checkpoint.name, "cache_dir": settings.cache_dir, "note": terminal.note}
        return methods.load(folder, provider=provider, meanwhile=meanwhile, **told, **running)

    return opened(exact, loaded if precision == own else reduced)


def _in_words(checkpoint: Checkpoint, prompt: str | None) -> bool:
    """Whether the model is to write its answers: it can do nothing else, or it can, and the user's prompt is for that."""
    from rerank_cli import methods

    if not checkpoint.method:
        return False
    module = methods.method_named(checkpoint.method)
    return methods.engines_of(module) == ("words",) or (
        hasattr(module, "asked") and prompt is not None and not prompt.endswith(".txt")
    )


def _writing(
    module: Any,
    checkpoint: Checkpoint,
    settings: Settings,
    precision: str | None,
    prompt: str | None,
    fetching: dict[str, Any],
    running: dict[str, Any],
) -> LoadedScorer:
    """A checkpoint that writes on this machine, asked by `module`."""
    from rerank_cli.methods.words.writers import load_writer

    how = {name: running[name] for name in ("device", "threads", "batch_tokens")}
    writer = load_writer(checkpoint, precision=precision or "fp32", cache_dir=settings.cache_dir, **how, **fetching)
    told = {"max_length": running["max_length"], "instruction": running["instruction"], "note": fetching["note"]}
    loaded: Any = module.asked(checkpoint, writer, prompt, **told)
    loaded.halves = writer.halves
    scorer: LoadedScorer = loaded
    return scorer


def keeping_answers(scorer: LoadedScorer, cache: Cache) -> LoadedScorer:
    """The scorer with the answers that are kept in `cache` before it."""
    from rerank_cli.core.protocols import ListScorer, Ranker
    from rerank_cli.pipeline.cached import CachedScorer
    from rerank_cli.pipeline.kept_replies import KeptReplies

    if hasattr(scorer, "keep_in"):
        # It keeps what is below its answers: what the model made of each text, or the words that it wrote.
        scorer.keep_in(cache)
        return scorer
    if isinstance(scorer, Ranker):
        return KeptReplies(scorer, cache)
    return scorer if isinstance(scorer, ListScorer) else CachedScorer(scorer, cache)


def cache_opener(settings: Settings, limit: str) -> OpenCache:
    """Opens the answers of the cache directory, up to the size that was typed; picklable. Raises `WrongUsage` for no size."""
    from functools import partial

    from rerank_cli.cli.amounts import byte_count
    from rerank_cli.inference.cache import AnswerCache

    return partial(AnswerCache, (settings.cache_dir / "answers").absolute(), byte_count(limit, "--cache-size"))


def facts_of(scorer: LoadedScorer) -> dict[str, Any]:
    """What provenance says of a model."""
    import dataclasses

    facts = dataclasses.asdict(scorer.description)
    return {"model": facts.pop("name"), **facts}
