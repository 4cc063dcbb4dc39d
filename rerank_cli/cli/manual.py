"""What the manual says: one page for the program and one for each command, as sections of plain blocks.

The words come from the command's own docstring, options and EXAMPLES; what all commands share (exit
codes, environment, files) is written here once. `cli.manpage` turns a page into roff or plain text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import rerank_cli
from rerank_cli.cli.main import CLOSED_PIPE, INTERRUPTED, TERMINATED
from rerank_cli.cli.settings import KEYS
from rerank_cli.cli.spec import CommandSpec, OptionSpec, ProgramSpec
from rerank_cli.errors import ExitCode

#: Examples of the program's own page; run as tests like those of the commands.
EXAMPLES: list[tuple[str, str]] = [
    ("Retrieve, rerank, judge", "rerank retrieve -c demo | rerank rerank -c demo | rerank eval -c demo"),
    (
        "The same with the collection named once",
        "export RERANK_COLLECTION=demo; rerank retrieve | rerank rerank | rerank eval",
    ),
    (
        "Two runs and their fusion, side by side",
        "export RERANK_COLLECTION=demo; rerank retrieve -o bm25.trec && rerank rerank bm25.trec -o minilm.trec && "
        "rerank fuse bm25.trec minilm.trec -o fused.trec && rerank eval bm25.trec minilm.trec fused.trec",
    ),
]

BOLD, ITALIC, ROMAN = "bold", "italic", "roman"
Spans = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    spans: Spans


@dataclass(frozen=True)
class Entry:
    """A term with its explanation."""

    term: Spans
    text: str


@dataclass(frozen=True)
class Verbatim:
    """Lines to be kept as they are."""

    text: str


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


Block = Paragraph | Entry | Verbatim | Heading


@dataclass(frozen=True)
class Page:
    """One manual page: `name` is rerank or rerank-COMMAND; `sections` are (title, blocks)."""

    name: str
    source: str
    sections: tuple[tuple[str, tuple[Block, ...]], ...]


EXIT_CODES: dict[int, str] = {
    ExitCode.DONE: "The work is done.",
    ExitCode.FAILED: "The work failed: a backend, a server, a full disk.",
    ExitCode.USAGE: "The command line or the settings make no sense.",
    ExitCode.BAD_DATA: "An input is not what it says it is; the message names file and line.",
    ExitCode.MISSING: "Something is missing: a file, a package, a model, a collection, a text.",
    ExitCode.NO_DEVICE: "The device or execution provider asked for by name is not available.",
    ExitCode.UNMET: "An --assert or a --require-topics did not hold.",
    INTERRUPTED: "Interrupted (Ctrl-C); nothing half-written is left.",
    CLOSED_PIPE: "The reader of the output closed the pipe.",
    TERMINATED: "Terminated (SIGTERM); nothing half-written is left.",
}

SETTING_MEANS = {
    "collection": "The collection that -c would name.",
    "model": "The model that rerank rerank uses; the other commands do not read it.",
    "retriever": "The first stage that rerank retrieve uses.",
    "device": "The device that models run on.",
    "cache_dir": "Where indexes, exported models and answers are kept.",
    "endpoint": "The servers that --endpoint would name.",
}

OTHER_VARIABLES = {
    "NO_COLOR, TERM=dumb": "No colour and no bars.",
    "XDG_CACHE_HOME, XDG_CONFIG_HOME, XDG_DATA_HOME": "Where the cache, the user's settings and installed pages go.",
}

FILES = {
    "rerank.toml": "Settings of a project: the nearest one upwards from the working directory.",
    "$XDG_CONFIG_HOME/rerank/config.toml": "Settings of a user; ~/.config where the variable is not set.",
    "$XDG_CACHE_HOME/rerank/": "Indexes, exported models and answers; safe to remove; ~/.cache where the variable is not set.",
}


def pages(program: ProgramSpec) -> Iterator[Page]:
    """Every page of the manual: the program's first, then the commands' in the order of help."""
    yield program_page(program)
    for command in program.commands:
        yield command_page(program, command)


def page_name(command: str | None) -> str:
    """The page of a command, or of the program for None and for its own name with no command of that name."""
    return f"rerank-{command}" if command else "rerank"


def program_page(program: ProgramSpec) -> Page:
    """The page `rerank(1)`."""
    summary = "the command-line toolkit for reranking TREC runs"
    return Page(
        "rerank",
        _source(),
        (
            ("NAME", (_text(f"rerank - {summary}"),)),
            ("SYNOPSIS", (Paragraph(((BOLD, "rerank"), (ITALIC, " COMMAND"), (ROMAN, " [OPTIONS] [ARGUMENTS]"))),)),
            ("DESCRIPTION", tuple(_text(paragraph) for paragraph in _PROGRAM_TEXT)),
            ("COMMANDS", tuple(Entry(((BOLD, c.name),), f"{c.summary}. See {_see(c)}.") for c in program.commands)),
            ("OPTIONS", tuple(_option(option) for option in program.options)),
            *_shared_sections(),
            ("EXAMPLES", tuple(_examples(EXAMPLES))),
            ("SEE ALSO", (_text(", ".join(_see(c) for c in program.commands)),)),
        ),
    )


_PROGRAM_TEXT = (
    "A run is a list of documents for each query, in the format of the TREC evaluations: qid Q0 docid rank score "
    "tag. Every command reads runs and writes runs, so that commands join with pipes: a first stage retrieves, a "
    "model reranks, evaluation compares with judgements.",
    "stdin and stdout carry data only; notices, warnings and progress go to stderr. A single - means stdin or stdout. "
    "Inputs may be compressed (gzip, bzip2, xz, zstd), which is told by their first bytes. An output file appears "
    "when it is whole.",
    "A run holds only ids. The texts come from a collection, which -c names: a folder in BEIR layout, irds:ID, a "
    "name from rerank.toml, or demo, the small collection that ships with the program.",
    "A setting comes from its flag, else from the header of the run, else from the environment, else from a settings "
    "file, else it has its default. An error is one line that says what is wrong and one that says what to do.",
)


def command_page(program: ProgramSpec, command: CommandSpec) -> Page:
    """The page `rerank-COMMAND(1)`."""
    synopsis: Spans = ((BOLD, f"rerank {command.name}"), (ROMAN, " [OPTIONS]"))
    synopsis += tuple((ITALIC, f" {argument.usage}") for argument in command.arguments)
    sections: list[tuple[str, tuple[Block, ...]]] = [
        ("NAME", (_text(f"rerank-{command.name} - {_lower(command.summary)}"),)),
        ("SYNOPSIS", (Paragraph(synopsis),)),
        ("DESCRIPTION", tuple(_description(command))),
    ]
    if command.arguments:
        entries = [
            Entry(
                ((ITALIC, argument.usage),),
                argument.help + (f" [default: {argument.default}]" if argument.default else ""),
            )
            for argument in command.arguments
        ]
        sections.append(("ARGUMENTS", tuple(entries)))
    options: list[Block] = []
    for group, members in command.groups.items():
        options += [Heading(group)] if group else []
        options += [_option(option) for option in members]
    sections += [("OPTIONS", tuple(options)), *_shared_sections()]
    if command.examples:
        sections.append(("EXAMPLES", tuple(_examples(command.examples))))
    others = ["rerank(1)", *(_see(other) for other in program.commands if other is not command)]
    sections.append(("SEE ALSO", (_text(", ".join(others)),)))
    return Page(page_name(command.name), _source(), tuple(sections))


def _source() -> str:
    return f"rerank {rerank_cli.__version__}"


def _text(text: str) -> Paragraph:
    return Paragraph(((ROMAN, text),))


def _lower(summary: str) -> str:
    first, *rest = summary.split(" ")
    return " ".join([first if first.isupper() and len(first) > 1 else first[:1].lower() + first[1:], *rest])


def _see(command: CommandSpec) -> str:
    return f"rerank-{command.name}(1)"


def _description(command: CommandSpec) -> Iterator[Block]:
    yield _text(command.summary + ".")
    for paragraph in command.description:
        yield Verbatim(paragraph.removeprefix("\b\n")) if paragraph.startswith("\b") else _text(paragraph)


def _option(option: OptionSpec) -> Entry:
    term: list[tuple[str, str]] = []
    for name in (*option.names, *option.off):
        term += [(ROMAN, ", ")] if term else []
        term.append((BOLD, name))
    if option.metavar:
        term.append((ITALIC, f" {option.metavar}"))
    return Entry(tuple(term), option.help + (f" [{option.remarks}]" if option.remarks else ""))


def _shared_sections() -> list[tuple[str, tuple[Block, ...]]]:
    environment = {variable: SETTING_MEANS[key] for key, (variable, _) in KEYS.items()} | OTHER_VARIABLES
    return [
        ("EXIT STATUS", tuple(Entry(((BOLD, str(int(code))),), text) for code, text in EXIT_CODES.items())),
        ("ENVIRONMENT", tuple(Entry(((BOLD, name),), text) for name, text in environment.items())),
        ("FILES", tuple(Entry(((ITALIC, name),), text) for name, text in FILES.items())),
    ]


def _examples(examples: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> Iterator[Block]:
    if any(" | " in line for _, line in examples):
        yield _text("With set -o pipefail, as in scripts it should be, a pipe fails when one of its stages does.")
    for what, line in examples:
        yield _text(what.rstrip(".:") + ("" if what.endswith("?") else ":"))
        yield Verbatim(line)
