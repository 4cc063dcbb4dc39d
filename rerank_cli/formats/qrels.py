"""Relevance judgements: TREC's `qid iter docid rel`, and BEIR's three columns under a header."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np

from rerank_cli.core.ids import id_array, joined_ids
from rerank_cli.core.qrels import Qrels
from rerank_cli.errors import BadData
from rerank_cli.formats.lines import BYTE_ORDER_MARK, Faults, numbered, shown_field
from rerank_cli.formats.regular import regular_lines
from rerank_cli.formats.trec import refuses_nul

_FOUR = "a line is: qid iter docid rel (or three columns below the header query-id corpus-id score)"
_THREE = "below a header a line is: query-id corpus-id score"
#: Bytes that are taken apart at a time; a smaller file is read line by line, to the same end.
CHUNK = 1 << 23
FAST_FROM = 1 << 16
#: Grades are 64-bit; nobody judges beyond this.
_LARGEST = 2**53


def read_qrels(stream: BinaryIO, name: str) -> Qrels:
    """Read judgements, any blanks or tabs between the fields, `#` comments and blank lines passed over.

    Of a pair judged twice both rows stay (see `Qrels.by_query`). Raises `BadData` with FILE:LINE on
    another number of fields or a grade that is not a whole number, and on a file without judgements.
    About 0.2 s for a million regular lines, 1.5 s for others.
    """
    text = stream.read()
    found = _regular(text) if len(text) >= FAST_FROM else None
    return _irregular(text, name) if found is None else found


def _regular(text: bytes) -> Qrels | None:
    """The judgements of lines that are certain to be as they should be; None for any others."""
    parts: list[tuple[np.ndarray, ...]] = []
    start = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    line = text[start : text.find(b"\n", start) + 1]
    width = 3 if len(line.split()) == 3 and _grade(line.split()[2]) is None else 4
    if width == 3:
        start += len(line)
    while start < len(text):
        stop = text.rfind(b"\n", start, start + CHUNK) + 1 or len(text)
        columns = _columns(text[start:stop], width)
        if columns is None:
            return None
        parts.append(columns)
        start = stop
    if not parts:
        return None
    qids, iterations, docids, grades = zip(*parts, strict=True)
    return Qrels(joined_ids(qids), joined_ids(iterations), joined_ids(docids), np.concatenate(grades))


def _columns(text: bytes, width: int) -> tuple[np.ndarray, ...] | None:
    lines = regular_lines(text, fields=width)
    if lines is None:
        return None
    grades = lines.whole_numbers(width - 1)
    qids = lines.ids(0)
    if grades is None or any(name.startswith(b"#") for name in lines.stretches(0)[0]):
        return None
    iterations = lines.ids(1) if width == 4 else np.full(len(lines), b"0")
    return qids, iterations, lines.ids(width - 2), grades


def _irregular(text: bytes, name: str) -> Qrels:
    fault = Faults(name)
    columns: tuple[list[bytes], list[bytes], list[bytes], list[int]] = ([], [], [], [])
    qids, iterations, docids, grades = columns
    width = 0
    for number, line in numbered(io.BytesIO(text)):
        fault.line = number
        fields = line.split()
        if width == 0:
            width = 3 if len(fields) == 3 and _grade(fields[2]) is None else 4
            if width == 3:
                continue
        if len(fields) != width:
            fault(
                f"{len(fields)} fields, where judgements {'below a header ' if width == 3 else ''}have {width}",
                _THREE if width == 3 else _FOUR,
            )
        grade = _grade(fields[-1])
        if grade is None:
            fault(f"the grade {shown_field(fields[-1])} is not a whole number", _THREE if width == 3 else _FOUR)
        assert grade is not None
        if b"\0" in line:
            refuses_nul(fault, fields[0], fields[-2])
        qids.append(fields[0])
        iterations.append(fields[1] if width == 4 else b"0")
        docids.append(fields[-2])
        grades.append(grade)
    if not qids:
        raise BadData("no judgements in this file", _FOUR, where=name)
    return Qrels(id_array(qids), id_array(iterations), id_array(docids), np.array(grades, dtype=np.int64))


def _grade(field: bytes) -> int | None:
    """A grade: a whole number, also written as `1.0`; None for anything else."""
    try:
        value = float(field)
    except ValueError:
        return None
    return int(value) if b"_" not in field and abs(value) <= _LARGEST and value == int(value) else None
