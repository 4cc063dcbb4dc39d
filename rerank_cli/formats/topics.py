"""Topics: what is asked, by query id. JSONL, TSV and TREC's SGML, told apart by their beginning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from rerank_cli.core.ids import shown
from rerank_cli.errors import BadData
from rerank_cli.formats import sgml
from rerank_cli.formats.fields import (
    TOPIC_ID,
    TOPIC_TEXT,
    first_byte,
    first_of,
    identifier,
    json_object,
    string,
    without_line_end,
)

_KNOWN = 'topics are JSONL ({"_id": …, "text": …}), TSV (qid<TAB>text) or TREC SGML (<top><num>)'


def read_topics(stream: BinaryIO, name: str, *, fields: Sequence[str] = ("title",)) -> dict[bytes, str]:
    """Read topics into query id -> text, in the order of the file.

    `fields` are joined by a blank: `title` is the query itself (whatever the file calls it), `desc` and
    `narr` are TREC's; a JSONL file may have others. Raises `BadData` with FILE:LINE for a query id that
    comes twice, a field that is missing, and bytes that are not UTF-8. Reads the whole stream.
    """
    data = stream.read()
    begin = first_byte(data)
    if begin == b"":
        return {}
    if begin == b"{":
        parsed = _from_jsonl(data, name, fields)
    elif begin == b"<" and sgml.holds_topics(data):
        parsed = _from_sgml(data, name, fields)
    else:
        parsed = _from_tsv(data, name, fields)
    topics: dict[bytes, str] = {}
    lines: dict[bytes, int] = {}
    for line, qid, text in parsed:
        if qid in topics:
            raise BadData(f"query {shown(qid)} is there twice, first in line {lines[qid]}", where=f"{name}:{line}")
        topics[qid], lines[qid] = text, line
    return topics


class TopicField(NamedTuple):
    """What a field of a topic says, and FILE:LINE."""

    text: str
    where: str


def read_topic_field(stream: BinaryIO, name: str, field: str) -> dict[bytes, TopicField]:
    """One field of those topics that have it (not null, not empty), from JSONL.

    Raises `BadData` with FILE:LINE for a field that is no string, and for topics that are not JSONL.
    """
    data = stream.read()
    if first_byte(data) not in (b"{", b""):
        raise BadData(f"topics that are not JSONL have no field {field}", _KNOWN, where=name)
    found: dict[bytes, TopicField] = {}
    for number, line in _lines(data):
        where = f"{name}:{number}"
        try:
            record = json_object(line)
            if record.get(field):
                qid = identifier(first_of(record, TOPIC_ID, "query id"), "query id")
                found[qid] = TopicField(string(record[field], field), where)
        except BadData as error:
            raise BadData(error.message, error.hint, where=where) from None
    return found


def _from_jsonl(data: bytes, name: str, fields: Sequence[str]) -> Iterator[tuple[int, bytes, str]]:
    for number, line in _lines(data):
        try:
            record = json_object(line)
            qid = identifier(first_of(record, TOPIC_ID, "query id"), "query id")
            yield number, qid, _joined([_unicode(string(_json_field(record, field), field)) for field in fields], qid)
        except BadData as error:
            raise BadData(error.message, error.hint, where=f"{name}:{number}") from None


def _json_field(record: dict[str, Any], field: str) -> Any:
    """`title` is the query under any of its names; TREC's short names stand for the long ones too."""
    if field == "title":
        return first_of(record, TOPIC_TEXT, "text")
    aliases = [field, *(long for long, short in sgml.TOPIC_FIELDS.items() if short == field and long != field)]
    return first_of(record, aliases, field)


def _from_tsv(data: bytes, name: str, fields: Sequence[str]) -> Iterator[tuple[int, bytes, str]]:
    if tuple(fields) != ("title",):
        raise BadData(f"a TSV of topics has no field {', '.join(f for f in fields if f != 'title')}", where=name)
    for position, (number, line) in enumerate(_lines(data)):
        qid, tab, text = line.partition(b"\t")
        where = f"{name}:{number}"
        if not tab:
            raise BadData("no tab between query id and text", _KNOWN, where=where)
        if position == 0 and _names_columns(qid, text):
            continue
        try:
            qid = identifier(qid, "query id")
            yield number, qid, _joined([_unicode(text.decode("utf-8", "surrogateescape"))], qid)
        except BadData as error:
            raise BadData(error.message, error.hint, where=where) from None


def _names_columns(qid: bytes, text: bytes) -> bool:
    """Whether line 1 is a header such as `query_id<TAB>text`."""
    return qid.decode("utf-8", "replace").lower() in TOPIC_ID and text.decode("utf-8", "replace").lower() in TOPIC_TEXT


def _from_sgml(data: bytes, name: str, fields: Sequence[str]) -> Iterator[tuple[int, bytes, str]]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadData("not valid UTF-8", "convert it, e.g. with iconv", where=f"{name}:{line}") from None
    for number, topic in sgml.topics(text):
        try:
            qid = identifier(first_of(topic, ("num",), "<num>").encode("utf-8"), "query id")
            parts = [first_of(topic, (field,), f"<{field}> in topic {shown(qid)}") for field in fields]
            yield number, qid, _joined(parts, qid)
        except BadData as error:
            raise BadData(error.message, error.hint, where=f"{name}:{number}") from None


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line that is not blank, without its line end."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield number, without_line_end(line)


def _unicode(text: str) -> str:
    """The text itself; raises `BadData` when it holds halves of surrogate pairs (bytes that are not UTF-8)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadData("not valid UTF-8", "convert it, e.g. with iconv") from None
    return text


def _joined(parts: Sequence[str], qid: bytes) -> str:
    text = " ".join(stripped for part in parts if (stripped := part.strip()))
    if not text:
        raise BadData(f"query {shown(qid)} has no text")
    return text
