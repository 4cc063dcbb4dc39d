"""Late interaction: query and document become one vector a token, apart; each query vector looks for its best match (MaxSim).

Between a bi-encoder and a cross-encoder: a document's vectors serve every query, and a single fitting sentence is
not washed out by a mean. A marker token tells the model which side it reads. Short queries are filled with
[MASK] tokens, whose vectors count too: the model has learned to put there what the query might also have said.
Padding and a document's punctuation never match. What is read where: Stanford's ColBERT keeps its settings in
`artifact.metadata`, PyLate and sentence-transformers in `config_sentence_transformers.json` and their modules.

O. Khattab, M. Zaharia: ColBERT. SIGIR 2020. K. Santhanam et al.: ColBERTv2. NAACL 2022.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.errors import BadData
from rerank_cli.methods.bi_encoder import FUSION, MAY_LACK, MODEL_CLASS

if TYPE_CHECKING:
    from rerank_cli.inference.batching import Row
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend
    from rerank_cli.methods.source import Source
    from rerank_cli.methods.vectors import TextScorer

__all__ = ["FUSION", "MAY_LACK", "METHOD", "MODEL_CLASS", "graph", "record", "reference", "scorer"]

METHOD = Method(
    name="late-interaction",
    asks="score",
    summary="embeds each token and sums, over the query's tokens, the best match in the document",
    paper="Khattab and Zaharia, ColBERT, arXiv:2004.12832",
    calls="n + 1",
    score="maxsim",
    when=(
        "Nearly a cross-encoder's quality at a bi-encoder's cost once the documents' token vectors are kept: only "
        "the query is read again. It takes two hundred times the room of one vector a document. A good second "
        "step for a thousand candidates."
    ),
)

#: What Stanford's ColBERT and PyLate take when their files are silent.
_QUERY_LENGTH, _DOCUMENT_LENGTH = 32, 180
STANFORD = "artifact.metadata"


def record(source: Source) -> Record:
    """How this checkpoint marks, fills and cuts texts; raises `BadData` for what is not supported."""
    settings = _stanford(source) if (source.folder / STANFORD).is_file() else _modules(source)
    tokenizer = source.tokenizer
    vocabulary_of = tokenizer.token_to_id

    def marker(side: str) -> int | None:
        text = settings["prompts"].get(side) or ""
        number = vocabulary_of(text) if vocabulary_of(text) is not None else vocabulary_of(text.strip())
        if text and number is None:
            raise BadData(f"{source.checkpoint.name} marks a {side} with {text!r}, which is no token of its vocabulary")
        return number if text else None

    expansion = settings["expansion"]
    filler = None
    if expansion is not None:
        names = [expansion.get("token"), "[MASK]", "<mask>"]
        filler = next((vocabulary_of(name) for name in names if name and vocabulary_of(name) is not None), None)
        if filler is None or expansion.get("strategy", "fixed") != "fixed":
            raise BadData(f"{source.checkpoint.name} fills its queries in a way that is not supported: {expansion}")
    params = {
        "query_marker": marker("query"),
        "document_marker": marker("document"),
        "query_length": expansion["length"] if expansion else settings["query_length"],
        "filler": filler,
        "fillers_attend": bool(expansion and expansion.get("attend")),
        "skipped": [number for word in settings["skipped"] if (number := vocabulary_of(word)) is not None],
        "steps": settings["steps"],
    }
    length = source.checkpoint.max_length or settings["document_length"]
    return source.new_record(score="maxsim", inputs=source.inputs(), max_length=length, params=params)


def _stanford(source: Source) -> dict[str, Any]:
    from rerank_cli.methods.detect import read_json

    own = read_json(source.folder / STANFORD)
    return {
        "prompts": {"query": own.get("query_token_id", "[unused0]"), "document": own.get("doc_token_id", "[unused1]")},
        "expansion": {
            "length": own.get("query_maxlen") or _QUERY_LENGTH,
            "attend": bool(own.get("attend_to_mask_tokens")),
        },
        "query_length": None,
        "document_length": own.get("doc_maxlen") or _DOCUMENT_LENGTH,
        "skipped": list(string.punctuation) if own.get("mask_punctuation", True) else [],
        # The projection lies among the encoder's own weights.
        "steps": [{"dense": "", "activation": "torch.nn.Identity"}, {"normalize": True}],
    }


def _modules(source: Source) -> dict[str, Any]:
    """PyLate's settings stand in one file; sentence-transformers' own beside each module."""
    from rerank_cli.methods.detect import read_json
    from rerank_cli.methods.graphs.modular import module_steps

    folder, name = source.folder, source.checkpoint.name
    own = read_json(folder / "config_sentence_transformers.json")
    steps = module_steps(source)
    masks = [step for step in steps if "mask" in step]
    steps = [step for step in steps if "mask" not in step]
    if any("pool" in step for step in steps):
        raise BadData(f"{name} makes one vector of a text", "use it with --method bi-encoder")
    if own.get("model_type") == "ColBERT":
        prefixes = {"query": own.get("query_prefix") or "", "document": own.get("document_prefix") or ""}
        length = own.get("query_length") or _QUERY_LENGTH
        expansion = {"length": length, "attend": bool(own.get("attend_to_expansion_tokens"))}
        for side, prompt in (own.get("prompts") or {}).items():
            if prompt and prompt.removeprefix(prefixes.get(side, "")):
                raise BadData(f"{name} has the prompt {prompt!r} behind its marker, which is not supported")
        words = own.get("skiplist_words")
        return {
            "prompts": prefixes,
            "expansion": expansion if own.get("do_query_expansion") is not False else None,
            "query_length": length,
            "document_length": own.get("document_length") or _DOCUMENT_LENGTH,
            "skipped": list(string.punctuation) if words is None else words,
            "steps": [*(step for step in steps if "normalize" not in step), {"normalize": True}],
        }
    if own.get("similarity_fn_name", "maxsim") != "maxsim":
        raise BadData(f"{name} compares by {own['similarity_fn_name']}; maxsim is supported")
    root = read_json(folder / "sentence_bert_config.json")
    mask = masks[0]["mask"] if masks else {}
    if mask.get("keep_only_token_ids") or mask.get("skiplist_tasks", ["document"]) != ["document"]:
        raise BadData(f"{name} leaves tokens out of the comparison in a way that is not supported: {mask}")
    return {
        "prompts": own.get("prompts") or {},
        "expansion": root.get("query_expansion"),
        "query_length": root.get("query_length"),
        "document_length": root.get("document_length"),
        "skipped": mask.get("skiplist_words") or [],
        "steps": steps,
    }


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask (and types) -> token vectors (n, L, d)."""
    import torch

    from rerank_cli.methods.graphs.modular import after_encoder

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer_axes = {0: "n", 1: "length"}
            self.model = model
            self.after = after_encoder(record.params["steps"], folder)

        def forward(self, *arrays: Any) -> Any:
            batch = dict(zip(record.inputs, arrays))
            return self.after(self.model(**batch).last_hidden_state.float(), batch["attention_mask"])

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The token vectors as the PyTorch module gives them."""
    return graph(model, record, folder)(*(batch[name] for name in record.inputs))


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> TextScorer:
    """A `Scorer`; `max_length` is the document's."""
    from rerank_cli.inference.tokens import frame_of
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description
    from rerank_cli.methods.vectors import TextModel, TextScorer, best_matches

    length = chosen_length(record, max_length, frame_of(tokenizer, 1).size + 1)
    rows = MarkedRows(tokenizer, record, length)
    skipped = np.array(record.params["skipped"], dtype=np.int64)

    def kept(vectors: np.ndarray, row: Row, as_query: bool) -> np.ndarray:
        own = vectors[: len(row.ids)]
        return own if as_query else own[~np.isin(row.ids, skipped)]

    def compare(query: np.ndarray, documents: list[np.ndarray]) -> np.ndarray:
        return np.asarray(best_matches(query, documents).sum(1))

    about = description(record, backend, length, "[Q]{query}\n[D]{document}", batch_tokens)
    return TextScorer(TextModel(rows, kept, backend, record, about), compare, record)


