"""Comparisons as lines of text and as a table: which run is better, by how much, and how sure that is.

For people: `table` and `markdown` show a row a comparison, `latex` the grid of a paper, runs by measures, where
superscript letters name the runs that one beats significantly (the layout of ranx: Bassani, ECIR 2022).
For programs: `csv` and `json` have a record a comparison with the fields of `FIELDS`; `tsv` keeps eval's four
columns, its second being MEASURE STATISTIC BASELINE, parted by blanks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from rerank_cli.errors import WrongUsage
from rerank_cli.evaluation import report as plain
from rerank_cli.evaluation.comparison import Comparison, Interval, compare
from rerank_cli.evaluation.measures import Evaluation
from rerank_cli.evaluation.report import Cell, Grid
from rerank_cli.evaluation.significance import TESTS

#: Statistics of a comparison beside its names, in the order in which they are written.
STATISTICS = (
    *("mean", "mean_low", "mean_high", "baseline_mean", "difference", "difference_low", "difference_high"),
    *("wins", "ties", "losses", "effect", "robustness", "p", "p_corrected", "significant"),
)
FIELDS = ("measure", "run", "baseline", "topics", *STATISTICS, "test", "correction", "alpha")
#: Those in the measure's own unit, which are written with the report's digits; other numbers with six figures.
_IN_UNITS = frozenset(STATISTICS[:7])


@dataclass(frozen=True)
class ComparisonReport:
    """What to write: the evaluations, their comparisons, and how they were made."""

    evaluations: Sequence[Evaluation]
    comparisons: Sequence[Comparison]
    #: Name of the run that all others are compared with; None where every pair is.
    baseline: str | None
    #: Measure -> run -> interval of its mean.
    intervals: dict[str, dict[str, Interval]]
    test: str
    correction: str
    alpha: float
    digits: int
    eps: float

    def method(self) -> str:
        """One line that says what the p-values are."""
        ties = f"; differences up to {self.eps:g} are ties" if self.eps else ""
        test = TESTS[self.test].summary.partition(":")[0]
        return f"{test}; {self._family()}; bootstrap intervals at {self.level}%{ties}"

    @property
    def level(self) -> str:
        """The level of the intervals in percent: 95."""
        return f"{100 * (1 - self.alpha):.4g}"

    def _family(self) -> str:
        each = len(self.comparisons) // len(self.evaluations[0].measures)
        count = f"{each} comparison{'s' if each > 1 else ''} a measure"
        if TESTS[self.test].joint:
            return f"corrected by construction over all pairs, {count} shown"
        if self.correction == "none":
            return f"p-values of {count} not corrected"
        return f"p corrected for {count} ({self.correction})" if each > 1 else f"p of {count}"


def compared(
    evaluations: Sequence[Evaluation],
    baseline: str | None,
    test: str,
    correct: str | None,
    alpha: float,
    seed: int,
    digits: int,
    eps: float,
) -> ComparisonReport:
    """Compare evaluations over the same topics and measures (see `compare`).

    `WrongUsage` for fewer than two runs, an unknown test or correction, and a measure that is a count: its values
    are no effectiveness.
    """
    first = evaluations[0]
    if counts := [measure for measure in first.measures if measure in first.counts]:
        raise WrongUsage(f"{counts[0]} is a count, which is not compared", "leave it out with --compare")
    values = {
        measure: {evaluation.name: evaluation.values[row] for evaluation in evaluations}
        for row, measure in enumerate(first.measures)
    }
    comparisons = compare(values, baseline, test, correct, alpha, seed, eps=eps)
    around: dict[str, dict[str, Interval]] = {measure: {} for measure in first.measures}
    for comparison in comparisons:
        around[comparison.measure][comparison.run] = comparison.mean_interval
        around[comparison.measure][comparison.baseline] = comparison.baseline_interval
    correction = comparisons[0].correction
    return ComparisonReport(evaluations, comparisons, baseline, around, test, correction, alpha, digits, eps)


def lines(report: ComparisonReport, style: str) -> Iterator[str]:
    """The report line by line, without line ends; `style` is tsv, csv, json, latex or markdown."""
    yield from {"tsv": _tsv, "csv": _csv, "json": _json, "latex": _latex, "markdown": _markdown}[style](report)


def table(report: ComparisonReport) -> Grid:
    """A row a comparison, measure by measure; a run that is compared with none has its mean and interval only.

    Marked are the best mean of a measure and the corrected p-values below alpha.
    """
    pairs = report.baseline is None
    interval = f"{report.level}% CI"
    corrected = "p" if report.correction == "none" else f"p ({report.correction})"
    raw = () if report.correction == "none" else ("p",)
    header = ("Measure", "Run", *(("Against",) if pairs else ()))
    statistics = ("Mean", interval, "Difference", interval, "W/T/L", "Effect", *raw, corrected)
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    for measure in report.evaluations[0].measures:
        best = _best(report, measure)
        for evaluation in report.evaluations:
            name = evaluation.name
            mean = Cell(_number(report, evaluation.of(measure)), "", name in best)
            around = Cell(_interval(report, report.intervals[measure][name]), "", False)
            own = [c for c in report.comparisons if (c.measure, c.run) == (measure, name)]
            if not own:
                labels = (measure, name, "")[: len(header)]
                rows.append((labels, [mean, around, *[Cell("", "", False)] * (len(statistics) - 2)]))
            for comparison in own:
                labels = (measure, name, comparison.baseline)[: len(header)]
                rows.append((labels, [mean, around, *_cells(report, comparison)]))
    return Grid((*header, *statistics), rows)


def _cells(report: ComparisonReport, comparison: Comparison) -> list[Cell]:
    texts = [
        f"{comparison.difference:+.{report.digits}f}",
        _interval(report, comparison.difference_interval, sign="+"),
        f"{comparison.wins}/{comparison.ties}/{comparison.losses}",
        f"{comparison.effect:+.2f}",
    ]
    if report.correction != "none":
        texts.append(_probability(comparison.p))
    cells = [Cell(text, "", False) for text in texts]
    return [*cells, Cell(_probability(comparison.p_corrected), "", comparison.significant)]


def _number(report: ComparisonReport, value: float) -> str:
    return f"{value:.{report.digits}f}"


def _interval(report: ComparisonReport, interval: Interval, sign: str = "") -> str:
    return f"[{interval.low:{sign}.{report.digits}f}, {interval.high:{sign}.{report.digits}f}]"


def _probability(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def _best(report: ComparisonReport, measure: str) -> set[str]:
    """The runs whose mean, as written, no other exceeds; none when all are equal."""
    means = {evaluation.name: _number(report, evaluation.of(measure)) for evaluation in report.evaluations}
    highest = max(means.values(), key=float)
    best = {name for name, text in means.items() if text == highest}
    return best if len(best) < len(means) else set()


def _record(report: ComparisonReport, comparison: Comparison) -> dict[str, object]:
    """FIELDS in order, numbers rounded as they are written; booleans stay."""
    flat = vars(comparison) | {
        "mean_low": comparison.mean_interval.low,
        "mean_high": comparison.mean_interval.high,
        "difference_low": comparison.difference_interval.low,
        "difference_high": comparison.difference_interval.high,
        "alpha": report.alpha,
    }
    return {field: _rounded(report, field, flat[field]) for field in FIELDS}


def _rounded(report: ComparisonReport, field: str, value: object) -> object:
    if not isinstance(value, float):
        return value
    return round(value, report.digits) + 0.0 if field in _IN_UNITS else float(f"{value:.6g}")


def _texts(report: ComparisonReport, comparison: Comparison) -> dict[str, str]:
    """FIELDS as text: decimals in full, booleans as 1 and 0, infinite effects as inf and -inf."""
    texts = {}
    for field, value in _record(report, comparison).items():
        if field in _IN_UNITS:
            texts[field] = f"{value:.{report.digits}f}"
        else:
            texts[field] = str(int(value)) if isinstance(value, bool) else str(value)
    return texts


def _tsv(report: ComparisonReport) -> Iterator[str]:
    yield from plain.lines(plain.Report(report.evaluations, digits=report.digits), "tsv")
    for comparison in report.comparisons:
        texts = _texts(report, comparison)
        for statistic in STATISTICS:
            if not statistic.startswith(("mean", "baseline")):
                measure = f"{comparison.measure} {statistic} {comparison.baseline}"
                yield f"{comparison.run}\t{measure}\tall\t{texts[statistic]}"


def _csv(report: ComparisonReport) -> Iterator[str]:
    yield plain.csv_line(FIELDS)
    for comparison in report.comparisons:
        yield plain.csv_line(list(_texts(report, comparison).values()))


def _json(report: ComparisonReport) -> Iterator[str]:
    """JSON has no infinity: an infinite effect is the string "inf" or "-inf"."""
    for comparison in report.comparisons:
        record = _record(report, comparison)
        infinite = {k: str(v) for k, v in record.items() if isinstance(v, float) and math.isinf(v)}
        yield json.dumps(record | infinite)


def _markdown(report: ComparisonReport) -> Iterator[str]:
    yield from plain.markdown_lines(table(report))


def _latex(report: ComparisonReport) -> Iterator[str]:
    """Runs by measures for booktabs; the comment above says what the letters are."""
    names = [evaluation.name for evaluation in report.evaluations]
    letter = dict(zip(names, map(_letter, range(len(names)))))
    measures = report.evaluations[0].measures
    beaten: dict[tuple[str, str], list[str]] = {}
    for c in report.comparisons:
        if c.significant:
            winner, loser = (c.run, c.baseline) if c.difference > 0 else (c.baseline, c.run)
            beaten.setdefault((c.measure, winner), []).append(letter[loser])
    yield f"% superscripts: runs significantly beaten, alpha {report.alpha:g}; {report.method()}"
    yield rf"\begin{{tabular}}{{ll{'r' * len(measures)}}}"
    yield r"\toprule"
    yield " & ".join(["", "Run", *map(plain.latex_text, measures)]) + r" \\"
    yield r"\midrule"
    for evaluation in report.evaluations:
        name = evaluation.name
        cells = []
        for measure in measures:
            text = _number(report, evaluation.of(measure))
            text = rf"\textbf{{{text}}}" if name in _best(report, measure) else text
            marks = ",".join(sorted(beaten.get((measure, name), []), key=lambda mark: (len(mark), mark)))
            if max(map(len, letter.values())) == 1:
                marks = marks.replace(",", "")
            cells.append(text + (rf"$^{{{marks}}}$" if marks else ""))
        yield " & ".join([letter[name], plain.latex_text(name), *cells]) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _letter(position: int) -> str:
    """a, b, … z, aa, ab, …"""
    rest, last = divmod(position, 26)
    return (_letter(rest - 1) if rest else "") + ascii_lowercase[last]
