"""`rerank.json`: everything that scoring with an exported graph needs to know, so that it needs nothing else.

An exported folder is `model.onnx` (with its weights beside it in `model.onnx.data`, above a megabyte),
`tokenizer.json` and this record. Whoever reads the folder needs no torch and no transformers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rerank_cli.errors import BadData, Missing, WrongUsage

RECORD, GRAPH, TOKENIZER = "rerank.json", "model.onnx", "tokenizer.json"
#: Raised when an older rerank could not read the record, or when its graphs must be made again.
FORMAT = 1


#: What of a record is the prompt; and what only names the checkpoint, or tells of an export. All else may shape the graph.
_PROMPT = ("instruction", "instruction_as")
# fmt: off
_SHAPES_NOTHING = (
    "name", "source", "revision", "licence", "source_hash", "graph_hash", "strategy", "settings", "versions", "report",
)
# fmt: on


@dataclass(frozen=True)
class Record:
    """How to ask one exported graph, and where it came from."""

    method: str
    #: The scale of the scores: logit, margin, logprob, prob, grade (the mean of several), cosine, dot.
    score: str
    #: The length used unless the user says another, and the longest that the model has positions for (None: no limit).
    max_length: int
    longest: int | None
    #: The graph's inputs, int64 (n, length), in order; its output is scores (n,) or vectors (n, d).
    inputs: tuple[str, ...]
    pad_id: int
    #: The text the model reads, with {query} and {document}, and {instruction} where it reads one; empty for a tokenizer's own pair layout.
    template: str = ""
    #: Piece or text -> id of the words that are compared.
    words: dict[str, int] = field(default_factory=dict)
    #: What only this method needs.
    params: dict[str, Any] = field(default_factory=dict)
    #: The ranking algorithm and settings of this checkpoint, where they are not its method's own.
    strategy: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    precision: str = "fp32"
    name: str = ""
    source: str = ""
    revision: str | None = None
    #: Hash of the checkpoint's files and of how it is asked: the same scores come from the same hash.
    source_hash: str = ""
    #: Hash of what the graph was made from: records that share it differ in the words around a pair, not in the graph.
    graph_hash: str = ""
    licence: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    #: What the export measured against PyTorch.
    report: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT


def write_record(folder: Path, record: Record) -> None:
    """Write `rerank.json` into `folder`."""
    (folder / RECORD).write_text(json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_record(folder: Path) -> Record:
    """Read `rerank.json`; raises `Missing` when a file of the export is not there, `BadData` on a broken record."""
    for name, what in ((RECORD, "record"), (GRAPH, "graph"), (TOKENIZER, "tokenizer")):
        if not (folder / name).is_file():
            raise Missing(f"{folder}: there is no {what} ({name})", "make the folder again with rerank export-onnx")
    path = folder / RECORD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.get("format", 0) > FORMAT:
            raise BadData("was written by a newer rerank", "update rerank, or export the model again", where=str(path))
        record = Record(**{f.name: values[f.name] for f in fields(Record) if f.name in values})
        return Record(**{**asdict(record), "inputs": tuple(record.inputs)})
    except (ValueError, TypeError, AttributeError) as error:
        raise BadData(f"is not a record of an export: {error}", where=str(path)) from error


def instructed(record: Record, instruction: str | None) -> Record:
    """`record` told `instruction` (None: the checkpoint's own); raises `WrongUsage` when its template has no place for one."""
    if instruction is None:
        return record
    if "{instruction}" not in record.template:
        raise WrongUsage(
            f"{record.name} reads no instruction", "leave --instruction out, or use a model such as qwen3-reranker-0.6b"
        )
    if instruction == record.params["instruction"]:
        return record
    told = hashlib.sha256(f"{record.source_hash}\n{instruction}".encode("utf-8", "replace")).hexdigest()[:32]
    return replace(record, params=record.params | {"instruction": instruction}, source_hash=told)


def of_graph(record: Record) -> Record:
    """`record` as a graph is made from it: without the words around a pair, which its tokens hold already."""
    params = {name: value for name, value in record.params.items() if name not in _PROMPT}
    return replace(record, template="", params=params)


def graph_hash(record: Record, made: str) -> str:
    """A hash of all that `of_graph` leaves of how `record` is asked, and of `made`: the files and how they are exported.

    In the record's own order: which of two words comes first decides what the graph subtracts.
    """
    facts = {name: fact for name, fact in asdict(of_graph(record)).items() if name not in _SHAPES_NOTHING}
    return hashlib.sha256(f"{made}\n{json.dumps(facts)}".encode()).hexdigest()[:32]


def chosen_length(record: Record, max_length: int | None, specials: int) -> int:
    """The number of tokens to score with; raises `WrongUsage` for a --max-length that the model cannot take."""
    length = max_length or record.max_length
    if record.longest is not None and length > record.longest:
        raise WrongUsage(
            f"--max-length {length} is more than the {record.longest} positions of {record.name}",
            "--passages scores a longer document in parts",
        )
    if length < specials + 2:
        raise WrongUsage(
            f"--max-length {length} leaves no room: {record.name} puts {specials} tokens around every pair itself"
        )
    return length
