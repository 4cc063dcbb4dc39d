"""`rerank check`: what is wrong with a run, before an evaluator finds it or, worse, does not."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rerank_cli.cli import options
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData, Missing, Unmet, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.formats.run_check import Finding, Known

EXAMPLES = [
    ("Is a run fit to be compared? One line a check", "rerank retrieve -c demo | rerank check"),
    (
        "Against a collection: topics that are unknown or lacking, documents that it does not have",
        "rerank retrieve -c demo -o bm25.run && rerank check bm25.run -c demo --format text",
    ),
    (
        "In a nightly job: stop at anything that evaluators may disagree about, but for comment lines and ties",
        "rerank retrieve -c demo -o bm25.run && rerank check bm25.run --strict --ignore tie",
    ),
    (
        "What was found in several runs, as a list to work through",
        "rerank retrieve -c demo -o bm25.run && rerank retrieve -c demo -o deep.run -k 1000 && "
        "rerank check bm25.run deep.run | awk -F '\\t' '$3 > 0'",
    ),
]


class CheckFormat(enum.StrEnum):
    """How findings are written."""

    auto = "auto"
    text = "text"
    tsv = "tsv"
    json = "json"


def check(
    terminal: Terminal,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="The runs; stdin when absent or -.")
    ] = None,
    qrels: options.QrelsFile = None,
    collection: options.Collection = None,
    docs: options.Docs = None,
    topics: options.TopicsFile = None,
    split: options.Split = "test",
    strict: Annotated[bool, typer.Option("--strict", help="Exit 6 when there are warnings.")] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="CHECK",
            help="Leave this check out, in what is written and in the exit code; may be repeated.",
        ),
    ] = None,
    output_as: Annotated[
        CheckFormat, typer.Option("--format", help="How findings are written; auto: text on a terminal, else tsv.")
    ] = CheckFormat.auto,
    input_format: options.Input = options.InputFormat.auto,
    output: options.Output = "-",
) -> None:
    """Validate runs, with exit codes for cron.

    Everything that is wrong is counted, and the first places are named. Errors are what eval, fuse and rerank
    refuse: malformed lines, duplicate (a document twice in a query),
    unreadable (cut or corrupt compression). Warnings are what programs disagree about: tie, float32
    (scores that only 64 bits tell apart), rank (against the score), unsorted, split-query, not-utf8,
    unwritable (an id that a TREC line cannot hold), empty;
    with --qrels, --topics or -c also unknown-topic and missing-topic, with -c or --docs missing-document.
    Notes are numbers of rows and queries and the depths of the lists. Settings name no collection here.

    tsv lines are FILE, CHECK, COUNT and the first place (FILE:LINE, or the topic), one for each check that
    was made, also where nothing was found. Exit codes: 0 clean, 3 errors, 6 warnings under --strict,
    4 a file that is not there.
    """
    from rerank_cli.cli.streams import input_stream, output_stream
    from rerank_cli.formats.run_check import CHECKS, check_run

    for name in ignore or ():
        if name not in CHECKS:
            raise WrongUsage(f"there is no check {name!r}", f"the checks are {', '.join(CHECKS)}")
    paths: list[str | None] = [*runs] if runs else [None]
    if paths.count("-") > 1:
        raise WrongUsage("- stands for stdin, which can be read once only", "name the other runs by their files")
    known = _known(qrels, collection, docs, topics, split, terminal)
    found: list[tuple[str, list[Finding]]] = []
    with output_stream(output) as out:
        style = _style(output_as, output)
        for path in paths:
            with input_stream(path, "run") as (stream, name):
                findings = check_run(stream, name, format=input_format.value, known=known)
            findings = [finding for finding in findings if finding.check not in (ignore or ())]
            found.append((name, findings))
            out.writelines(f"{line}\n".encode("utf-8", "surrogateescape") for line in _lines(name, findings, style))
            out.flush()
    _exit(found, strict)


def _known(
    qrels: str | None,
    collection: str | None,
    docs: list[str] | None,
    topics: str | None,
    split: str,
    terminal: Terminal,
) -> Known:
    """What the runs are held against: only what was named, and of a collection what it has."""
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, files_alone, overrides
    from rerank_cli.formats.run_check import Known

    if not (qrels or collection or docs or topics):
        return Known()
    settings, named = Settings(), overrides(docs, topics, qrels, split)
    if collection is None:
        opened = files_alone(named, settings, terminal)
    else:
        opened = collection_of(collection, named, settings, terminal)
    judged = _part(opened, "qrels", qrels, collection, terminal)
    asked = _part(opened, "topics", topics, collection, terminal)
    texts = _part(opened, "documents", docs, collection, terminal)
    expected = judged.topics if judged is not None else None if asked is None else list(asked)
    every = None if expected is None else frozenset(expected) | frozenset(asked or ())
    return Known(every, expected, texts)


def _part(opened: Collection, part: str, flag: object, collection: str | None, terminal: Terminal) -> Any:
    """A part of the collection: what a flag names must be there, what a collection lacks is said and not looked at."""
    if not flag and collection is None:
        return None
    try:
        return getattr(opened, part)()
    except Missing as error:
        if flag:
            raise
        terminal.note(f"{part} are not looked at: {error.message}")
        return None


def _style(asked: CheckFormat, output: str) -> CheckFormat:
    import sys

    if asked is not CheckFormat.auto:
        return asked
    return CheckFormat.text if output == "-" and sys.stdout.isatty() else CheckFormat.tsv


def _lines(name: str, findings: Sequence[Finding], style: CheckFormat) -> Iterable[str]:
    """One run's findings, written; a name is kept in one field of one line."""
    import json

    if style is CheckFormat.tsv:
        for finding in findings:
            first = finding.places[0].where if finding.places else "-"
            yield "\t".join(_one_line(field) for field in (name, finding.check, str(finding.count), first))
    elif style is CheckFormat.json:
        for finding in findings:
            places = [{"where": where, "what": what} for where, what in finding.places]
            record = {"file": name, "check": finding.check, "severity": finding.severity, "count": finding.count}
            yield json.dumps(record | {"places": places}).encode("utf-8", "backslashreplace").decode()
    else:
        yield from _text(name, findings)


