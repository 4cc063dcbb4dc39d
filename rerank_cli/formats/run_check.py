"""What is wrong with a run, all of it: counted, with the first places, nothing mended and nothing thrown away.

Most of what spoils a comparison is no syntax error: two evaluators break a tie in different ways, one
reads scores as 32-bit floats, another believes the rank column or the order of the lines. A run that
says the same thing in its ranks, its scores and its order is read the same by all of them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.core.texts import Texts
from rerank_cli.errors import BadData
from rerank_cli.formats.columns import Columns, read_columns
from rerank_cli.formats.lines import Faults
from rerank_cli.formats.rows import RowReader
from rerank_cli.formats.run_rows import Rows, joined_rows

#: Places kept of each kind of finding.
FIRST = 5


class Severity(enum.StrEnum):
    """What a finding means: the run cannot be read as it is, programs may disagree about it, or a fact."""

    error = "error"
    warning = "warning"
    note = "note"


#: Check -> its severity, and what is counted.
CHECKS: dict[str, tuple[Severity, str]] = {
    "unreadable": (Severity.error, "compressed data that is cut or corrupt"),
    "malformed": (Severity.error, "lines that are no rows of a run"),
    "duplicate": (Severity.error, "rows of a document that its query already has"),
    "empty": (Severity.warning, "no rows at all"),
    "tie": (Severity.warning, "documents with the score of the one before them"),
    "float32": (Severity.warning, "documents whose score is that of the one before them once it is a 32-bit float"),
    "rank": (Severity.warning, "rows whose rank is not above that of the next better score"),
    "unsorted": (Severity.warning, "rows with a better score than the row before them"),
    "split-query": (Severity.warning, "queries in several blocks of lines"),
    "not-utf8": (Severity.warning, "rows with an id that is not UTF-8"),
    "unwritable": (
        Severity.warning,
        "rows with an id that a TREC line cannot hold: a blank, or a query's that begins with #",
    ),
    "unknown-topic": (Severity.warning, "queries that the topics do not have"),
    "missing-topic": (Severity.warning, "topics that the run does not have"),
    "missing-document": (Severity.warning, "documents that the collection does not have"),
    "comment": (Severity.note, "comment lines, which trec_eval 9 does not take"),
    "rows": (Severity.note, "rows"),
    "queries": (Severity.note, "queries"),
    "depth-min": (Severity.note, "documents in the shortest list"),
    "depth-median": (Severity.note, "documents in the median list"),
    "depth-max": (Severity.note, "documents in the longest list"),
}


class Place(NamedTuple):
    """Where (FILE:LINE, or a topic that stands nowhere in the file), and what is there."""

    where: str
    what: str


@dataclass(frozen=True)
class Finding:
    """How often a check of `CHECKS` found something, and the first few places."""

    check: str
    count: int
    places: tuple[Place, ...] = ()

    @property
    def severity(self) -> Severity:
        """Error, warning or note."""
        return CHECKS[self.check][0]


@dataclass(frozen=True)
class Known:
    """What a run is held against; None is not looked at. `topics`: all there are; `expected`: those a run should have."""

    topics: AbstractSet[bytes] | None = None
    expected: Sequence[bytes] | None = None
    texts: Texts | None = None


def check_run(stream: BinaryIO, name: str, *, format: str = "auto", known: Known | None = None) -> list[Finding]:
    """Every check that can be made of a run, in the order of `CHECKS`, also those that found nothing.

    Raises nothing about the run's content: a malformed line is a finding. About 1 s for a million regular
    lines on a busy core, two thirds of it reading, and 2 µs for each different document when there are texts;
    memory: two and a half times the file, uncompressed.
    """
    known = known or Known()
    reader = _CountingReader(name, format)
    parts: list[Columns] = []
    try:
        for part in read_columns(stream, reader, ranks=True):
            reader.look_at_ids(part)
            parts.append(part)
    except BadData as error:
        return [Finding("unreadable", 1, (Place(name, error.message.removeprefix(f"{name}: ")),))]
    rows = joined_rows(parts, name, scored=reader.format != "top1000")
    del parts
    found = [Finding("malformed", reader.malformed.count, tuple(reader.malformed.places))]
    found.append(_finding("duplicate", rows, rows.doubled()))
    found.append(Finding("empty", int(not len(rows)), () if len(rows) else (Place(name, "no rows"),)))
    if rows.scored:
        by_score = rows.by_score()
        found += [_finding(check, rows, by_score[check]) for check in ("tie", "float32", "rank") if check in by_score]
        found.append(_finding("unsorted", rows, rows.unsorted()))
    found.append(_finding("split-query", rows, rows.split_queries(), whole_query=True))
    found.append(Finding("not-utf8", reader.not_utf8.count, tuple(reader.not_utf8.places)))
    found.append(Finding("unwritable", reader.unwritable.count, tuple(reader.unwritable.places)))
    found += _against(known, rows)
    found.append(Finding("comment", reader.comments.count, tuple(reader.comments.places)))
    return [*found, *_depths(rows)]


@dataclass
class _Counted:
    """A count and the first places of it."""

    count: int = 0
    places: list[Place] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        self.count += 1
        if len(self.places) < FIRST:
            self.places.append(Place(where, what))


class _AllFaults(Faults):
    """Faults of all lines, at most one a line; none is raised."""

    def __init__(self, name: str) -> None:
        super().__init__(name, lenient=True)
        self.counted = _Counted()
        self._last = 0

    def __call__(self, message: str, hint: str = "") -> None:
        if self.line != self._last:
            self.counted.add(f"{self.name}:{self.line}", message)
        self._last = self.line


class _CountingReader(RowReader):
    """A reader that stops at nothing and counts what it passes."""

    def __init__(self, name: str, format: str) -> None:
        super().__init__(name, format, lenient=True)
        faults = _AllFaults(name)
        self.faults = faults
        self.malformed, self.comments = faults.counted, _Counted()
        self.not_utf8, self.unwritable = _Counted(), _Counted()

    def comment(self, number: int, line: bytes) -> None:
        """Count it, and see whether a header in it is broken."""
        self.comments.add(f"{self.faults.name}:{number}", "a comment line")
        super().comment(number, line)

    def look_at_ids(self, part: Columns) -> None:
        """Count the rows with ids that are not UTF-8 or could not be written; a glance where all are usual."""
        documents = b"".join(part.docids) if part.docids.dtype == object else part.docids.tobytes()
        ascii_only = documents.isascii() and all(map(bytes.isascii, part.qids))
        if ascii_only and self.format in ("trec", "msmarco") and not any(qid.startswith(b"#") for qid in part.qids):
            return
        qids = (qid for qid, length in zip(part.qids, part.lengths.tolist(), strict=True) for _ in range(length))
        for qid, docid, line in zip(qids, part.docids.tolist(), list(part.lines), strict=True):
            place = f"{self.faults.name}:{line}", f"query {shown(qid)}, document {shown(docid)}"
            if not (_is_utf8(docid) and _is_utf8(qid)):
                self.not_utf8.add(*place)
            if qid.startswith(b"#") or qid.split() != [qid] or docid.split() != [docid]:
                self.unwritable.add(*place)


def _is_utf8(identifier: bytes) -> bool:
    try:
        identifier.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _finding(check: str, rows: Rows, found: np.ndarray, *, whole_query: bool = False) -> Finding:
    """A finding of row numbers `found`, in any order."""
    first = np.sort(found)[:FIRST].tolist()
    return Finding(
        check,
        len(found),
        tuple(
            Place(rows.where(row), f"query {rows.qid(row)}" + ("" if whole_query else f", document {rows.docid(row)}"))
            for row in first
        ),
    )


def _against(known: Known, rows: Rows) -> Iterable[Finding]:
    if known.topics is not None:
        strangers = [number for number, qid in enumerate(rows.qids) if qid not in known.topics]
        yield _finding("unknown-topic", rows, rows.first_rows()[strangers], whole_query=True)
    if known.expected is not None:
        absent = [qid for qid in known.expected if qid not in rows.position]
        places = tuple(Place(f"topic {shown(qid)}", "is not in the run") for qid in absent[:FIRST])
        yield Finding("missing-topic", len(absent), places)
    if known.texts is not None:
        documents = list(dict.fromkeys(rows.docids.tolist()))
        there = known.texts.contains(documents)
        absent = [docid for docid, found in zip(documents, there, strict=True) if not found]
        first = [np.flatnonzero(rows.docids == docid)[0] for docid in absent[:FIRST]]
        yield Finding("missing-document", len(absent), _finding("", rows, np.array(first, dtype=np.int64)).places)


def _depths(rows: Rows) -> Iterable[Finding]:
    depths, first = rows.depths(), rows.first_rows()
    yield Finding("rows", len(rows))
    yield Finding("queries", len(rows.qids))
    if not len(depths):
        return
    shortest, longest = int(depths.argmin()), int(depths.argmax())
    for check, query, count in (
        ("depth-min", shortest, int(depths[shortest])),
        ("depth-median", None, int(np.median(depths))),
        ("depth-max", longest, int(depths[longest])),
    ):
        places = () if query is None else _finding("", rows, first[[query]], whole_query=True).places
        yield Finding(check, count, places)
