"""`rerank diff`: what changed from one run to another, and for which queries."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli import eval_options, options
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import Missing, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.formats.runs import RunFile

EXAMPLES = [
    (
        "Which queries does the reranker help and harm, and which documents did it move?",
        "rerank retrieve -c demo -o bm25.run && rerank rerank -c demo bm25.run -o minilm.run && rerank diff -c demo bm25.run minilm.run",
    ),
    (
        "The ten queries whose reciprocal rank fell most",
        "rerank diff -c demo bm25.run minilm.run -m RR --format tsv | tail -n +2 | sort -t$'\\t' -k4,4g | sed 10q",
    ),
    (
        "Only the order, without judgements: are two runs the same?",
        "rerank retrieve -c demo --b 0.9 | rerank diff bm25.run - --format tsv | awk -F'\\t' '$7 < 1'",
    ),
    (
        "Every document that entered or left the first ten, with its ranks and grade",
        "rerank diff -c demo bm25.run minilm.run --documents",
    ),
]


class Format(enum.StrEnum):
    """How the answer is written."""

    text = "text"
    tsv = "tsv"


def diff(
    terminal: Terminal,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN RUN", help="Two runs, A and B; one of them may be -, stdin.")
    ] = None,
    measure: Annotated[
        str,
        typer.Option("-m", "--measure", metavar="MEASURE", help="The measure whose change is shown, as nDCG@10."),
    ] = "nDCG@10",
    rel: eval_options.Rel = None,
    qrels: options.QrelsFile = None,
    collection: options.Collection = None,
    split: options.Split = "test",
    k: Annotated[
        int, typer.Option("-k", "--depth", metavar="N", min=1, help="Depth of overlap@N and of the documents shown.")
    ] = 10,
    rbo_p: Annotated[
        float, typer.Option("--rbo-p", metavar="X", help="RBO's patience, from 0 to 1: how far down it looks.")
    ] = 0.9,
    show: Annotated[int, typer.Option("--show", metavar="N", min=0, help="Queries in each list of the text.")] = 5,
    documents: Annotated[
        bool, typer.Option("--documents", help="As tsv, the documents that moved rather than the queries.")
    ] = False,
    output_as: Annotated[Format, typer.Option("--format", help="How the answer is written.")] = Format.text,
    digits: eval_options.Digits = 4,
    input_format: options.Input = options.InputFormat.auto,
    lenient: options.Lenient = False,
    output: options.Output = "-",
) -> None:
    """Show what changed from run A to run B.

    With judgements: the queries most improved, most harmed and hardest in both, by the measure. Always: how
    alike the orders are (overlap of the first N; Kendall's tau of the documents in both lists; rank-biased
    overlap, which weighs the top most), the queries reordered most, and under each query the documents whose
    reciprocal rank changed most, as `DOCUMENT rank in A -> rank in B (grade)`, - where a run lacks it. The
    words of the queries are shown when a collection has them. Differences are no error: the exit code is 0.

    tsv begins with a header: query, A's and B's value, difference, overlap@N, tau, rbo; with --documents
    query, document, its ranks in A and B, grade. What is not known is empty.
    """
    from rerank_cli.cli.judged_runs import evaluated, judgements, run_names, say_unreached
    from rerank_cli.cli.streams import output_stream
    from rerank_cli.cli.whole_runs import read_runs
    from rerank_cli.evaluation import report_changes
    from rerank_cli.evaluation.changes import changes
    from rerank_cli.evaluation.measures import Judge
    from rerank_cli.evaluation.names import parse_measures

    if runs is None or len(runs) != 2:
        raise WrongUsage(f"diff takes two runs, not {len(runs or [])}", "name A and B; one may be -")
    if not 0 < rbo_p < 1:
        raise WrongUsage(f"--rbo-p is between 0 and 1, not {rbo_p:g}")
    if len(parse_measures([measure], rel)) != 1:
        raise WrongUsage(f"{measure} stands for several measures, and diff shows one", "such as nDCG@10")
    files = read_runs(runs, input_format.value, lenient, terminal)
    names = run_names(runs, files)
    first, second = (file.run for file in files)
    found = _collection(qrels, collection, split, files, runs, terminal)
    values, shown_measure = None, ""
    grades: Mapping[bytes, Mapping[bytes, int]] = {}
    topics: Mapping[bytes, str] = {}
    if found is None:
        terminal.note("no judgements are named with -Q or -c: only orders are compared")
    else:
        judged = judgements(found, qrels)
        chosen = parse_measures([measure], found.rel if rel is None else rel)
        say_unreached(chosen, judged, terminal)
        judge = Judge(chosen, judged)
        a, b = (evaluated(judge, f.run, name, path, terminal) for f, name, path in zip(files, names, runs, strict=True))
        values, grades, shown_measure = (a, b), judged.by_query, str(chosen[0])
        topics = _topics(found, named=collection is not None or qrels is None, terminal=terminal)
    report = report_changes.ChangeReport(
        (names[0], names[1]),
        (first, second),
        changes(first, second, values, k, rbo_p),
        k,
        rbo_p,
        shown_measure,
        grades,
        topics,
        show,
        digits,
    )
    write = (
        report_changes.documents_tsv
        if documents
        else {"text": report_changes.text, "tsv": report_changes.tsv}[output_as]
    )
    with output_stream(output) as stream:
        stream.writelines(f"{line}\n".encode("utf-8", "surrogateescape") for line in write(report))


def _collection(
    qrels: str | None,
    collection: str | None,
    split: str,
    files: Sequence[RunFile],
    paths: Sequence[str],
    terminal: Terminal,
) -> Collection | None:
    """The collection with the judgements; None where nothing names one."""
    from rerank_cli.cli.judged_runs import open_judged
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.whole_runs import agreed_header

    told = agreed_header(files, paths).get("collection")
    if qrels is None and Settings().resolve("collection", collection, header=told).value is None:
        return None
    return open_judged(qrels, collection, split, files, paths, terminal)


def _topics(found: Collection, *, named: bool, terminal: Terminal) -> Mapping[bytes, str]:
    """The queries' words where a collection is in use; that it has none is said, not an error."""
    if not named:
        return {}
    try:
        return found.topics()
    except Missing as absent:
        terminal.note(f"the queries are shown without their words: {absent.message}")
        return {}
