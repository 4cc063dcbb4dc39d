"""Ids and texts out of one line, whatever the fields are called.

The field's data sets name the same two things in a dozen ways: `_id` (BEIR), `id` and `contents`
(Pyserini), `pid` and `passage` or `docid` and `segment` (MS MARCO v2). An id must be a word: one that
holds a blank could not stand in a run. A text must be Unicode before a tokenizer sees it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from rerank_cli.core.ids import shown
from rerank_cli.errors import BadData

#: Names of a document's id, the first that is there counts (MS MARCO v2 passages have `pid`, and `docid` of the whole page).
DOCUMENT_ID = ("_id", "id", "pid", "docid", "docno", "doc_id")
DOCUMENT_TEXT = ("text", "contents", "content", "body", "segment", "passage")
#: Term weights computed before: a record that has them needs no text.
VECTOR = "vector"
TOPIC_ID = ("_id", "qid", "query_id", "id")
TOPIC_TEXT = ("text", "query", "title", "contents")

#: What to do with a file that is one array of JSON.
OF_AN_ARRAY = "a JSON array becomes one object a line by jq -c '.[]' FILE"

#: How much of a stream `opening` reads before it says what the format is.
_HEAD = 1 << 16

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|\w+);")


def opening(lines: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first lines of a stream joined (about 64 KiB) and the lines from the first on."""
    source, head, size = iter(lines), [], 0
    for line in source:
        head.append(line)
        size += len(line)
        if size >= _HEAD:
            break
    return b"".join(head), chain(head, source)


def first_byte(head: bytes) -> bytes:
    """The first byte that is neither a blank nor a byte order mark; empty when there is none."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def without_line_end(raw: bytes) -> bytes:
    """A line without its line end, Unix or Windows, and without a byte order mark."""
    return raw.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")


def json_object(raw: bytes) -> dict[str, Any]:
    """Parse one line of JSONL; raises `BadData` (no place) when it is not a JSON object."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise BadData(f"not valid JSON: {error}", "a JSONL file holds one JSON object a line") from None
    if not isinstance(value, dict):
        raise BadData(
            f"a JSON {type(value).__name__}, not an object", 'a line reads like {"_id": "d1", "text": "some words"}'
        )
    return value


def json_line(record: Mapping[str, Any]) -> bytes:
    """A record as a line of JSONL that reads back the same, bytes in it that are not UTF-8 (as surrogates) too."""
    try:
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record).encode() + b"\n"


def first_of(record: Mapping[str, Any], names: Sequence[str], what: str) -> Any:
    """The value of the first of `names` that the record has; raises `BadData` naming them all."""
    for name in names:
        if name in record:
            return record[name]
    raise BadData(f"no {what}: none of {', '.join(names)} is there", f"the fields are {', '.join(record) or 'none'}")


def identifier(value: Any, what: str) -> bytes:
    """An id as bytes: of a JSON string or whole number, or of bytes; raises `BadData` when no run could hold it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value
    if isinstance(value, str):
        try:
            value = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise BadData(f"the {what} {value!r} is not Unicode") from None
    if not isinstance(value, bytes):
        raise BadData(f"the {what} is {value!r}, not a string")
    if value.split() != [value] or b"\0" in value:
        if not value.strip():
            raise BadData(f"the {what} is empty")
        raise BadData(
            f"the {what} {shown(value)!r} holds a blank", "a run could not name it: its columns end at blanks"
        )
    return value


def string(value: Any, what: str) -> str:
    """The value itself if it is a string; raises `BadData` otherwise."""
    if not isinstance(value, str):
        raise BadData(f"the {what} is {value!r:.60}, not a string")
    return value


def mended(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair (from bytes that are not UTF-8, or cut escapes)."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub("\ufffd", text)
    return text


def was_mended(text: str, raw: bytes) -> bool:
    """Whether a text made from `raw` has U+FFFD where the source had none."""
    return "\ufffd" in text and b"\xef\xbf\xbd" not in raw and b"\\ufffd" not in raw.lower()


def unescaped(text: str) -> str:
    """SGML text with `&amp;` and the like resolved; an ampersand with no semicolon after it stays (AT&T)."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text
