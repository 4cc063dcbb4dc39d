"""A part of a run: what one shard wrote, with all that joining the parts has to know.

A part is an ordinary run between two comment lines. The first says which shard it is and how it was made, the last how many queries
and lines it should have and what the whole run was, which a process that reads a pipe knows only then. So a part that
a killed job or a full disk cut off lacks its last line. A query without documents has no line in a run; a part keeps its
place by a comment, or those behind it would move up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from rerank_cli.core.ids import shown
from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData
from rerank_cli.formats.run_writer import OUTPUT_FORMATS, RunWriter, comment

_FRONT = b"# rerank: "
_EMPTY, _END = "no_documents", "end"
_MAKES_PARTS = "rerank rerank --shard I/N makes the parts of a run"


class PartWriter(RunWriter):
    """A `RunWriter` for one shard: `header` before the first ranking, `end` behind the last."""

    def __init__(self, stream: BinaryIO, tag: str, format: str = "trec") -> None:
        super().__init__(stream, tag, format)
        self.about = {"format": format, "tag": tag}
        self._queries = self._lines = 0

    def write(
        self, ranking: Ranking, query: str | None = None, documents: Mapping[bytes, Document] | None = None
    ) -> None:
        """See `RunWriter.write`; an empty ranking leaves a comment."""
        if len(ranking):
            super().write(ranking, query, documents)
            self._lines += 1 if self._format == "jsonl" else len(ranking)
        else:
            self._stream.write(comment({_EMPTY: shown(ranking.qid)}))
            self._stream.flush()
        self._queries += 1

    def end(self, run: Mapping[str, Any]) -> None:
        """Write the last line: what this part holds, and what the whole `run` was (`core.shards.Share.run`)."""
        self._stream.write(comment({_END: {"queries": self._queries, "lines": self._lines, **run}}))


class Part:
    """Reads a part: its header at once, then once, query by query, (position in the whole run, lines); `end` is there at the end.

    Memory: one query. Raises `BadData` naming the file: when it is no part, at its end when it is not whole.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        #: What the last line says; None before it is read.
        self.end: dict[str, Any] | None = None
        self._stream = stream
        facts = _told(stream.readline())
        if facts is None or "shard" not in facts:
            raise BadData("is no part of a run: it does not begin with the header of one", _MAKES_PARTS, where=name)
        self.shard: dict[str, Any] = facts.pop("shard")
        self.facts = facts
        if not _is_shard(self.shard):
            raise BadData("its header does not say which part of a run it is", _MAKES_PARTS, where=f"{name}:1")

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        first, step = self.shard["first"], self.shard["step"]
        queries = lines = 0
        for block in self._blocks():
            yield first + queries * step, block
            queries += 1
            lines += block.count(b"\n")
        again = f"the job was killed or its disk was full: run it again, with --shard {self.shard['number']}/{self.shard['of']}"
        if self.end is None:
            raise BadData(
                "is cut off: it lacks the last line, which says how much it should hold", again, where=self.name
            )
        if (queries, lines) != (self.end.get("queries"), self.end.get("lines")):
            raise BadData(
                f"holds {queries} queries in {lines} lines, and its last line says {self.end.get('queries')} in {self.end.get('lines')}",
                again,
                where=self.name,
            )

    def _blocks(self) -> Iterator[bytes]:
        """The lines of each query, none for one without documents."""
        block: list[bytes] = []
        front = b""
        for line in self._stream:
            # Query by query is how a part was written; in jsonl a line is a whole query.
            if block and line.startswith(front) and front:
                block.append(line)
                continue
            if line.isspace():
                continue
            if block:
                yield b"".join(block)
                block = []
            if self.end is not None:
                raise BadData("goes on behind its last line", "name each part by its own file", where=self.name)
            if line.startswith(b"#"):
                told = _told(line) or {}
                if _EMPTY in told:
                    yield b""
                self.end = told[_END] if isinstance(told.get(_END), dict) else None
                continue
            block = [line]
            front = b"" if self.shard["format"] == "jsonl" else line[: len(line.split(None, 1)[0]) + 1]
        if block:
            yield b"".join(block)


def _told(line: bytes) -> dict[str, Any] | None:
    """What a `# rerank: {json}` line says; None for any other, and for one that is cut."""
    if not line.startswith(_FRONT):
        return None
    try:
        told = json.loads(line[len(_FRONT) :])
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _is_shard(told: Any) -> bool:
    if not isinstance(told, dict) or told.get("format") not in OUTPUT_FORMATS or not isinstance(told.get("tag"), str):
        return False
    numbers: list[Any] = [told.get(name) for name in ("number", "of", "first", "step")]
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and 1 <= numbers[0] <= numbers[1]
        and numbers[3] > 0
    )
