"""Where a written run goes, with the provenance that says how it was made."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import rerank_cli
from rerank_cli.cli.streams import output_stream
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WorkFailed, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.core.shards import Share
    from rerank_cli.formats.run_writer import RunWriter
    from rerank_cli.pipeline import Reranked


def provenance(stage: str, **facts: Any) -> dict[str, Any]:
    """What a header line or a sidecar says of a run; facts that are None are left out."""
    versions = {"rerank": rerank_cli.__version__, "python": platform.python_version()}
    return {"stage": stage, **{key: fact for key, fact in facts.items() if fact is not None}, "versions": versions}


@contextmanager
def written_run(
    path: str,
    tag: str,
    output_format: str,
    facts: dict[str, Any],
    *,
    header: bool,
    terminal: Terminal,
    share: Share | None = None,
) -> Iterator[Any]:
    """Open a run for writing; yields a `RunWriter`, or with a `share` a `PartWriter`.

    `facts` go before the run when `header` says so, and into PATH.json beside a regular file. With
    a `share` the run is a part: it has its header always, and a last line, written when all of the share has passed.
    """
    from rerank_cli.formats.output import is_regular_target, open_output
    from rerank_cli.formats.parts import PartWriter
    from rerank_cli.formats.run_writer import RunWriter

    if output_format == "msmarco":
        terminal.refuse(["tag"], "has no column in the msmarco format")
    with output_stream(path) as stream:
        if share is None:
            writer = RunWriter(stream, tag, output_format)
            if header:
                writer.header(facts)
            yield writer
        else:
            part = PartWriter(stream, tag, output_format)
            facts = facts | {"shard": share.facts() | part.about}
            part.header(facts)
            yield part
            part.end(share.run())
    if path != "-" and is_regular_target(path):
        with open_output(f"{path}.json") as sidecar:
            sidecar.write(json.dumps(facts, ensure_ascii=False, indent=1).encode() + b"\n")
        terminal.detail(f"provenance is in {Path(path).name}.json")


def say_ties(count: int, terminal: Terminal) -> None:
    """Tell how many equal scores were written apart."""
    if count:
        terminal.note(f"{count} equal scores were written the smallest steps apart, in the order of the input")


def write_answers(
    written: AbstractContextManager[RunWriter],
    answers: Generator[Reranked],
    terminal: Terminal,
    total: int | None,
    stats: str | None,
    max_repaired: float,
) -> set[bytes]:
    """Write each answer as it comes; returns the queries that were written and says what was cut, tied or missing.

    Raises `WorkFailed`, everything written, when more than `max_repaired` per cent of the replies had to be mended.
    """
    seen: set[bytes] = set()
    total_of = Counter[str]()
    stopped = Counter[str]()
    with (
        closing(answers),
        written as writer,
        stats_file(stats) as stats_stream,
        terminal.progress(total, "queries") as progress,
    ):
        for answer in answers:
            writer.write(answer.ranking, query=answer.query, documents=answer.documents)
            seen.add(answer.ranking.qid)
            for name in ("pairs", "ties", "truncated", "missing", "cached", "questions", "repaired"):
                total_of[name] += getattr(answer.stats, name)
            stopped.update([why] if (why := answer.stats.told.get("stopped")) else [])
            if stats_stream is not None:
                stats_stream.write(_stats_line(answer.stats))
            progress.advance()
    say_ties(total_of["ties"], terminal)
    _say_costs(total_of, stopped, terminal)
    asked = total_of["questions"] or total_of["pairs"]
    if total_of["repaired"] > asked * max_repaired / 100:
        raise WorkFailed(
            f"{total_of['repaired']} of {asked} replies had to be mended, more than {max_repaired:g} per cent",
            "the run is written; the model may not know this prompt: see repaired in --stats, or raise --max-repaired",
        )
    return seen


def _say_costs(total_of: Counter[str], stopped: Counter[str], terminal: Terminal) -> None:
    """What was cut, kept, mended, stopped or missing."""
    pairs, asked = total_of["pairs"], total_of["questions"]
    if total_of["cached"]:
        of = f"{asked} questions were" if asked else f"{pairs} pairs were"
        terminal.note(f"{total_of['cached']} of {of} answered from the cache (--no-cache asks the model)")
    if total_of["truncated"]:
        of = f"in {asked} questions" if asked else f"of {pairs} documents"
        terminal.note(
            f"{total_of['truncated']} {'documents ' if asked else ''}{of} were cut to the model's length (see --max-length and --stats)"
        )
    if total_of["repaired"]:
        terminal.warn(f"{total_of['repaired']} of {asked or pairs} replies had to be mended (see --stats)")
    for why, count in stopped.items():
        terminal.warn(f"{count} lists were stopped by {'--' * (why != 'budget')}{why}, in the best order so far")
    if total_of["missing"]:
        terminal.warn(f"{total_of['missing']} documents have no text and were not scored")


@contextmanager
def stats_file(path: str | None) -> Iterator[BinaryIO | None]:
    """Open the file of `--stats`, None where none was asked for; raises `WrongUsage` for stdout."""
    if path is None:
        yield None
        return
    if path == "-":
        raise WrongUsage("--stats cannot go to stdout, where the run goes", "name a file, or /dev/stderr")
    with output_stream(path) as stream:
        yield stream


def _stats_line(stats: Any) -> bytes:
    import dataclasses

    return json.dumps(dataclasses.asdict(stats), ensure_ascii=False).encode() + b"\n"


def write_nothing(output: str, terminal: Terminal, name: str, to_do: str = "rerank") -> None:
    """An empty run in is an empty run out."""
    terminal.note(f"{name} holds no run: nothing to {to_do}")
    with output_stream(output):
        pass
