"""From a line of a run to its rows, whatever the format; what stands beside the rows: header and tag."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from rerank_cli.errors import WrongUsage
from rerank_cli.formats.lines import Faults
from rerank_cli.formats.texted import is_whole_query, jsonl_tag, parse_jsonl, parse_top1000
from rerank_cli.formats.trec import Row, parse_msmarco, parse_trec, trec_tag

FORMATS: dict[str, Callable[[bytes, Faults], Sequence[Row]]] = {
    "trec": parse_trec,
    "msmarco": parse_msmarco,
    "top1000": parse_top1000,
    "jsonl": parse_jsonl,
}
#: The tag of a run that carries none.
DEFAULT_TAG = "rerank"
_HEADER = re.compile(rb"#\s*rerank:\s*(.*)", re.DOTALL)


class RowReader:
    """Reads the lines of one run; keeps its header (the first), its last line for the tag, and the count of repairs."""

    def __init__(self, name: str, format: str, lenient: bool) -> None:
        if format not in FORMATS and format != "auto":
            raise WrongUsage(f"there is no run format {format!r}", f"the formats are auto, {', '.join(FORMATS)}")
        self.faults = Faults(name, lenient)
        self.format = format
        self.header: dict[str, Any] | None = None
        self._parse = FORMATS.get(format)
        self._last: bytes | None = None

    def rows(self, number: int, line: bytes) -> Sequence[Row]:
        """The rows of a data line; raises `BadData` with FILE:LINE, or counts (lenient) and leaves out."""
        self.faults.line = number
        self._last = line
        if self._parse is None:
            self.settle(line)
            assert self._parse is not None
        return self._parse(line, self.faults)

    def settle(self, line: bytes) -> None:
        """Decide on a format from the first data line, if none was named."""
        if self._parse is None:
            self.format = told_format(line)
            self._parse = FORMATS[self.format]

    def comment(self, number: int, line: bytes) -> None:
        """Take in a comment line; `# rerank: {json}` is the header."""
        match = _HEADER.match(line)
        if match is None or self.header is not None:
            return
        self.faults.line = number
        try:
            header = json.loads(match[1])
        except (ValueError, RecursionError):
            header = None
        if isinstance(header, dict):
            for key in ("collection", "fingerprint"):
                if not isinstance(header.get(key, ""), (str, type(None))):
                    self.faults(f"{key} in the header after '# rerank:' is not a string", "delete the line, or mend it")
                    return
            self.header = header
        else:
            self.faults("the header after '# rerank:' is not a JSON object", "delete the line, or write the run again")

    def passed(self, line: bytes) -> None:
        """Note the last line of a chunk that was read in columns."""
        self._last = line

    def closes_query(self, line: bytes) -> bool:
        """Whether this line, which gave rows, held a query's whole list."""
        return self.format == "jsonl" and is_whole_query(line)

    @property
    def tag(self) -> str:
        """The tag of the last line read."""
        if self._last is None or self.format not in ("trec", "jsonl"):
            return DEFAULT_TAG
        tag = trec_tag(self._last) if self.format == "trec" else jsonl_tag(self._last)
        return DEFAULT_TAG if tag is None else tag


def told_format(line: bytes) -> str:
    """The format that a first data line shows; `trec` when it shows none, so that the error names the usual one."""
    if line.lstrip().startswith(b"{") and b'"' in line:
        return "jsonl"
    fields = line.split()
    if len(fields) == 3 and fields[2].isdigit():
        return "msmarco"
    between_tabs = line.rstrip(b"\r\n").split(b"\t")
    if len(between_tabs) == 4 and not (len(fields) == 6 and _is_number(fields[3]) and _is_number(fields[4])):
        return "top1000"
    return "trec"


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
