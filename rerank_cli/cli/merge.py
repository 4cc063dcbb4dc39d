"""`rerank merge`: the parts of a run joined again, or passages joined into documents."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rerank_cli.cli import options, rerank_options
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WorkFailed, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.formats.parts import Part

EXAMPLES = [
    (
        "A run reranked in three parts, by three jobs that may run anywhere, and joined again",
        "rerank retrieve -c demo -o bm25.run && for i in 1 2 3; do rerank rerank bm25.run -c demo --shard $i/3 -o part.$i.run; done && "
        "rerank merge part.*.run -o reranked.run",
    ),
    (
        "The last part from a pipe, and the whole straight on to the judgements",
        "rerank rerank bm25.run -c demo --shard 3/3 | rerank merge part.1.run part.2.run - | rerank eval -c demo",
    ),
    (
        "A run of passages DOC#0, DOC#1, ... as a run of documents, each as good as its best passage",
        "printf 'a#0\\tfuse ranked lists\\na#1\\trank documents\\nb#0\\tlists of words\\n' > passages.tsv && "
        "printf 'q1\\tranked lists of documents\\n' | rerank retrieve --docs passages.tsv --topics - | "
        "rerank merge --by-doc '#' --aggregate max",
    ),
]

#: Files that a process has open besides the parts.
_OTHER_FILES = 32


def merge(
    terminal: Terminal,
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PART]...",
            help="All parts of a run, in any order, one of which may be -, stdin; or a run of passages.",
        ),
    ] = None,
    by_doc: Annotated[
        str | None,
        typer.Option(
            "--by-doc",
            metavar="TEXT",
            help="Join passages into documents: what stands between a document's id and a passage's number.",
        ),
    ] = None,
    aggregate: Annotated[
        rerank_options.Aggregate | None,
        typer.Option("--aggregate", help="How the scores of its passages become a document's; default: max."),
    ] = None,
    input_format: options.Input = options.InputFormat.auto,
    lenient: options.Lenient = False,
    unordered: rerank_options.Unordered = False,
    output: options.Output = "-",
    output_format: Annotated[
        options.OutputFormat | None,
        typer.Option("--output-format", help="What the written lines look like; default: as in the parts, else trec."),
    ] = None,
    tag: options.Tag = None,
    header: options.Header = False,
) -> None:
    """Join the parts of a run, or its passages.

    rerank rerank --shard I/N and rerank retrieve --shard I/N write parts: runs with a header that says which part of what
    they are, and a last line that says how much they hold. merge writes the queries in the order that they had before
    they were shared out, and the same lines as one process would have written. It stops, with exit code 3, at a part
    that is missing, doubled, cut off, of another run, or made with other settings; parts that are files are
    read to their ends before anything is written. Memory: a query of each part.

    With --by-doc a run of passages becomes a run of documents. An id is parted at the last separator; a document's
    score is the greatest of its passages' scores in the list (max), their mean or sum, or that of the passage with
    the lowest number (first). Texts that the run carries are left out.
    """
    paths = parts or []
    if paths.count("-") > 1:
        raise WrongUsage("- stands for stdin, which can be read once only", "name the other parts by their files")
    if by_doc is None:
        for option, given in (("--aggregate", aggregate), ("--lenient", lenient), ("--unordered", unordered)):
            if given:
                raise WrongUsage(f"{option} is for passages, and --by-doc was not given", "add --by-doc '#'")
        if input_format is not options.InputFormat.auto:
            raise WrongUsage("--input-format is for passages: parts say what they are", "leave it out")
        if not paths:
            raise WrongUsage("no parts are named", "rerank merge part.*.run, or --by-doc '#' for a run of passages")
        if beside := [path for path in paths if path.endswith(".json") and path.removesuffix(".json") in paths]:
            terminal.note(f"passed over, since they are the provenance of parts: {', '.join(beside)}")
            paths = [path for path in paths if path not in beside]
        _merge_parts(paths, output, output_format, tag, header=header, terminal=terminal)
        return
    if not by_doc:
        raise WrongUsage("--by-doc needs a separator", "such as --by-doc '#'")
    if len(paths) > 1:
        raise WrongUsage(f"--by-doc reads one run, not {len(paths)}", "join the parts of a run first")
    how = aggregate.value if aggregate else "max"
    reading = {"format": input_format.value, "lenient": lenient, "unordered": unordered}
    _join_passages(
        paths[0] if paths else None, by_doc, how, reading, output, output_format, tag, header=header, terminal=terminal
    )


def _merge_parts(
    paths: Sequence[str],
    output: str,
    output_format: options.OutputFormat | None,
    tag: str | None,
    *,
    header: bool,
    terminal: Terminal,
) -> None:
    """Check the parts that are files, and write them query by query: as they are, or in another format or with another tag."""
    from rerank_cli.cli.run_output import written_run
    from rerank_cli.formats.merged_parts import merged, told_apart
    from rerank_cli.formats.runs import RunStream

    _let_open(len(paths))
    total = None
    if all(os.path.isfile(path) for path in paths):
        with ExitStack() as opened:
            total = sum(1 for _ in merged(_opened(paths, opened)))
    with ExitStack() as opened:
        parts = _opened(paths, opened)
        part = parts[0]
        lines = merged(parts)
        for difference in told_apart(parts):
            terminal.note(difference)
        facts = part.facts | {"shards": {name: part.shard[name] for name in ("of", "by")}}
        if total is not None:
            facts["topics"] = total
        as_format = output_format.value if output_format else part.shard["format"]
        as_tag = tag or part.shard["tag"]
        with written_run(output, as_tag, as_format, facts, header=header, terminal=terminal) as writer:
            if (as_format, as_tag) == (part.shard["format"], part.shard["tag"]):
                for block in lines:
                    writer.copy(block)
            else:
                rows: Any = (line for block in lines for line in block.splitlines(keepends=True))
                for one in RunStream(rows, "the merged parts", format=part.shard["format"]):
                    writer.write(one.ranking, query=one.query, documents=one.documents)


def _join_passages(
    path: str | None,
    separator: str,
    how: str,
    reading: dict[str, Any],
    output: str,
    output_format: options.OutputFormat | None,
    tag: str | None,
    *,
    header: bool,
    terminal: Terminal,
) -> None:
    """Write a run of passages as a run of documents, each query as soon as it is read, and say what was joined."""
    from rerank_cli.cli.run_input import checked_file, peeked, say_repairs
    from rerank_cli.cli.run_output import provenance, say_ties, write_nothing, written_run
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.runs import RunStream
    from rerank_cli.pipeline.passages import documents_of

    checked_file(path, reading["format"], reading["lenient"], reading["unordered"])
    between = separator.encode("utf-8", "surrogateescape")
    passages = documents = 0
    with input_stream(path, "run") as (stream, name):
        blocks = RunStream(stream, name, **reading)
        candidates, _ = peeked(blocks)
        if candidates is None:
            write_nothing(output, terminal, name, "join")
            return
        facts = provenance("merge", by_doc=separator, aggregate=how, input=blocks.header)
        as_format = output_format.value if output_format else "trec"
        with written_run(output, tag or blocks.tag, as_format, facts, header=header, terminal=terminal) as writer:
            for one in candidates:
                joined = documents_of(one.ranking, between, how)
                writer.write(joined, query=one.query)
                passages, documents = passages + len(one.ranking), documents + len(joined)
    say_ties(writer.steps, terminal)
    terminal.note(f"{passages} passages were joined into {documents} documents")
    if passages == documents:
        terminal.warn(f"no document has two passages in a list: is {separator!r} what stands before their numbers?")
    say_repairs(blocks.repairs, name, terminal)


def _opened(paths: Sequence[str], opened: ExitStack) -> list[Part]:
    from rerank_cli.cli.streams import input_stream
    from rerank_cli.formats.parts import Part

    return [Part(*opened.enter_context(input_stream(path, "part"))) for path in paths]


def _let_open(parts: int) -> None:
    """Let this process have as many files open as there are parts; raises `WorkFailed` where the machine does not."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = parts + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise WorkFailed(
            f"{parts} parts are read side by side, and this process may open {hard} files", "see ulimit -n"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
