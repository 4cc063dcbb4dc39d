"""TREC's SGML: `<DOC><DOCNO>…` documents and `<top><num>…` topics, as they are found on the disks.

It is SGML by looks only: end tags are missing, fields open with words that repeat the tag
("Number: 301"), entities come and go. So nothing here parses SGML; it looks for the few tags that
every collection has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData
from rerank_cli.formats.fields import identifier, unescaped

_DOC_EDGE = re.compile(rb"<(/?)DOC(?:\s[^>]*)?>", re.IGNORECASE)
_DOCNO = re.compile(rb"<DOCNO>(.*?)</DOCNO>", re.IGNORECASE | re.DOTALL)
_DOC_ID = re.compile(rb"<DOC\s[^>]*?\bid\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_TITLE = re.compile(r"<(TITLE|HEADLINE|HL|HEAD|TTL|TI)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_BODY = re.compile(r"<(TEXT|LP|LEADPARA)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_NO_TEXT = re.compile(r"<(DOCNO|DOCID|DOCHDR|DOCOLDNO|script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")


class Record(NamedTuple):
    """One document's bytes in a file: `offset` in bytes, `line` from 1, `raw` the bytes themselves."""

    offset: int
    line: int
    raw: bytes


def holds_documents(head: bytes) -> bool:
    """Whether the beginning of a file shows TREC documents."""
    return any(not edge[1] for edge in _DOC_EDGE.finditer(head))


def document_records(lines: Iterable[bytes]) -> Iterator[Record]:
    """Cut a stream of lines into `<DOC>…</DOC>`; an unclosed document ends where the next begins."""
    parts: list[bytes] = []
    inside, start, start_line, offset = False, 0, 0, 0
    for number, line in enumerate(lines, 1):
        taken = 0
        for edge in _DOC_EDGE.finditer(line):
            closing = bool(edge[1])
            cut = edge.end() if closing else edge.start()
            if inside:
                parts.append(line[taken:cut])
                yield Record(start, start_line, b"".join(parts))
            parts, inside, taken = [], not closing, cut
            if inside:
                start, start_line = offset + cut, number
        if inside:
            parts.append(line[taken:])
        offset += len(line)
    if inside:
        yield Record(start, start_line, b"".join(parts))


def document(raw: bytes) -> Document:
    """Parse one `<DOC>`: title tags make the title; TEXT and lead paragraphs, or all there is, make the text."""
    found = _DOCNO.search(raw) or _DOC_ID.match(raw)
    if found is None:
        raise BadData("a <DOC> without a <DOCNO>")
    docid = identifier(found[1].strip(), "document id")
    body = _NO_TEXT.sub(" ", raw.decode("utf-8", "replace"))
    title = " ".join(match[2] for match in _TITLE.finditer(body))
    texts = [match[2] for match in _BODY.finditer(body)] or [_TITLE.sub(" ", body)]
    return Document(docid, _plain(title), _plain(" ".join(texts)))


_TOPIC_EDGE = re.compile(r"</?(?:top|topic)(\s[^>]*)?>", re.IGNORECASE)
_TOPIC_TAG = re.compile(r"<(/?)([A-Za-z_]+)[^<>]*>")
_NUMBER = re.compile(r"\b(?:number|id)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_PREFIX = re.compile(r"\s*(?:Number|Topic|Description|Narrative)\s*:", re.IGNORECASE)

#: What a topic's fields are called in TREC's own and in later XML topics, and the name they have here.
TOPIC_FIELDS = {
    "num": "num",
    "number": "num",
    "title": "title",
    "query": "title",
    "desc": "desc",
    "description": "desc",
    "question": "desc",
    "narr": "narr",
    "narrative": "narr",
}
_OTHER_FIELDS = {"dom", "head", "smry", "con", "fac", "nat", "time", "def", "subtopic"}


def holds_topics(head: bytes) -> bool:
    """Whether the beginning of a file shows TREC topics."""
    return _TOPIC_EDGE.search(head.decode("utf-8", "replace")) is not None


def topics(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line from 1, fields by name) of each topic; `num` is the query id, and may be missing."""
    edges = list(_TOPIC_EDGE.finditer(text))
    line, seen = 1, 0
    for edge, following in zip(edges, [*edges[1:], None], strict=True):
        line += text.count("\n", seen, edge.start())
        seen = edge.start()
        if edge[0].startswith("</"):
            continue
        fields = _topic_fields(text[edge.end() : following.start() if following else len(text)])
        number = _NUMBER.search(edge[1] or "")
        if number:
            fields.setdefault("num", number[1])
        yield line, fields


def _topic_fields(block: str) -> dict[str, str]:
    """The fields of one topic, of a field that comes twice the first; tags inside a text are dropped."""
    fields: dict[str, str] = {}
    current, begin = "", 0

    def close(end: int) -> None:
        value = _PREFIX.sub("", block[begin:end], count=1) if _PREFIX.match(block[begin:end]) else block[begin:end]
        if current:
            fields.setdefault(TOPIC_FIELDS.get(current, current), _plain(value))

    for tag in _TOPIC_TAG.finditer(block):
        name = tag[2].lower()
        if name not in TOPIC_FIELDS and name not in _OTHER_FIELDS:
            continue
        close(tag.start())
        current, begin = ("" if tag[1] else name), tag.end()
    close(len(block))
    return fields


def _plain(text: str) -> str:
    """Text without tags and entities, blanks and line ends made single blanks."""
    return " ".join(unescaped(_TAG.sub(" ", text)).split())
