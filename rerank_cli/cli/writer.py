"""From the options of models and servers to a model that writes, and what is said of its replies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.idle import SERVED, refuse_for_place
from rerank_cli.cli.options import given
from rerank_cli.cli.settings import Setting, Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import Missing, WorkFailed, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.cli.scorer import OpenCache
    from rerank_cli.inference.writing import Writer
    from rerank_cli.rewriting.rewriter import Asking, Tally


_HERE = ("batch_tokens", "trust_remote_code")


@contextmanager
def opened_writer(
    typed: Mapping[str, Any], settings: Settings, terminal: Terminal, open_cache: OpenCache | None
) -> Iterator[tuple[Writer, bool]]:
    """Open who writes: the servers of --endpoint, or -m on this machine; and whether it is an encoder with a decoder.

    `typed` are the command's options by their names; completions are kept where `open_cache` says,
    if anywhere. For a --dry-run no server is asked for anything: its tokens are estimates. Raises as `open_endpoint` and
    `load_writer`, `Missing` when nobody is named.
    """
    from rerank_cli.cli.endpoints import open_endpoint, paid
    from rerank_cli.inference.kept_words import KeptWriter
    from rerank_cli.rewriting.asking import LimitedWriter, Unasked

    model, endpoint, max_calls = typed["model"], typed["endpoint"], typed["max_calls"]
    if model and endpoint:
        raise WrongUsage("-m is a model on this machine, and --endpoint names servers", "leave one of them out")
    servers = Setting(None, "") if model else settings.resolve("endpoint", endpoint)
    if not typed["dry_run"]:
        refuse_for_place(terminal, servers if servers.value else None, typed["cache"])
    writer: Any
    if typed["dry_run"] and not model:
        writer = Unasked()
    elif servers.value:
        writer = open_endpoint(servers, settings.environment, terminal, in_words=True, **given(typed, SERVED))
    elif model:
        running = {
            **given(typed, _HERE),
            "device": settings.resolve("device", typed["device"]).value or "auto",
            "precision": typed["precision"].value if typed["precision"] else "fp32",
        }
        writer = _on_this_machine(model, settings, terminal, running)
    else:
        raise Missing(
            "no model that writes is named",
            "--endpoint URL asks a server, -m FOLDER a model here; --dry-run needs none",
        )
    apart, ledger = getattr(writer, "apart", False), getattr(writer, "ledger", None)
    if max_calls is not None:
        writer = LimitedWriter(writer, max_calls)
    with paid(ledger, terminal), ExitStack() as opened:
        if open_cache is not None:
            writer = KeptWriter(writer, opened.enter_context(open_cache(terminal.warn)))
        yield writer, apart


def _on_this_machine(model: str, settings: Settings, terminal: Terminal, running: dict[str, Any]) -> Any:
    from rerank_cli.methods import catalog
    from rerank_cli.methods.words.writers import load_writer

    # How it reranks says nothing here, and its files need not tell.
    checkpoint = catalog.find(model, method="writes")
    if not checkpoint.source:
        raise Missing(f"{model} is a prompt, and no checkpoint goes with it", "name a folder or a Hugging Face id")
    writer = load_writer(
        checkpoint,
        threads=terminal.threads,
        offline=terminal.offline,
        cache_dir=settings.cache_dir,
        note=terminal.note,
        **running,
    )
    terminal.note(f"{checkpoint.name}: words by torch {writer.precision} on {writer.device}")
    return writer


def say_room(how: Asking, writer: Writer, terminal: Terminal) -> None:
    """Say so when a reply may not be as long as its prompt has it, because the model's context is short."""
    most = how.decoding(writer).max_tokens
    if most < how.file.decoding.get("max_tokens", most):
        terminal.note(f"a reply may be {most} tokens long: the model's context is {writer.context}")


def say_tally(tally: Tally, what: str, becomes: str, terminal: Terminal, max_repaired: float) -> None:
    """Say what was asked and what became of it; `what` are topics or documents, `becomes` what those without a reply do.

    Raises `WorkFailed`, everything written, when more than `max_repaired` per cent of the replies could not be read whole.
    """
    asked = tally.replies - tally.cached
    terminal.note(f"{asked} calls, {tally.read} tokens read, {tally.written} written")
    if tally.cached:
        terminal.note(f"{tally.cached} of {tally.replies} replies were known from earlier (--no-cache asks the model)")
    if tally.cut:
        terminal.note(f"{tally.cut} documents were cut to what the prompt has room for")
    if tally.unasked:
        terminal.warn(f"{tally.unasked} questions were not asked: the budget is spent")
    if tally.mended:
        terminal.warn(f"{tally.mended} of {tally.replies} replies could not be read, or not to their end")
    if tally.kept:
        terminal.warn(f"{tally.kept} {what} {becomes}")
    if tally.mended > tally.replies * max_repaired / 100:
        raise WorkFailed(
            f"{tally.mended} of {tally.replies} replies could not be read whole, more than {max_repaired:g} per cent",
            f"the {what} are written; the model may not follow this prompt: give another, or raise --max-repaired",
        )