def _text(name: str, findings: Sequence[Finding]) -> Iterable[str]:
    """For people: the facts in a line, then what was found with its first places."""
    from rerank_cli.formats.run_check import CHECKS

    count = {finding.check: finding.count for finding in findings}
    facts = [f"{count[check]:,} {check}" for check in ("rows", "queries") if check in count]
    if {"depth-min", "depth-median", "depth-max"} <= count.keys():
        facts.append(
            f"{count['depth-min']:,} to {count['depth-max']:,} documents each, median {count['depth-median']:,}"
        )
    yield _one_line(name) + (f": {', '.join(facts)}" if facts else "")
    bad = [finding for finding in findings if finding.count and CHECKS[finding.check][0] != "note"]
    for finding in bad:
        yield f"  {finding.severity}: {finding.check}: {finding.count:,} {CHECKS[finding.check][1]}"
        yield from (f"    {_one_line(where)}: {_one_line(what)}" for where, what in finding.places)
        if finding.count > len(finding.places):
            yield f"    and {finding.count - len(finding.places):,} more"
    if not bad:
        yield "  nothing is wrong"


def _one_line(text: str) -> str:
    return " ".join(text.split()) if any(blank in text for blank in "\t\n\r\v\f") else text


def _exit(found: Sequence[tuple[str, Sequence[Finding]]], strict: bool) -> None:
    """Raise what the exit code says of the worst that was found."""
    for severity in ("error", "warning"):
        bad = [
            (name, [finding for finding in findings if finding.severity == severity and finding.count])
            for name, findings in found
        ]
        bad = [(name, findings) for name, findings in bad if findings]
        if not bad or (severity == "warning" and not strict):
            continue
        counts: dict[str, int] = {}
        for _, findings in bad:
            for finding in findings:
                counts[finding.check] = counts.get(finding.check, 0) + finding.count
        said = ", ".join(f"{check} {count}" for check, count in counts.items())
        among = f" in {len(bad)} of {len(found)} runs" if len(found) > 1 else ""
        worst = bad[0][1][0]
        first = worst.places[0]
        if severity == "error":
            hint = "eval, fuse and rerank stop at such lines; with --lenient they leave them out"
            raise BadData(f"{worst.check}: {first.what} ({said}{among})", hint, where=first.where)
        raise Unmet(f"{first.where}: {worst.check}: {first.what} ({said}{among})", "--ignore CHECK leaves one out")
