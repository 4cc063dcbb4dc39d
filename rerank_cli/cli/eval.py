"""`rerank eval`: how good is a run, in every measure of the field."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli import options
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData, Unmet, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.core.qrels import Qrels
    from rerank_cli.core.run import Run
    from rerank_cli.evaluation.assertions import Assertion
    from rerank_cli.evaluation.measures import Evaluation, Judge
    from rerank_cli.evaluation.report import Report
    from rerank_cli.formats.runs import RunFile

EXAMPLES = [
    ("The default measures of a BM25 run", "rerank retrieve -c demo | rerank eval -c demo"),
    (
        "Measures by ir-measures' names or by trec_eval's, query by query",
        "rerank retrieve -c demo | rerank eval -c demo -m nDCG@10 -m 'P(rel=2)@5' -m recip_rank --per-query",
    ),
    (
        "Is the reranked run better? Both in one table, with the difference",
        "rerank retrieve -c demo -o bm25.run && rerank rerank -c demo bm25.run -o minilm.run && rerank eval -c demo --baseline bm25.run minilm.run --format markdown",
    ),
    (
        "Stop a script when the ranking gets worse (exit 6)",
        "rerank retrieve -c demo -o bm25.run && rerank rerank -c demo bm25.run | rerank eval -c demo --baseline bm25.run --assert 'nDCG@10>=baseline-0.005'",
    ),
]


class Format(enum.StrEnum):
    """How values are written."""

    auto = "auto"
    table = "table"
    trec = "trec"
    tsv = "tsv"
    json = "json"
    csv = "csv"
    latex = "latex"
    markdown = "markdown"


#: Ends of run files' names that say nothing about the run.
_ENDS = frozenset([".gz", ".bz2", ".xz", ".zst", ".trec", ".run", ".res", ".txt", ".tsv", ".jsonl"])


def eval(
    terminal: Terminal,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="The runs; stdin when absent or -.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--measure",
            metavar="MEASURE",
            help="A measure, as nDCG@10, AP(rel=2), ndcg_cut_10 or mrr@10; may be repeated. "
            "Default: nDCG@10, AP, R@100, RR@10, P@10.",
        ),
    ] = None,
    rel: Annotated[
        int | None,
        typer.Option(
            "--rel", metavar="N", help="The least relevant grade, for binary measures that name none. Default: 1."
        ),
    ] = None,
    qrels: options.QrelsFile = None,
    collection: options.Collection = None,
    split: options.Split = "test",
    per_query: Annotated[bool, typer.Option("--per-query", help="The values of each query too, before `all`.")] = False,
    output_as: Annotated[
        Format,
        typer.Option(
            "--format",
            help="How values are written; auto: a table on a terminal, else trec for one run and tsv for several.",
        ),
    ] = Format.auto,
    digits: Annotated[int, typer.Option("--digits", metavar="N", min=0, max=15, help="Decimals.")] = 4,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="RUN", help="The run that differences and assertions refer to."),
    ] = None,
    assertion: Annotated[
        list[str] | None,
        typer.Option(
            "--assert",
            metavar="COMPARISON",
            help="Exit 6 unless every run satisfies it: 'nDCG@10>=0.30', 'AP>=baseline-0.005' (>= > <= < ==); "
            "may be repeated.",
        ),
    ] = None,
    input_format: options.Input = options.InputFormat.auto,
    lenient: options.Lenient = False,
    output: options.Output = "-",
) -> None:
    """Evaluate runs against judgements.

    Means are over all judged topics; one that a run lacks counts as 0, and how many there are is said on
    stderr. Topics that are not judged are left out. Lists are ordered by score, then document id, before
    any measure sees them, so that no two measures break a tie differently.

    trec lines are MEASURE, `all` or the query, VALUE; tsv lines begin with the run's name, which is its
    file's name without ends such as .trec.gz, or the tag of a run from a pipe. In tables and csv, json,
    latex and markdown --baseline adds differences. --assert == compares at the decimals written.
    """
    from rerank_cli.cli.streams import output_stream
    from rerank_cli.cli.whole_runs import read_runs
    from rerank_cli.evaluation.assertions import parse_assertion
    from rerank_cli.evaluation.measures import Judge
    from rerank_cli.evaluation.names import DEFAULT_MEASURES, parse_measures
    from rerank_cli.evaluation.report import Report

    assertions = [parse_assertion(text) for text in assertion or []]
    if baseline is None and any(a.needs_baseline for a in assertions):
        raise WrongUsage("an assertion refers to the baseline, but there is none", "name it with --baseline RUN")
    # Names are checked before stdin is waited for.
    parse_measures([*(measure or ()), *(a.measure for a in assertions)], rel)
    paths: list[str | None] = [*runs] if runs else [None]
    if baseline is not None and baseline not in paths:
        paths.append(baseline)
    files = read_runs(paths, input_format.value, lenient, terminal)
    judged, known_rel = _judgements(qrels, collection, split, files, terminal)
    rel = known_rel if rel is None else rel
    shown_measures = parse_measures(measure or DEFAULT_MEASURES, rel)
    asserted = [parse_measures([a.measure], rel) for a in assertions]
    judge = Judge(list(dict.fromkeys([*shown_measures, *(m for ms in asserted for m in ms)])), judged)
    names = _run_names(paths, files)
    everything = [
        _evaluated(judge, file.run, name, path or "stdin", terminal)
        for file, name, path in zip(files, names, paths, strict=True)
    ]
    base = everything[paths.index(baseline)] if baseline is not None else None
    own = everything[: len(runs or [None])]
    shown = [evaluation.only(map(str, shown_measures)) for evaluation in everything]
    report = Report(shown, per_query, None if base is None else shown[everything.index(base)], digits)
    with output_stream(output) as stream:
        stream.writelines(_written(report, output_as, len(own), output))
    _check(assertions, [[str(m) for m in ms] for ms in asserted], own, base, terminal)


def _judgements(
    qrels: str | None, collection: str | None, split: str, files: list[RunFile], terminal: Terminal
) -> tuple[Qrels, int | None]:
    """The judgements, and the least relevant grade where the collection says one."""
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.collection import open_collection

    settings = Settings()
    named = overrides(qrels=qrels, split=split)
    if qrels is not None and collection is None:
        # A file of judgements stands alone: no setting and no header has a say.
        found = open_collection(
            None, named, registered={}, cache_dir=settings.cache_dir, note=terminal.note, offline=terminal.offline
        )
    else:
        header = next((file.header for file in files if file.header), None)
        opened = collection_of(collection, named, settings, terminal, header=header)
        assert opened is not None
        found = opened
    judged = found.qrels()
    if not len(judged):
        raise BadData("there are no judgements in it", "name a file of judgements with -Q", where=qrels or found.name)
    return judged, found.rel


def _run_names(paths: list[str | None], files: list[RunFile]) -> list[str]:
    """A name for each run: its file's, or the tag of one from a pipe; made distinct by folder, then by number."""
    plain = [_file_name(path) or file.run.tag for path, file in zip(paths, files, strict=True)]
    names = [
        name if path is None or plain.count(name) == 1 or not _file_name(path) else f"{Path(path).parent.name}/{name}"
        for name, path in zip(plain, paths, strict=True)
    ]
    return [name if names.count(name) == 1 else f"{name}#{n + 1}" for n, name in enumerate(names)]


