"""The options that several commands share, each declared once, and those that every command has."""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, get_type_hints

import typer

from rerank_cli.cli.terminal import Terminal, bound_matrix_threads, tell_nobody, usable_cores


class ProgressStyle(enum.StrEnum):
    """How progress is shown."""

    auto = "auto"
    bar = "bar"
    plain = "plain"
    none = "none"


class InputFormat(enum.StrEnum):
    """What the lines of an input run look like."""

    auto = "auto"
    trec = "trec"
    msmarco = "msmarco"
    top1000 = "top1000"
    jsonl = "jsonl"


class OutputFormat(enum.StrEnum):
    """What the lines of a written run look like."""

    trec = "trec"
    msmarco = "msmarco"
    jsonl = "jsonl"


EVERYWHERE = "Options of every command"
COLLECTION = "Texts, topics and judgements"

Collection = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--collection",
        metavar="C",
        help="Texts, topics and judgements: a BEIR folder, irds:ID, a name from rerank.toml, or demo.",
        rich_help_panel=COLLECTION,
    ),
]
Docs = Annotated[
    list[str] | None,
    typer.Option(
        "--docs",
        metavar="FILE",
        help="Documents (JSONL, TSV, TREC SGML); a file, a folder or a glob; may be repeated.",
        rich_help_panel=COLLECTION,
    ),
]
TopicsFile = Annotated[
    str | None,
    typer.Option("--topics", metavar="FILE", help="Topics (JSONL, TSV, TREC SGML).", rich_help_panel=COLLECTION),
]
TopicFields = Annotated[
    str,
    typer.Option(
        "--topic-fields",
        metavar="FIELDS",
        help="Fields of a topic to use, joined by a blank: title,desc,narr.",
        rich_help_panel=COLLECTION,
    ),
]
Split = Annotated[
    str,
    typer.Option("--split", metavar="NAME", help="Which qrels/NAME.tsv of a BEIR folder.", rich_help_panel=COLLECTION),
]
AllTopics = Annotated[
    bool,
    typer.Option(
        "--all-topics",
        help="All topics of a BEIR folder, not only those judged in the split.",
        rich_help_panel=COLLECTION,
    ),
]
DocTemplate = Annotated[
    str | None,
    typer.Option(
        "--doc-template",
        metavar="TEXT",
        help="What the model sees of a document: {title} and {text} are filled in.",
        rich_help_panel=COLLECTION,
    ),
]
QrelsFile = Annotated[
    str | None,
    typer.Option(
        "-Q", "--qrels", metavar="FILE", help="Judgements: a TREC or BEIR file, or irds:ID.", rich_help_panel=COLLECTION
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Where the result goes; - is stdout. Renamed into place when whole; .gz and .zst compress.",
    ),
]
Input = Annotated[InputFormat, typer.Option("--input-format", help="What the input run's lines look like.")]
OutputAs = Annotated[OutputFormat, typer.Option("--output-format", help="What the written lines look like.")]
Header = Annotated[bool, typer.Option("--header", help="Write provenance as '# rerank: {json}' lines before the run.")]
Tag = Annotated[str | None, typer.Option("--tag", metavar="TAG", help="The run's tag, its last column.")]
Lenient = Annotated[
    bool,
    typer.Option(
        "--lenient", help="Keep the best of what is doubled or broken in a run instead of stopping; counted on stderr."
    ),
]


def given(typed: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of the options `typed` that the user named, as plain values."""
    found = {name: typed[name] for name in names if typed[name] is not None}
    return {name: value.value if isinstance(value, enum.Enum) else value for name, value in found.items()}


def with_terminal(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that every command has; it receives them as its first argument, a `Terminal`."""
    hints = get_type_hints(function, include_extras=True)

    @functools.wraps(function)
    def run(
        *,
        invocation: typer.Context,
        progress: ProgressStyle,
        quiet: bool,
        verbose: bool,
        debug: bool,
        seed: int,
        threads: int | None,
        offline: bool,
        **own: Any,
    ) -> Any:
        tell_nobody()
        usable = threads or usable_cores()
        bound_matrix_threads(usable, asked=threads is not None)
        terminal = Terminal(progress.value, quiet, verbose, seed, usable, offline, _typed(invocation))
        return function(terminal, **own)

    own = [
        p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for p in inspect.signature(function).parameters.values()
    ][1:]
    common = [inspect.Parameter("invocation", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    common += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)
        for name, hint, default in _EVERYWHERE
    ]
    wrapped: Any = run
    wrapped.__signature__ = inspect.Signature(own + common)
    wrapped.__annotations__ = {p.name: p.annotation for p in own + common}
    del wrapped.__wrapped__
    return wrapped


def _typed(invocation: typer.Context) -> dict[str, str]:
    """The parameters that stand on the command line, and how they are spelled."""
    found: dict[str, str] = {}
    for parameter in invocation.command.params:
        name = str(parameter.name)
        source = invocation.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            off = invocation.params.get(name) is False and parameter.secondary_opts
            found[name] = max(off or parameter.opts, key=len)
    return found


def _everywhere(*names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=EVERYWHERE, **settings)


_EVERYWHERE: list[tuple[str, Any, Any]] = [
    (
        "progress",
        Annotated[
            ProgressStyle,
            _everywhere(
                "--progress", help="How progress is shown on stderr; auto: a bar on a terminal, else a line a minute."
            ),
        ],
        ProgressStyle.auto,
    ),
    (
        "quiet",
        Annotated[bool, _everywhere("-q", "--quiet", help="No notices and no progress; warnings and errors stay.")],
        False,
    ),
    ("verbose", Annotated[bool, _everywhere("-v", "--verbose", help="Say more about what is done.")], False),
    ("debug", Annotated[bool, _everywhere("--debug", help="Show the traceback of an error.")], False),
    ("seed", Annotated[int, _everywhere("--seed", metavar="N", min=0, help="Seed of everything random.")], 0),
    (
        "threads",
        Annotated[
            int | None,
            _everywhere(
                "--threads",
                metavar="N",
                min=1,
                help="Processor threads; default: what affinity and cgroup allow.",
                show_default=False,
            ),
        ],
        None,
    ),
    (
        "offline",
        Annotated[bool, _everywhere("--offline", help="Download nothing; what is not on this machine is an error.")],
        False,
    ),
]