class MarkedRows:
    """Texts to rows: the tokenizer's frame, a marker behind its first piece, and a query filled up to its length."""

    def __init__(self, tokenizer: Any, record: Record, document_length: int) -> None:
        from rerank_cli.inference.tokens import TextTokens

        params = record.params
        longest = params["query_length"] or record.longest or document_length
        # A marker takes a token of the room.
        self._markers = {True: params["query_marker"], False: params["document_marker"]}
        rooms = {True: longest, False: document_length}
        typed = "token_type_ids" in record.inputs
        self._tokens = {
            side: TextTokens(tokenizer, rooms[side] - (self._markers[side] is not None), typed=typed)
            for side in (True, False)
        }
        self._length, self._filler, self._attend = params["query_length"], params["filler"], params["fillers_attend"]

    def __call__(self, texts: Sequence[str], as_query: bool) -> list[Row]:
        """One row a text."""
        rows = [self._marked(row, as_query) for row in self._tokens[as_query].rows(texts)]
        return [self._filled(row) for row in rows] if as_query and self._filler is not None else rows

    def _marked(self, row: Row, as_query: bool) -> Row:
        marker = self._markers[as_query]
        if marker is None:
            return row
        types = None if row.types is None else np.insert(row.types, 1, row.types[0])
        return row._replace(ids=np.insert(row.ids, 1, marker), types=types)

    def _filled(self, row: Row) -> Row:
        more = self._length - len(row.ids)
        types = None if row.types is None else np.concatenate([row.types, np.zeros(more, np.int64)])
        ids = np.concatenate([row.ids, np.full(more, self._filler, dtype=np.int64)])
        return row._replace(ids=ids, types=types, attended=None if self._attend else len(row.ids))