def _file_name(path: str | None) -> str:
    """The name of a regular file without its known ends, in one line; "" for a pipe."""
    if path is None or path == "-" or not Path(path).is_file():
        return ""
    file = Path(path)
    while file.suffix.lower() in _ENDS:
        file = file.with_suffix("")
    return " ".join(file.name.split())


def _evaluated(judge: Judge, run: Run, name: str, path: str, terminal: Terminal) -> Evaluation:
    evaluation = judge.evaluate(run, name)
    topics = len(evaluation.topics)
    if len(run) and evaluation.lacking == topics:
        raise BadData(
            f"none of its {len(run)} queries is among the {topics} judged topics",
            "are these the judgements of another collection? See -Q and -c",
            where=path,
        )
    if evaluation.lacking:
        terminal.warn(f"{name}: {evaluation.lacking} of {topics} judged topics are not in the run and count as 0")
    if evaluation.unjudged:
        terminal.note(f"{name}: {evaluation.unjudged} queries of the run are not judged and were left out")
    return evaluation


def _written(report: Report, style: Format, runs: int, output: str) -> list[bytes]:
    import sys

    from rerank_cli.evaluation.report import lines

    on_terminal = output == "-" and sys.stdout.isatty()
    if style is Format.auto:
        style = Format.table if on_terminal else Format.trec if runs == 1 else Format.tsv
    if style is Format.trec and runs > 1:
        raise WrongUsage(f"--format trec has no column for the run, and there are {runs}", "use --format tsv")
    if style is Format.table:
        from rerank_cli.cli.tables import drawn

        return [drawn(report, on_terminal).encode("utf-8", "surrogateescape")]
    return [f"{line}\n".encode("utf-8", "surrogateescape") for line in lines(report, style.value)]


def _check(
    assertions: list[Assertion],
    measures: list[list[str]],
    own: list[Evaluation],
    base: Evaluation | None,
    terminal: Terminal,
) -> None:
    failures = []
    for assertion, names in zip(assertions, measures, strict=True):
        for name in names:
            reference = base.of(name) if base is not None else None
            for evaluation in own:
                value = evaluation.of(name)
                if not assertion.holds(value, reference):
                    bound = f", the bound is {assertion.bound(reference):.6g}" if assertion.needs_baseline else ""
                    failures.append(f"{evaluation.name}: {assertion.text} does not hold, {name} is {value:.6g}{bound}")
    for failure in failures:
        terminal.warn(failure)
    if failures:
        raise Unmet(f"{len(failures)} of {sum(map(len, measures)) * len(own)} assertions did not hold")
