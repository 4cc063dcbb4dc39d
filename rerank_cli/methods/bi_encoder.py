"""Bi-encoders: query and document become one vector each, apart from each other; the score is their similarity.

Quick, because a document's vector serves every query, and less exact than a model that reads both together.
How tokens become a vector is read from the model's own sentence-transformers files: pooling, dense layers,
normalisation, prompts, similarity. Each distinct text goes through the model once (`vectors`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.core.method import Method
from rerank_cli.errors import BadData

if TYPE_CHECKING:
    import numpy as np

    from rerank_cli.inference.batching import Row
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend
    from rerank_cli.methods.source import Source
    from rerank_cli.methods.vectors import TextModel, TextScorer

METHOD = Method(
    name="bi-encoder",
    asks="score",
    summary="embeds query and document apart and scores the similarity of the two vectors",
    paper="Reimers and Gurevych, Sentence-BERT, arXiv:1908.10084",
    calls="n + 1",
    score="cosine",
    when=(
        "The cheapest neural reranker: a document is embedded once and kept, so a second query over the same "
        "documents costs next to nothing. It has to squeeze a text into one vector, and misses the one sentence "
        "that answers; with two hundred candidates or more it is the first of several steps, followed by a "
        "cross-encoder over the best."
    ),
)
MODEL_CLASS = "AutoModel"
FUSION: str | None = "bert"
#: The pooler is not used: its weights may be absent.
MAY_LACK = ("pooler",)


def record(source: Source) -> Record:
    """How this checkpoint embeds; raises `BadData` for a module or a similarity that is not supported."""
    from rerank_cli.methods.detect import read_json
    from rerank_cli.methods.graphs.modular import module_steps

    def config_of(name: str) -> dict[str, Any]:
        path = source.folder / name
        return dict(read_json(path)) if path.is_file() else {}

    own = config_of("config_sentence_transformers.json")
    prompts = {name: text or "" for name, text in (own.get("prompts") or {}).items()}
    default = prompts.get(own.get("default_prompt_name") or "", "")
    similarity = own.get("similarity_fn_name") or "cosine"
    if similarity not in ("cosine", "dot"):
        raise BadData(f"{source.checkpoint.name} compares vectors by {similarity}; cosine and dot are supported")
    steps = module_steps(source)
    if not steps:
        source.note(f"{source.checkpoint.name} has no modules.json: taking the mean of the token vectors")
        steps = [{"pool": ["mean"]}]
    if not any("pool" in step for step in steps):
        raise BadData(
            f"{source.checkpoint.name} makes no single vector of a text", "use it with --method late-interaction"
        )
    params = {
        "steps": steps,
        "query_prompt": prompts.get("query", default),
        "document_prompt": next((prompts[n] for n in ("document", "passage", "corpus") if n in prompts), default),
        "lower": bool(config_of("sentence_bert_config.json").get("do_lower_case")),
    }
    prompted = params["query_prompt"] or params["document_prompt"]
    if prompted and any(step.get("include_prompt") is False for step in steps):
        raise BadData(f"{source.checkpoint.name} leaves its prompt out of the pooling, which is not supported")
    length = config_of("sentence_bert_config.json").get("max_seq_length")
    return source.new_record(
        score=similarity, inputs=source.inputs(), max_length=source.checkpoint.max_length or length, params=params
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask (and types) -> vectors (n, d)."""
    import torch

    from rerank_cli.methods.graphs.modular import after_encoder

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.after = after_encoder(record.params["steps"], folder)

        def forward(self, *arrays: Any) -> Any:
            batch = dict(zip(record.inputs, arrays))
            return self.after(self.model(**batch).last_hidden_state.float(), batch["attention_mask"])

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The vectors as the PyTorch module gives them, one text at a time without padding."""
    from rerank_cli.methods.vectors import one_by_one

    return one_by_one(graph(model, record, folder), record.inputs, batch)


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> TextScorer:
    """A `Scorer` over two vectors."""
    import numpy as np

    from rerank_cli.methods.vectors import TextScorer

    def compare(query: np.ndarray, documents: list[np.ndarray]) -> np.ndarray:
        return np.asarray(np.stack(documents) @ query)

    return TextScorer(text_model(record, tokenizer, backend, max_length, batch_tokens), compare, record)


def text_model(
    record: Record,
    tokenizer: Any,
    backend: LoadedBackend,
    max_length: int | None,
    batch_tokens: int | None,
    kept: Callable[[np.ndarray, Row, bool], np.ndarray] | None = None,
) -> TextModel:
    """Texts behind the prompts that the record has for queries and for documents; `kept` as in `TextModel`, None: the vector as it is compared."""
    from rerank_cli.inference.tokens import TextTokens, frame_of
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description
    from rerank_cli.methods.vectors import TextModel, unit

    params = record.params
    length = chosen_length(record, max_length, frame_of(tokenizer, 1).size)
    tokens = TextTokens(tokenizer, length, typed="token_type_ids" in record.inputs)

    def rows(texts: Sequence[str], as_query: bool) -> list[Row]:
        prompt = params["query_prompt" if as_query else "document_prompt"]
        return tokens.rows([(prompt + text).lower() if params["lower"] else prompt + text for text in texts])

    def vector(numbers: np.ndarray, row: Row, as_query: bool) -> np.ndarray:
        return unit(numbers) if params.get("similarity", record.score) == "cosine" else numbers

    template = params["query_prompt"] + "{query}\n" + params["document_prompt"] + "{document}"
    return TextModel(
        rows, kept or vector, backend, record, description(record, backend, length, template, batch_tokens)
    )
