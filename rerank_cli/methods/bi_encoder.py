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
)
MODEL_CLASS = "AutoModel"
FUSION: str | None = "bert"
#: The pooler is not used: its weights may be absent.
MAY_LACK = ("pooler",)

#: sentence-transformers' older switches of 1_Pooling/config.json.
_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


def record(source: Source) -> Record:
    """How this checkpoint embeds; raises `BadData` for a module or a similarity that is not supported."""
    from rerank_cli.methods.detect import read_json

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


def module_steps(source: Source) -> list[dict[str, Any]]:
    """What follows the encoder, in order: {"pool": [...]}, {"dense": folder, ...}, {"normalize": true}, {"mask": settings}."""
    from rerank_cli.methods.detect import read_json

    listing = source.folder / "modules.json"
    if not listing.is_file():
        source.note(f"{source.checkpoint.name} has no modules.json: taking the mean of the token vectors")
        return [{"pool": ["mean"]}]
    steps: list[dict[str, Any]] = []
    for module in read_json(listing)[1:]:
        kind, path = str(module["type"]).rsplit(".", 1)[-1], module.get("path", "")
        config = read_json(source.folder / path / "config.json") if kind in ("Pooling", "Dense") else {}
        if kind == "Pooling":
            modes = config.get("pooling_mode") or [mode for key, mode in _POOLINGS.items() if config.get(key)] or "mean"
            modes = [modes] if isinstance(modes, str) else list(modes)
            steps.append({"pool": modes, "include_prompt": config.get("include_prompt", True)})
        elif kind == "Dense":
            if config.get("use_residual"):
                raise BadData(f"{source.checkpoint.name} has a dense layer with a residual, which is not supported")
            steps.append(
                {"dense": path, "activation": config.get("activation_function", "torch.nn.modules.activation.Tanh")}
            )
        elif kind == "Normalize":
            steps.append({"normalize": True})
        elif kind == "MultiVectorMask":
            steps.append({"mask": read_json(source.folder / path / "config.json")})
        else:
            raise BadData(f"{source.checkpoint.name} has a module of type {module['type']}, which is not supported")
    return steps


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask (and types) -> vectors (n, d)."""
    import torch

    after = [dense_layer(step, folder) if "dense" in step else None for step in record.params["steps"]]

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.dense = torch.nn.ModuleList([layer for layer in after if layer is not None])

        def forward(self, *arrays: Any) -> Any:
            batch = dict(zip(record.inputs, arrays))
            vectors = self.model(**batch).last_hidden_state
            dense = iter(self.dense)
            for step in record.params["steps"]:
                if "pool" in step:
                    vectors = _pooled(vectors, batch["attention_mask"], step["pool"])
                elif "dense" in step:
                    vectors = next(dense)(vectors)
                else:
                    vectors = torch.nn.functional.normalize(vectors, dim=-1)
            return vectors

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

    from rerank_cli.methods.vectors import TextScorer, unit

    def compare(query: np.ndarray, documents: list[np.ndarray]) -> np.ndarray:
        return np.asarray(np.stack(documents) @ query)

    def kept(vector: np.ndarray, row: Row, as_query: bool) -> np.ndarray:
        return unit(vector) if record.score == "cosine" else vector

    return TextScorer(text_model(record, tokenizer, backend, max_length, batch_tokens, kept), compare, record)


def text_model(
    record: Record,
    tokenizer: Any,
    backend: LoadedBackend,
    max_length: int | None,
    batch_tokens: int | None,
    kept: Callable[[np.ndarray, Row, bool], np.ndarray],
) -> TextModel:
    """Texts behind the prompts that the record has for queries and for documents; `kept` as in `TextModel`."""
    from rerank_cli.inference.tokens import TextTokens, frame_of
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description
    from rerank_cli.methods.vectors import TextModel

    params = record.params
    length = chosen_length(record, max_length, frame_of(tokenizer, 1).size)
    tokens = TextTokens(tokenizer, length, typed="token_type_ids" in record.inputs)

    def rows(texts: Sequence[str], as_query: bool) -> list[Row]:
        prompt = params["query_prompt" if as_query else "document_prompt"]
        return tokens.rows([(prompt + text).lower() if params["lower"] else prompt + text for text in texts])

    template = params["query_prompt"] + "{query}\n" + params["document_prompt"] + "{document}"
    return TextModel(rows, kept, backend, record, description(record, backend, length, template, batch_tokens))


def _pooled(states: Any, mask: Any, modes: list[str]) -> Any:
    """One vector a row from token states (n, L, d) and mask (n, L), by sentence-transformers' names."""
    import torch

    weights = mask.unsqueeze(-1).to(states.dtype)
    count = weights.sum(1).clamp(min=1e-9)
    out = []
    for mode in modes:
        if mode == "cls":
            out.append(states[:, 0])
        elif mode == "max":
            out.append(states.masked_fill(weights == 0, torch.finfo(states.dtype).min).max(1).values)
        elif mode == "mean":
            out.append((states * weights).sum(1) / count)
        elif mode == "mean_sqrt_len_tokens":
            out.append((states * weights).sum(1) / count.sqrt())
        elif mode == "weightedmean":
            places = weights * torch.cumsum(weights, dim=1)
            out.append((states * places).sum(1) / places.sum(1).clamp(min=1e-9))
        elif mode == "lasttoken":
            last = (mask.sum(1) - 1).view(-1, 1, 1).expand(-1, 1, states.shape[-1])
            out.append(states.gather(1, last).squeeze(1))
        else:
            raise BadData(f"the pooling {mode!r} is not supported")
    return torch.cat(out, dim=-1)


def dense_layer(step: dict[str, Any], folder: Path) -> Any:
    """A sentence-transformers Dense module: a linear layer and its activation."""
    import torch

    place = folder / step["dense"]
    if (place / "model.safetensors").is_file():
        from safetensors.torch import load_file

        state = load_file(place / "model.safetensors")
    else:
        state = torch.load(place / "pytorch_model.bin", map_location="cpu", weights_only=True)
    weight, bias = state["linear.weight"], state.get("linear.bias")
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
    activation = getattr(torch.nn, str(step["activation"]).rsplit(".", 1)[-1], None)
    if activation is None:
        raise BadData(f"the activation {step['activation']} of {place} is not supported")
    return torch.nn.Sequential(linear, activation())
