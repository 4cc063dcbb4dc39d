"""A decoder that answers with a word: what a causal checkpoint is asked, and by whom its answers are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData
from rerank_cli.methods.graphs.causal_graph import FAMILIES

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend
    from rerank_cli.methods.prompted import PromptScorer
    from rerank_cli.methods.source import Source

MODEL_CLASS = "AutoModelForCausalLM"
#: Between spellings of one word in `models.toml`.
OR = "|"


def record_of(source: Source, *, score: str, words: tuple[str, ...], question: str, **params: Any) -> Record:
    """The record of a causal checkpoint: its own template, else `question` in its chat frame; raises `BadData`."""
    checkpoint = source.checkpoint
    prefix = prefix_size(source)
    ids, labels = _word_ids(source, words)
    told = {"instruction": checkpoint.instruction, "instruction_as": checkpoint.instruction_as}
    template = checkpoint.template
    if template is None:
        template = _framed(source, f"{{instruction}}{question}")
        told["instruction_as"] = "Instruction: {instruction}\n"
    return source.new_record(
        score=score,
        inputs=("input_ids", "attention_mask"),
        template=template,
        words=ids,
        params={"labels": labels, "prefix": prefix, **told, **params},
    )


def prefix_size(source: Source) -> dict[str, int]:
    """Layers, heads and size of the keys that a prompt's beginning leaves; raises `BadData` for no known causal model."""
    name, config = source.checkpoint.name, source.config
    kind = config.get("model_type")
    if kind not in FAMILIES or not any(str(a).endswith("ForCausalLM") for a in config.get("architectures") or []):
        raise BadData(
            f"{name} is {' or '.join(config.get('architectures') or [str(kind)])}, no causal language model that is known",
            f"the method {source.checkpoint.method} needs a ...ForCausalLM of type {', '.join(sorted(FAMILIES))}",
        )
    heads = int(config["num_attention_heads"])
    return {
        "layers": int(config["num_hidden_layers"]),
        "heads": int(config.get("num_key_value_heads") or heads),
        "size": int(config.get("head_dim") or config["hidden_size"] // heads),
    }


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PromptScorer:
    """A `Scorer` over the record's template and instruction; raises `WrongUsage` for a length that leaves no room."""
    from rerank_cli.inference.prompts import PromptTokens
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description
    from rerank_cli.methods.prompted import PromptScorer

    told = record.params["instruction"]
    instruction = record.params["instruction_as"].replace("{instruction}", told) if told else ""
    length = chosen_length(record, max_length, PromptTokens(tokenizer, 1 << 30, record.template, instruction).fixed())
    tokens = PromptTokens(tokenizer, length, record.template, instruction)
    template = record.template.replace("{instruction}", instruction)
    return PromptScorer(tokens, backend, record, description(record, backend, length, template, batch_tokens))


def _framed(source: Source, question: str) -> str:
    """A question to a checkpoint that nobody has listed: in its chat frame, or bare where it has none; which is said."""
    framed = source.in_chat(question)
    what = "in its own chat frame"
    if framed is None:
        from rerank_cli.inference.tokens import frame_of

        begin = frame_of(source.tokenizer, 1).pieces[0]
        framed = "".join(source.tokenizer.id_to_token(int(i)) for i in begin) + question
        what = "without a chat frame: it has no chat template"
    source.note(f"{source.checkpoint.name}: asking {question.splitlines()[-1]!r} {what}")
    return framed


def _word_ids(source: Source, words: tuple[str, ...]) -> tuple[dict[str, int], list[list[int]]]:
    """Each spelling's id, and the ids of each word; raises `BadData` for a word none of whose spellings is one token."""
    encode = source.tokenizer.encode
    unknown = encode("\ue000", add_special_tokens=False).ids
    ids: dict[str, int] = {}
    labels: list[list[int]] = []
    for word in words:
        own: list[int] = []
        for spelling in word.split(OR):
            tokens = encode(spelling, add_special_tokens=False).ids
            if len(tokens) == 1 and tokens != unknown and tokens[0] not in own:
                own.append(tokens[0])
                ids[spelling] = tokens[0]
        if not own or set(own) & {number for label in labels for number in label}:
            raise BadData(
                f"{word.split(OR)[0]!r} is not one token of its own in the vocabulary of {source.checkpoint.name}",
                f"the method {source.checkpoint.method} compares the logits of single tokens; "
                "this checkpoint was trained with other words",
            )
        labels.append(own)
    return ids, labels
