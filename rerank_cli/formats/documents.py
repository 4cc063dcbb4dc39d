"""Documents of one file: BEIR's and other JSONL, TSV, TREC's SGML.

A file is a sequence of records (a line, or `<DOC>…</DOC>`), each with its byte offset, so that an
index can seek to it later and parse that record alone. What the records look like is told once, from
the beginning of the file, and kept as a `Layout`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData
from rerank_cli.formats import sgml
from rerank_cli.formats.fields import (
    DOCUMENT_ID,
    DOCUMENT_TEXT,
    OF_AN_ARRAY,
    VECTOR,
    first_byte,
    first_of,
    identifier,
    json_object,
    mended,
    opening,
    string,
    without_line_end,
)
from rerank_cli.formats.sgml import Record

_KNOWN = "documents are JSONL, TSV (id<TAB>text, or docid, url, title, body) or TREC SGML (<DOC><DOCNO>)"


class Layout(NamedTuple):
    """What a file's records look like: `kind` jsonl, tsv or sgml; for tsv the columns, and whether line 1 names them."""

    kind: str
    columns: tuple[str, ...] = ()
    header: bool = False


def layout_of(head: bytes, name: str) -> Layout:
    """Tell the layout from the beginning of a file; raises `BadData` when it is none of the known ones."""
    begin = first_byte(head)
    if begin == b"" or begin == b"{":
        return Layout("jsonl")
    if begin == b"<" and sgml.holds_documents(head):
        return Layout("sgml")
    cells = without_line_end(head.lstrip(b"\r\n").split(b"\n", 1)[0]).split(b"\t")
    if len(cells) == 1:
        raise BadData("this is no file of documents", OF_AN_ARRAY if begin == b"[" else _KNOWN, where=f"{name}:1")
    names = tuple(cell.decode("utf-8", "replace").strip().lower() for cell in cells)
    if names[0] in DOCUMENT_ID and any(cell in DOCUMENT_TEXT for cell in names):
        return Layout("tsv", names, header=True)
    if len(cells) == 4 and cells[1].startswith((b"http://", b"https://")):
        return Layout("tsv", ("docid", "url", "title", "body"))
    return Layout("tsv", ("id", "text"))


def records(lines: Iterable[bytes], layout: Layout) -> Iterator[Record]:
    """Yield the records of a file from its lines (line ends included); blank lines are no records."""
    if layout.kind == "sgml":
        yield from sgml.document_records(lines)
        return
    offset, header = 0, layout.header
    for number, line in enumerate(lines, 1):
        if not line.isspace():
            if not header:
                yield Record(offset, number, line)
            header = False
        offset += len(line)


def document(raw: bytes, layout: Layout) -> Document:
    """Parse one record; raises `BadData` (no place) when it has no id, or neither text nor vector. Bytes that are not UTF-8 become U+FFFD."""
    if layout.kind == "sgml":
        return sgml.document(raw)
    if layout.kind == "tsv":
        return _from_row(raw, layout.columns)
    record = json_object(raw)
    docid = identifier(first_of(record, DOCUMENT_ID, "document id"), "document id")
    bare = VECTOR in record and not any(name in record for name in DOCUMENT_TEXT)
    text = "" if bare else mended(string(first_of(record, DOCUMENT_TEXT, "text"), "text"))
    title = record.get("title")
    return Document(docid, "" if title is None else mended(string(title, "title")), text)


def located(record: Record, layout: Layout, name: str) -> Document:
    """Parse one record; what is wrong is raised as `BadData` with FILE:LINE."""
    try:
        return document(record.raw, layout)
    except BadData as error:
        raise BadData(error.message, error.hint, where=f"{name}:{record.line}") from None


def read_records(stream: Iterable[bytes], name: str) -> Iterator[tuple[Document, dict[str, Any]]]:
    """Yield each document with the other fields of its JSON object or row; raises `BadData` with FILE:LINE."""
    head, lines = opening(stream)
    layout = layout_of(head, name)
    for record in records(lines, layout):
        yield located(record, layout, name), _other_fields(record.raw, layout)


def _other_fields(raw: bytes, layout: Layout) -> dict[str, Any]:
    """What a record says besides the id, the title and the text that were taken from it."""
    if layout.kind == "sgml":
        return {}
    if layout.kind == "tsv":
        cells = _cells(raw, layout.columns).items()
        record: dict[str, Any] = {name: cell.decode("utf-8", "replace") for name, cell in cells}
    else:
        record = json_object(raw)
    taken = {"title", *(next((n for n in names if n in record), "") for names in (DOCUMENT_ID, DOCUMENT_TEXT))}
    return {name: value for name, value in record.items() if name not in taken}


def _from_row(raw: bytes, columns: tuple[str, ...]) -> Document:
    row = _cells(raw, columns)
    docid = identifier(first_of(row, DOCUMENT_ID, "document id"), "document id")
    text = first_of(row, DOCUMENT_TEXT, "text")
    return Document(docid, row.get("title", b"").decode("utf-8", "replace"), text.decode("utf-8", "replace"))


def _cells(raw: bytes, columns: tuple[str, ...]) -> dict[str, bytes]:
    cells = without_line_end(raw).split(b"\t", len(columns) - 1)
    if len(cells) != len(columns):
        raise BadData(f"{len(cells)} column{'s' * (len(cells) > 1)} where {len(columns)} are due", _KNOWN)
    return dict(zip(columns, cells, strict=True))
