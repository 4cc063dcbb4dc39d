"""Runs that carry their texts: MS MARCO's `top1000` lines, and JSON lines.

`top1000` is `qid<TAB>docid<TAB>query<TAB>passage` without any score: the position in the query's
list stands for one. A JSON line is one candidate (`{"qid", "docid", "score", "query", "title",
"text"}`) or a whole query as rank_llm writes them (`{"query": {"qid", "text"}, "candidates": […]}`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from rerank_cli.core.texts import Document
from rerank_cli.formats.fields import DOCUMENT_ID
from rerank_cli.formats.lines import Faults, shown_field
from rerank_cli.formats.trec import Row, refuses_nul

_FOUR = "a line is: qid<TAB>docid<TAB>query<TAB>passage"
_JSON = 'a line is {"qid", "docid", "score", …} or {"query": {"qid", "text"}, "candidates": [{"docid", "score", …}]}'
#: Where ids and a document's text are found, first hit wins: the names that the field's tools and vector databases write.
_QID_KEYS = ("qid", "query_id")
_DOCID_KEYS = ("docid", *(name for name in DOCUMENT_ID if name != "docid"))
_TEXT_KEYS = ("text", "contents", "content", "body", "segment", "passage")


def parse_top1000(line: bytes, fault: Faults) -> Sequence[Row]:
    """The row of a four-column line, with texts and without a score."""
    fields = line.rstrip(b"\r\n").split(b"\t", 3)
    if len(fields) != 4:
        fault(f"{len(fields)} fields between tabs, where a top1000 file has 4", _FOUR)
        return ()
    qid, docid = fields[0].strip(), fields[1].strip()
    if not _are_ids(fault, qid, docid):
        return ()
    try:
        query, text = fields[2].decode("utf-8"), fields[3].decode("utf-8")
    except UnicodeDecodeError as error:
        fault(f"the text is not UTF-8: {error.reason}", "convert the file to UTF-8")
        query, text = (field.decode("utf-8", "replace") for field in fields[2:])
    return ((qid, docid, None, query, Document(docid, "", text)),)


def parse_jsonl(line: bytes, fault: Faults) -> Sequence[Row]:
    """The rows of a JSON line: one, or a whole query's."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        fault(f"not JSON: {getattr(error, 'msg', error)}", _JSON)
        return ()
    if not isinstance(record, dict):
        fault(f"a JSON object is expected, not {shown_field(line.strip())}", _JSON)
        return ()
    if "candidates" not in record:
        query = record.get("query")
        row = _candidate(_first(record, _QID_KEYS), query if isinstance(query, str) else None, record, record, fault)
        return () if row is None else (row,)
    candidates, query = record["candidates"], record.get("query")
    if not isinstance(candidates, list) or not isinstance(query, (dict, str)):
        fault("query or candidates is not what it should be", _JSON)
        return ()
    qid = _first(record if isinstance(query, str) else {**record, **query}, _QID_KEYS)
    words = query.get("text") if isinstance(query, dict) else query
    rows = []
    for candidate in candidates:
        if not isinstance(candidate, dict):
            fault(f"a candidate is {shown_field(repr(candidate).encode())}, not an object", _JSON)
            continue
        row = _candidate(qid, words if isinstance(words, str) else None, candidate, candidate.get("doc"), fault)
        if row is not None:
            rows.append(row)
    return rows


def is_whole_query(line: bytes) -> bool:
    """Whether a JSON line, known to parse, holds a whole query."""
    return b'"candidates"' in line and "candidates" in json.loads(line)


def jsonl_tag(line: bytes) -> str | None:
    """The line's "tag", where it has one."""
    try:
        tag = json.loads(line).get("tag")
    except (ValueError, AttributeError, RecursionError):
        return None
    return tag if isinstance(tag, str) else None


def _candidate(qid: Any, query: str | None, record: dict[str, Any], doc: Any, fault: Faults) -> Row | None:
    query_id, docid = _id(qid), _id(_first(record, _DOCID_KEYS))
    if query_id is None or docid is None:
        there = f"the fields here are {', '.join(record) or 'none'}"
        fault("qid or docid is absent, or neither a string nor a whole number", f"{there}; {_JSON}")
        return None
    if not _are_ids(fault, query_id, docid):
        return None
    score = record.get("score")
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not _is_finite(score):
        fault(
            f"the score {score!r} of document {docid.decode('utf-8', 'backslashreplace')} is not a finite number", _JSON
        )
        return None
    return query_id, docid, float(score), query, _document(docid, doc)


def _document(docid: bytes, doc: Any) -> Document | None:
    if isinstance(doc, str):
        return Document(docid, "", doc)
    if not isinstance(doc, dict):
        return None
    text = next((doc[key] for key in _TEXT_KEYS if isinstance(doc.get(key), str)), None)
    title = doc.get("title") if isinstance(doc.get("title"), str) else None
    if text is None and title is None:
        return None
    return Document(docid, title or "", text or "")


def _first(record: dict[str, Any], names: Sequence[str]) -> Any:
    """The value of the first of `names` that the record has, else None."""
    return next((record[name] for name in names if name in record), None)


def _id(value: Any) -> bytes | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value).encode()
    try:
        return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else None
    except UnicodeEncodeError:
        return None


def _are_ids(fault: Faults, *ids: bytes) -> bool:
    if not all(ids):
        fault("an id is empty", "every candidate needs a qid and a docid")
        return False
    return not refuses_nul(fault, *ids)


def _is_finite(score: float) -> bool:
    try:
        return math.isfinite(score)
    except OverflowError:
        return False
