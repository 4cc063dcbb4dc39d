"""What a model wrote, as texts: parsers, none of which can fail.

Any reply gives texts that fit in one line of a file, perhaps none: no tabs, no line ends, nothing that is not Unicode.
Reasoning is taken off first. What a model says around its answer (a heading that ends with a colon, bullets, numbers,
quotation marks, fences) is no part of it. `mended` says that something was left out that should have been there.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rerank_cli.errors import BadData
from rerank_cli.inference.writing import Completion
from rerank_cli.methods.words.replies import parted
from rerank_cli.rewriting.conditions import expression

_FENCE = re.compile(r"^\s*```\w*\s*$", re.M)
#: What stands before an item of a list, and the name that a model may give it.
_MARK = re.compile(r"^\s*(?:[-*+•–—·]|\(?\d{1,3}[.):\]]|\[\d{1,3}\])\s+")
_NAMED = re.compile(
    r"^[\s*_#]*(?:(?:sub[- ]?|rewritten |search |new |final )*(?:quer(?:y|ies)|questions?|keywords?|terms?|passage|answer|document|aspect)"
    r"|rewrite)\s*\d{0,3}\s*[*_]{0,2}:[*_]{0,2}\s*",
    re.I,
)
_PAIRS = ('""', "''", "“”", "**", "``", "«»")


class Written(NamedTuple):
    """Texts of a reply, each one line and not empty; the conditions that stood beside them, and whether something was lost."""

    texts: tuple[str, ...]
    conditions: str = ""
    mended: bool = False


#: A reply, the most texts that are wanted, and the names of fields that conditions may be about (none: any) to texts.
Parser = Callable[[Completion, int, frozenset[str]], Written]


def parser_named(name: str, where: str) -> Parser:
    """The parser `name`, which the prompt `where` names; raises `BadData` listing the names."""
    try:
        return PARSERS[name]
    except KeyError:
        raise BadData(
            f"there is no parser {name!r} for texts", f"the parsers are {', '.join(PARSERS)}", where=where
        ) from None


def lines(reply: Completion, most: int, fields: frozenset[str] = frozenset()) -> Written:
    """At most `most` different texts, one a line or in a JSON list; of a reply that was cut off the last one is left out."""
    found = list(_items(_answer(reply)))
    cut = reply.finish == "length" and len(found) > 1
    texts: dict[str, str] = {}
    for item in found[: len(found) - cut]:
        if text := _bare(item):
            texts.setdefault(text.casefold(), text)
    kept = tuple(texts.values())[:most]
    return Written(kept, mended=cut or not kept)


def line(reply: Completion, most: int, fields: frozenset[str] = frozenset()) -> Written:
    """The first text of the reply."""
    return lines(reply._replace(finish="stop"), 1)


def words(reply: Completion, most: int, fields: frozenset[str] = frozenset()) -> Written:
    """All texts of the reply as one line of words: a list of terms however it is parted."""
    texts = lines(reply._replace(finish="stop"), 1000).texts
    text = one_line(re.sub(r"[,;|]+(?=\s|$)", " ", " ".join(texts)))
    return Written((text,) if text else (), mended=not text)


def passage(reply: Completion, most: int, fields: frozenset[str] = frozenset()) -> Written:
    """The whole reply as one text, without a heading."""
    rows = [row for row in _FENCE.sub("", _answer(reply)).splitlines() if row.strip()]
    if len(rows) > 1 and rows[0].rstrip(" *").endswith(":"):
        rows = rows[1:]
    text = _bare(_NAMED.sub("", "\n".join(rows)))
    return Written((text,) if text else (), mended=not text)


def conditions(reply: Completion, most: int, fields: frozenset[str] = frozenset()) -> Written:
    """{"query": "…", "filter": [{"field", "op", "value"}, …]}: what is asked, and the conditions as one expression.

    Conditions that cannot be written in it, or are about other fields than `fields`, are left out.
    """
    text = _answer(reply)
    found = _loaded(text[text.find("{") : text.rfind("}") + 1])
    if not isinstance(found, dict):
        return Written((), mended=True)
    told: Any = next((found[key] for key in ("filter", "filters", "conditions") if key in found), [])
    said, lost = expression(told, fields)
    query = found.get("query")
    asked = _bare(query) if isinstance(query, str) else ""
    return Written((asked,) if asked else (), said, mended=lost or (not asked and not said))


PARSERS: dict[str, Parser] = {
    "lines": lines,
    "line": line,
    "words": words,
    "passage": passage,
    "conditions": conditions,
}


def one_line(text: str) -> str:
    """The text on one line, without control characters and halves of characters; it may be empty."""
    text = text.encode("utf-8", "replace").decode()
    return " ".join("".join(" " if unicodedata.category(one) == "Cc" else one for one in text).split())


def _answer(reply: Completion) -> str:
    return parted(reply.text)[1] or ""


def _items(text: str) -> Iterator[str]:
    """The items of a JSON list, else those lines that are marked as items, else every line that is no heading."""
    text = _FENCE.sub("", text)
    listed = _loaded(text[text.find("[") : text.rfind("]") + 1])
    if isinstance(listed, list):
        values = [next(iter(one.values()), None) if isinstance(one, dict) else one for one in listed]
        yield from (value for value in values if isinstance(value, str))
        return
    rows = [row for row in text.splitlines() if row.strip()]
    marked = [row for row in rows if _MARK.match(row)]
    for row in marked or rows:
        item = _NAMED.sub("", _MARK.sub("", row))
        if not item.rstrip(" *").endswith(":"):
            yield item


def _bare(text: str) -> str:
    """The text on one line, without the marks around it; empty where it holds no letter and no number."""
    text = one_line(text)
    while len(text) > 1 and any(text[0] == pair[0] and text[-1] == pair[1] for pair in _PAIRS):
        text = text[1:-1].strip()
    return text if any(one.isalnum() for one in text) else ""


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
