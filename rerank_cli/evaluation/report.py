"""Evaluations as lines of text: trec, tsv, json, csv, latex, markdown; and the grid behind every table.

One value a line is for programs (`trec`, `tsv`, `json`, `csv`), a grid of runs by measures for people
(`latex`, `markdown`, and the terminal's table, which the command line draws).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rerank_cli.evaluation.measures import Evaluation

ALL = "all"


@dataclass(frozen=True)
class Report:
    """What to write: evaluations over the same measures and topics, the run that differences are to, the digits."""

    evaluations: Sequence[Evaluation]
    per_query: bool = False
    baseline: Evaluation | None = None
    digits: int = 4


@dataclass(frozen=True)
class Cell:
    """One value of a grid: its text, the difference to the baseline ("" for none), whether no run is better."""

    text: str
    difference: str
    best: bool


@dataclass(frozen=True)
class Grid:
    """Runs by measures: `header` names the columns; a row is its leading labels and its cells."""

    header: tuple[str, ...]
    rows: list[tuple[tuple[str, ...], list[Cell]]]


def grid(report: Report) -> Grid:
    """The values as a table; the best of several runs is marked, query by query where queries are shown."""
    first = report.evaluations[0]
    labels = ("Run", "Query") if report.per_query else ("Run",)
    rows = []
    for column, query in _columns(report):
        table = np.array([_column(e, column) for e in report.evaluations])
        written = [
            [_value(report, e, m, table[r, m]) for m in range(len(first.measures))] for r, e in _numbered(report)
        ]
        for r, evaluation in _numbered(report):
            cells = [
                Cell(written[r][m], _difference(report, evaluation, m, column), _is_best(report, table[:, m], r, m))
                for m in range(len(first.measures))
            ]
            rows.append(((evaluation.name, query)[: len(labels)], cells))
    return Grid((*labels, *first.measures), rows)


def lines(report: Report, style: str) -> Iterator[str]:
    """The report line by line, without line ends; `style` is trec, tsv, json, csv, latex or markdown.

    trec has no column for the run: it writes the first evaluation only.
    """
    if style == "latex":
        yield from _latex(grid(report))
    elif style == "markdown":
        yield from markdown_lines(grid(report))
    else:
        yield from {"trec": _trec, "tsv": _tsv, "json": _json, "csv": _csv}[style](report)


def _columns(report: Report) -> Iterator[tuple[int | None, str]]:
    """Topics in the judgements' order where they are wanted, then all of them together (None)."""
    if report.per_query:
        yield from enumerate(qid.decode("utf-8", "surrogateescape") for qid in report.evaluations[0].topics)
    yield None, ALL


def _column(evaluation: Evaluation, column: int | None) -> np.ndarray:
    return evaluation.overall if column is None else evaluation.values[:, column]


def _numbered(report: Report) -> Iterator[tuple[int, Evaluation]]:
    return enumerate(report.evaluations)


def _value(report: Report, evaluation: Evaluation, measure: int, value: float) -> str:
    if evaluation.measures[measure] in evaluation.counts:
        return str(round(value))
    return f"{value:.{report.digits}f}"


def _difference(report: Report, evaluation: Evaluation, measure: int, column: int | None) -> str:
    base = report.baseline
    if base is None or base is evaluation or evaluation.measures[measure] in evaluation.counts:
        return ""
    return f"{_column(evaluation, column)[measure] - _column(base, column)[measure]:+.{report.digits}f}"


def _is_best(report: Report, values: np.ndarray, run: int, measure: int) -> bool:
    """Whether this run's value, as written, is the highest of several; counts have no best."""
    first = report.evaluations[0]
    if len(values) < 2 or first.measures[measure] in first.counts:
        return False
    rounded = np.round(values, report.digits)
    return bool(rounded[run] == rounded.max() > rounded.min())


def _values(report: Report) -> Iterator[tuple[Evaluation, str, str, str, int, int | None]]:
    """Every value: run, measure, query, text, and where it stands; a run after the other, topics before `all`."""
    for evaluation in report.evaluations:
        for column, query in _columns(report):
            for position, measure in enumerate(evaluation.measures):
                text = _value(report, evaluation, position, _column(evaluation, column)[position])
                yield evaluation, measure, query, text, position, column


def _trec(report: Report) -> Iterator[str]:
    one = Report(report.evaluations[:1], report.per_query, None, report.digits)
    for _, measure, query, text, _, _ in _values(one):
        yield f"{measure}\t{query}\t{text}"


def _tsv(report: Report) -> Iterator[str]:
    for evaluation, measure, query, text, _, _ in _values(report):
        yield f"{evaluation.name}\t{measure}\t{query}\t{text}"


def _json(report: Report) -> Iterator[str]:
    for evaluation, measure, query, text, position, column in _values(report):
        count = measure in evaluation.counts
        record: dict[str, object] = {"run": evaluation.name, "measure": measure, "query": query}
        record["value"] = int(text) if count else float(text)
        difference = _difference(report, evaluation, position, column)
        if difference:
            record["difference"] = float(difference)
        yield json.dumps(record)


def _csv(report: Report) -> Iterator[str]:
    compared = ("difference",) if report.baseline is not None else ()
    yield csv_line(("run", "measure", "query", "value", *compared))
    for evaluation, measure, query, text, position, column in _values(report):
        difference = (_difference(report, evaluation, position, column),) if compared else ()
        yield csv_line((evaluation.name, measure, query, text, *difference))


def csv_line(fields: Sequence[str]) -> str:
    """One record of CSV, quoted where it must be, without a line end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    return out.getvalue()


def _latex(table: Grid) -> Iterator[str]:
    labels = len(table.rows[0][0])
    yield rf"\begin{{tabular}}{{{'l' * labels}{'r' * (len(table.header) - labels)}}}"
    yield r"\toprule"
    yield " & ".join(map(latex_text, table.header)) + r" \\"
    yield r"\midrule"
    for names, cells in table.rows:
        texts = [rf"\textbf{{{cell.text}}}" if cell.best else cell.text for cell in cells]
        pairs = [f"{text} (${cell.difference}$)" if cell.difference else text for text, cell in zip(texts, cells)]
        yield " & ".join([*map(latex_text, names), *pairs]) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"


_LATEX = {c: "\\" + c for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def latex_text(text: str) -> str:
    """Text with the characters escaped that mean something to LaTeX."""
    return "".join(_LATEX.get(character, character) for character in text)


def markdown_lines(table: Grid) -> Iterator[str]:
    """A grid as a table of Markdown, labels to the left, values to the right, the best bold."""
    labels = len(table.rows[0][0])
    yield f"| {' | '.join(map(_markdown_text, table.header))} |"
    yield f"|{'---|' * labels}{'---:|' * (len(table.header) - labels)}"
    for names, cells in table.rows:
        texts = [f"**{cell.text}**" if cell.best else cell.text for cell in cells]
        pairs = [f"{text} ({cell.difference})" if cell.difference else text for text, cell in zip(texts, cells)]
        yield f"| {' | '.join([*map(_markdown_text, names), *pairs])} |"


def _markdown_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")
