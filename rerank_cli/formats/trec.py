"""TREC run lines, `qid Q0 docid rank score tag`, and MS MARCO's short ones, `qid docid rank`.

trec_eval's format since 1992: any blanks between the fields, order by score, the rank column for
show. MS MARCO's submissions keep only the rank; its reciprocal is the score (as Pyserini reads them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rerank_cli.core.texts import Document
from rerank_cli.formats.lines import Faults, shown_field

#: One candidate: qid, docid, score (None: by position), query text, document text.
Row = tuple[bytes, bytes, float | None, str | None, Document | None]

_SIX = "a line is: qid Q0 docid rank score tag (another format: see --input-format)"
_JUDGEMENTS = "four fields are judgements, which are named with -Q; a line of a run is: qid Q0 docid rank score tag"
_THREE = "a line is: qid docid rank, ranks from 1"


def parse_trec(line: bytes, fault: Faults) -> Sequence[Row]:
    """The row of a six-column line. Lenient: one with junk behind six good fields is cut, others are dropped."""
    fields = line.split()
    if len(fields) != 6:
        fault(f"{len(fields)} fields, where a TREC run has 6", _JUDGEMENTS if len(fields) == 4 else _SIX)
        if len(fields) < 6 or not fields[3].lstrip(b"-").isdigit() or not _is_score(fields[4]):
            return ()
    qid, docid, field = fields[0], fields[2], fields[4]
    if not _is_score(field):
        fault(f"the score {shown_field(field)} is not a finite number", _SIX)
        return ()
    if b"\0" in line and refuses_nul(fault, qid, docid):
        return ()
    return ((qid, docid, float(field), None, None),)


def trec_tag(line: bytes) -> str | None:
    """The sixth field, or None."""
    fields = line.split()
    return fields[5].decode("utf-8", "surrogateescape") if len(fields) > 5 else None


def parse_msmarco(line: bytes, fault: Faults) -> Sequence[Row]:
    """The row of a three-column line, scored 1/rank."""
    fields = line.split()
    if len(fields) != 3:
        fault(f"{len(fields)} fields, where an MS MARCO run has 3", _THREE)
        return ()
    qid, docid, rank = fields
    if not rank.isdigit() or len(rank) > 18 or int(rank) < 1:
        fault(f"the rank {shown_field(rank)} is not a whole number from 1", _THREE)
        return ()
    if b"\0" in line and refuses_nul(fault, qid, docid):
        return ()
    return ((qid, docid, 1.0 / int(rank), None, None),)


def refuses_nul(fault: Faults, *ids: bytes) -> bool:
    """True (and a fault) when an id holds a NUL byte, which no array of ids can keep."""
    if any(b"\0" in identifier for identifier in ids):
        fault("an id holds a NUL byte", "is this a text file, in UTF-8 or ASCII?")
        return True
    return False


def _is_score(field: bytes) -> bool:
    try:
        return math.isfinite(float(field)) and b"_" not in field
    except ValueError:
        return False
