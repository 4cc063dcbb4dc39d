"""Term weights computed before: JSONL as Anserini and Pyserini exchange them, `{"id": …, "contents": …, "vector": {term: weight}}`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rerank_cli.core.ids import shown
from rerank_cli.errors import BadData
from rerank_cli.formats.compression import open_input
from rerank_cli.formats.corpus_files import corpus_files
from rerank_cli.formats.fields import (
    DOCUMENT_ID,
    TOPIC_ID,
    VECTOR,
    first_byte,
    first_of,
    identifier,
    json_object,
    opening,
)

#: The largest weight that an index's 32-bit floats hold.
_MOST = 3.4028234663852886e38


def weighted_documents(paths: Sequence[str], note: Callable[[str], None]) -> Iterator[tuple[bytes, dict[str, float]]]:
    """Docid and weights of every document in the files that `paths` name; raises `BadData` with FILE:LINE."""
    for file in corpus_files(paths, note):
        with open_input(file.name) as stream:
            yield from _weighted(stream, file.name, DOCUMENT_ID, "document id")


def weighted_topics(path: str) -> dict[bytes, dict[str, float]] | None:
    """Query id -> weights of a JSONL file whose topics have them; None for topics in any other form."""
    with open_input(path) as stream:
        head, lines = opening(stream)
        start = head.lstrip().split(b"\n", 1)[0]
        if first_byte(head) != b"{" or VECTOR not in json_object(start):
            return None
        topics: dict[bytes, dict[str, float]] = {}
        for qid, weights in _weighted(lines, path, TOPIC_ID, "query id"):
            if qid in topics:
                raise BadData(f"query {shown(qid)} is there twice", where=path)
            topics[qid] = weights
    return topics


def _weighted(
    lines: Iterable[bytes], name: str, ids: Sequence[str], what: str
) -> Iterator[tuple[bytes, dict[str, float]]]:
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            record = json_object(line)
            yield identifier(first_of(record, ids, what), what), _checked(first_of(record, (VECTOR,), VECTOR))
        except BadData as error:
            raise BadData(error.message, error.hint, where=f"{name}:{number}") from None


def _checked(vector: Any) -> dict[str, float]:
    """Weights above 0; raises `BadData` (no place) for what is no object of numbers from 0."""
    if not isinstance(vector, dict):
        raise BadData(f"the {VECTOR} is a JSON {type(vector).__name__}, not an object", 'such as {"copper": 1.5}')
    for term, weight in vector.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= _MOST:
            raise BadData(f"the weight of {term!r} is {weight!r}", "a weight is a number from 0 to 3.4e38")
    return {term: float(weight) for term, weight in vector.items() if weight}
