"""Changes between two runs as text for people and as tab-separated lines for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rerank_cli.core.run import Run
from rerank_cli.evaluation.changes import Change, Move, mean, moves


@dataclass(frozen=True)
class ChangeReport:
    """Two runs and what changed: names, the runs themselves, and where there are judgements the measure and grades."""

    names: tuple[str, str]
    runs: tuple[Run, Run]
    changes: Sequence[Change]
    k: int
    p: float
    #: "" without judgements.
    measure: str
    grades: Mapping[bytes, Mapping[bytes, int]]
    #: Texts of the queries, where a collection has them.
    topics: Mapping[bytes, str]
    show: int
    digits: int


#: Documents named under a query.
_MOVES = 4


def tsv(report: ChangeReport) -> Iterator[str]:
    """A header, then a line a query; what is not known is empty."""
    yield "\t".join(["query", *report.names, "difference", f"overlap@{report.k}", "tau", "rbo"])
    for change in report.changes:
        values = (change.before, change.after, change.difference, change.overlap, change.tau, change.rbo)
        yield "\t".join([_id(change.qid), *("" if v is None else f"{v:.{report.digits}f}" for v in values)])


def documents_tsv(report: ChangeReport) -> Iterator[str]:
    """A header, then a line a document that moved within or across the first k of a query's lists."""
    yield "\t".join(["query", "document", *report.names, "grade"])
    for change in report.changes:
        for move in _moves(report, change.qid):
            numbers = (move.before, move.after, move.grade)
            yield "\t".join([_id(change.qid), _id(move.docid), *("" if n is None else str(n) for n in numbers)])


def text(report: ChangeReport) -> Iterator[str]:
    """Both runs in a few lines, then the queries that changed most, with the documents that made the change."""
    first, second = report.runs
    shared = sum(qid in second for qid in first.qids)
    wide = max(map(len, report.names))
    for letter, name, run in zip("AB", report.names, report.runs, strict=True):
        yield f"{letter}  {name:<{wide}}  {len(run)} queries, {shared} of them in both"
    yield ""
    yield from _similarities(report)
    judged = [change for change in report.changes if change.difference is not None]
    if judged:
        yield ""
        yield from _values(report, judged)
    for title, chosen in _chosen(report, judged):
        if chosen:
            yield ""
            yield title
            for change in chosen:
                yield from _query(report, change)


def _similarities(report: ChangeReport) -> Iterator[str]:
    both = [c for c in report.changes if all(c.qid in run for run in report.runs)]
    columns: list[tuple[str, list[tuple[float, Change]]]] = [
        (f"overlap@{report.k}", [(c.overlap, c) for c in both]),
        ("Kendall tau", [(c.tau, c) for c in both if c.tau is not None]),
        (f"RBO (p {report.p:g})", [(c.rbo, c) for c in both]),
    ]
    for name, values in columns:
        average = mean([value for value, _ in values])
        if average is None:
            yield f"{name:<14} no query has both lists"
            continue
        lowest, change = min(values, key=lambda pair: pair[0])
        yield f"{name:<14} mean {average:.{report.digits}f}, lowest {lowest:.{report.digits}f} ({_id(change.qid)})"


def _values(report: ChangeReport, judged: Sequence[Change]) -> Iterator[str]:
    before, after, difference = (
        mean([float(getattr(change, name)) for change in judged]) for name in ("before", "after", "difference")
    )
    better, worse = sum((c.difference or 0) > 0 for c in judged), sum((c.difference or 0) < 0 for c in judged)
    d = report.digits
    yield (
        f"{report.measure}  A {before:.{d}f}  B {after:.{d}f}  B - A {difference:+.{d}f}; "
        f"{better} better, {len(judged) - better - worse} equal, {worse} worse"
    )


def _chosen(report: ChangeReport, judged: Sequence[Change]) -> list[tuple[str, list[Change]]]:
    """The lists of queries: title and the first `show` of each; a query may be in several."""

    def lowest(among: Sequence[Change], key: Callable[[Change], float]) -> list[Change]:
        return sorted(among, key=key)[: report.show]

    improved = [c for c in judged if (c.difference or 0) > 0]
    harmed = [c for c in judged if (c.difference or 0) < 0]
    reordered = [c for c in report.changes if c.rbo < 1]
    return [
        ("Most improved", lowest(improved, lambda c: -(c.difference or 0))),
        ("Most harmed", lowest(harmed, lambda c: c.difference or 0)),
        ("Hardest (lowest mean of both)", lowest(judged, lambda c: (c.before or 0) + (c.after or 0))),
        ("Most reordered (lowest RBO)", lowest(reordered, lambda c: c.rbo)),
    ]


def _query(report: ChangeReport, change: Change) -> Iterator[str]:
    d = report.digits
    words = " ".join(report.topics.get(change.qid, "").split())
    values = ""
    if change.difference is not None:
        values = f"{change.before:.{d}f} -> {change.after:.{d}f}  {change.difference:+.{d}f}  "
    yield f"  {_id(change.qid)}  {values}RBO {change.rbo:.{d}f}  {words}".rstrip()
    own = _moves(report, change.qid)[:_MOVES]
    if own:
        yield "    " + ", ".join(map(_move, own))


def _move(move: Move) -> str:
    grade = "" if move.grade is None else f" (grade {move.grade})"
    return f"{_id(move.docid)} {move.before or '-'} -> {move.after or '-'}{grade}"


def _moves(report: ChangeReport, qid: bytes) -> list[Move]:
    lists = [(run[qid] if qid in run else None) for run in report.runs]  # noqa: SIM401 - a Run has no get
    return moves(lists[0], lists[1], report.k, report.grades.get(qid))


def _id(identifier: bytes) -> str:
    """Ids leave as the bytes they are: what is not UTF-8 is kept by surrogates."""
    return identifier.decode("utf-8", "surrogateescape")
