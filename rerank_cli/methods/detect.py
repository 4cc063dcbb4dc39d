"""What a checkpoint's own files say it is: the method, by architecture or by sentence-transformers' modules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData, Missing, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.methods.checkpoint import Checkpoint

#: The file that makes a folder of weights an adapter's, and what peft's tasks are called by transformers.
ADAPTER = "adapter_config.json"
_TASKS = {"CAUSAL_LM": "ForCausalLM", "SEQ_2_SEQ_LM": "ForConditionalGeneration"}


def method_of(folder: Path, name: str) -> str:
    """The method of the checkpoint in `folder`; raises `WrongUsage` naming the --method to give when it does not tell."""
    if (folder / "artifact.metadata").is_file():
        return "late-interaction"
    if (folder / "modules.json").is_file():
        kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in read_json(folder / "modules.json")]
        own = folder / "config_sentence_transformers.json"
        family = read_json(own).get("model_type", "SentenceTransformer") if own.is_file() else "SentenceTransformer"
        if family in ("ColBERT", "MultiVectorEncoder"):
            return "late-interaction"
        if "SpladePooling" in kinds:
            return "splade"
        if family == "CrossEncoder" and {"Pooling", "Dense"} <= set(kinds):
            return "modular-cross-encoder"
        if family != "SentenceTransformer" and not _is_classifier(folder):
            raise WrongUsage(
                f"{name} is a {family} of sentence-transformers, built of modules that rerank cannot use yet",
                "models with a ...ForSequenceClassification head, bi-encoders, late interaction and monoT5 can be used",
            )
        if "Pooling" in kinds and not _is_classifier(folder):
            return "bi-encoder"
    if _is_classifier(folder):
        return "cross-encoder"
    if not (folder / "config.json").is_file() and (folder / ADAPTER).is_file():
        config = {"architectures": ["an adapter of a " + _TASKS.get(_task(folder), "model of unknown task")]}
    else:
        config = model_config(folder, name)
    architectures = [str(a) for a in config.get("architectures") or []]
    kind = architectures[0] if architectures else f"a {config.get('model_type', 'model of unknown type')}"
    if kind.endswith("ForConditionalGeneration"):
        raise WrongUsage(
            f"{name} is {kind}, and its configuration does not tell how it was trained to rerank",
            "give --method monot5 if it answers true or false to 'Query: … Document: … Relevant:', rankt5 if it was "
            "trained to rank with one logit, upr to score with the query's likelihood",
        )
    raise WrongUsage(
        f"{name} is {kind}, and its configuration does not tell how it reranks",
        "give --method yes-no if it is to answer yes or no, graded for a grade from 0 to 4, upr for query likelihood"
        if kind.endswith("ForCausalLM")
        else "give --method cross-encoder, monot5, bi-encoder or late-interaction",
    )


def likeness(folder: Path, entries: Iterable[Checkpoint]) -> Checkpoint | None:
    """The one listed checkpoint that `folder` is a copy of, by the folder's name or the name kept in its config.json."""
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    names = {folder.resolve().name.lower(), str(config.get("_name_or_path", "")).lower().rsplit("/", 1)[-1]}
    found = [
        entry
        for entry in entries
        if "/" in entry.source and ":" not in entry.source and entry.source.rsplit("/", 1)[1].lower() in names
    ]
    return found[0] if len(found) == 1 else None


def model_config(folder: Path, name: str) -> dict[str, Any]:
    """The checkpoint's config.json; raises `Missing` when there is none."""
    path = folder / "config.json"
    if not path.is_file():
        raise Missing(
            f"{name}: there is neither config.json nor rerank.json in {folder}",
            "a model is a folder saved by transformers or written by rerank export-onnx",
        )
    config: dict[str, Any] = read_json(path)
    return config


def read_json(path: Path) -> Any:
    """A JSON file's value; raises `BadData` naming the file when it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadData(f"cannot be read as JSON: {error}", where=str(path)) from error


def _task(folder: Path) -> str:
    """What an adapter was trained for, as peft calls it."""
    return str(read_json(folder / ADAPTER).get("task_type"))


def _is_classifier(folder: Path) -> bool:
    if not (folder / "config.json").is_file():
        return (folder / ADAPTER).is_file() and _task(folder) == "SEQ_CLS"
    architectures = read_json(folder / "config.json").get("architectures") or []
    return any(str(a).endswith("ForSequenceClassification") for a in architectures)
