"""Topics: what is asked, by query id. JSONL, TSV and TREC's SGML, told apart by their beginning; TSV and JSONL are written too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from rerank_cli.core.ids import shown
from rerank_cli.errors import BadData
from rerank_cli.formats import sgml
from rerank_cli.formats.fields import (
    OF_AN_ARRAY,
    TOPIC_ID,
    TOPIC_TEXT,
    VECTOR,
    first_byte,
    first_of,
    identifier,
    json_line,
    json_object,
    string,
    without_line_end,
)

_KNOWN = 'topics are JSONL ({"_id": …, "text": …}), TSV (qid<TAB>text) or TREC SGML (<top><num>)'

#: Line, query id, text, other fields.
_Parsed = tuple[int, bytes, str, Mapping[str, Any]]


class TopicRecord(NamedTuple):
    """A query's text, and what else a JSONL or SGML file says of it, by field."""

    text: str
    fields: Mapping[str, Any]


def read_topics(
    stream: BinaryIO, name: str, *, fields: Sequence[str] = ("title",), vectors: bool = False
) -> dict[bytes, str]:
    """Read topics into query id -> text, in the order of the file.

    `fields` are joined by a blank: `title` is the query itself (whatever the file calls it), `desc` and
    `narr` are TREC's; a JSONL file may have others. Raises `BadData` with FILE:LINE for a query id that
    comes twice, a field that is missing, and bytes that are not UTF-8. Reads the whole stream. With `vectors` a record
    that has a vector needs no text, which is then empty.
    """
    records = read_topic_records(stream, name, fields=fields, vectors=vectors)
    return {qid: topic.text for qid, topic in records.items()}


def read_topic_records(
    stream: BinaryIO, name: str, *, fields: Sequence[str] = ("title",), vectors: bool = False
) -> dict[bytes, TopicRecord]:
    """As `read_topics`, each query with the other fields of its record."""
    data = stream.read()
    begin = first_byte(data)
    if begin == b"":
        return {}
    if begin == b"{":
        parsed = _from_jsonl(data, name, fields, vectors)
    elif begin == b"<" and sgml.holds_topics(data):
        parsed = _from_sgml(data, name, fields)
    else:
        parsed = _from_tsv(data, name, fields)
    topics: dict[bytes, TopicRecord] = {}
    lines: dict[bytes, int] = {}
    for line, qid, text, others in parsed:
        if qid in topics:
            raise BadData(f"query {shown(qid)} is there twice, first in line {lines[qid]}", where=f"{name}:{line}")
        topics[qid], lines[qid] = TopicRecord(text, others), line
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


def tsv_topic(qid: bytes, text: str, *, first: bool) -> bytes:
    """A topic as a line of TSV; `text` is one line. The `first` gets a line of names before it where it would be taken for one."""
    names = b"qid\ttext\n" if first and _names_columns(qid, text.encode()) else b""
    return names + qid + b"\t" + text.encode() + b"\n"


def json_topic(qid: bytes, text: str, fields: Mapping[str, Any]) -> bytes:
    """A topic as a line of JSON with `_id`, `text` and the other fields."""
    known = {"_id": qid.decode("utf-8", "surrogateescape"), "text": text}
    return json_line({**known, **{name: value for name, value in fields.items() if name not in known}})


def _from_jsonl(data: bytes, name: str, fields: Sequence[str], vectors: bool) -> Iterator[_Parsed]:
    for number, line in _lines(data):
        try:
            record = json_object(line)
            qid = identifier(first_of(record, TOPIC_ID, "query id"), "query id")
            bare = vectors and VECTOR in record and not any(record.get(field) for field in TOPIC_TEXT)
            text = "" if bare else _joined([_unicode(string(_json_field(record, f), f)) for f in fields], qid)
            taken = {name for names in (TOPIC_ID, TOPIC_TEXT) for name in [n for n in names if n in record][:1]}
            yield number, qid, text, {name: value for name, value in record.items() if name not in taken}
        except BadData as error:
            raise BadData(error.message, error.hint, where=f"{name}:{number}") from None


def _json_field(record: dict[str, Any], field: str) -> Any:
    """`title` is the query under any of its names; TREC's short names stand for the long ones too."""
    if field == "title":
        return first_of(record, TOPIC_TEXT, "text")
    aliases = [field, *(long for long, short in sgml.TOPIC_FIELDS.items() if short == field and long != field)]
    return first_of(record, aliases, field)


def _from_tsv(data: bytes, name: str, fields: Sequence[str]) -> Iterator[_Parsed]:
    if tuple(fields) != ("title",):
        raise BadData(f"a TSV of topics has no field {', '.join(f for f in fields if f != 'title')}", where=name)
    for position, (number, line) in enumerate(_lines(data)):
        qid, tab, text = line.partition(b"\t")
        where = f"{name}:{number}"
        if not tab:
            raise BadData("no tab between query id and text", _instead(position, line), where=where)
        if position == 0 and _names_columns(qid, text):
            continue
        try:
            qid = identifier(qid, "query id")
            yield number, qid, _joined([_unicode(text.decode("utf-8", "surrogateescape"))], qid), {}
        except BadData as error:
            raise BadData(error.message, error.hint, where=where) from None


def _instead(position: int, line: bytes) -> str:
    """How to make topics of a line that is no row of a TSV."""
    if position > 0:
        return _KNOWN
    return OF_AN_ARRAY if line.lstrip().startswith(b"[") else f"{_KNOWN}; nl -ba -w1 FILE numbers bare questions so"


def _names_columns(qid: bytes, text: bytes) -> bool:
    """Whether line 1 is a header such as `query_id<TAB>text`."""
    return qid.decode("utf-8", "replace").lower() in TOPIC_ID and text.decode("utf-8", "replace").lower() in TOPIC_TEXT


def _from_sgml(data: bytes, name: str, fields: Sequence[str]) -> Iterator[_Parsed]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadData("not valid UTF-8", "convert it, e.g. with iconv", where=f"{name}:{line}") from None
    for number, topic in sgml.topics(text):
        try:
            qid = identifier(first_of(topic, ("num",), "<num>").encode("utf-8"), "query id")
            parts = [first_of(topic, (field,), f"<{field}> in topic {shown(qid)}") for field in fields]
            yield number, qid, _joined(parts, qid), {name: said for name, said in topic.items() if name != "num"}
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
