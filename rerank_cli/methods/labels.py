"""Models that answer a question about several documents with the label of one: how they are asked, and their graph.

One forward pass gives the logit of every document's label, where writing the answer would give one label. The label
is the next word of the prompt's last words (`Passage`, `[`): a T5's decoder has read them, a causal model's prompt
ends with them. A T5's graph is its encoder, a few steps of its decoder (see `t5_decoder`) and the labels' rows of the vocabulary;
a causal model's is `causal_graph`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData
from rerank_cli.methods.graphs import causal_graph
from rerank_cli.methods.graphs.t5_decoder import TYPES, one_step, output_scale, require_t5, teacher_forced

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

_INPUTS = ("input_ids", "attention_mask")


def t5_record(
    source: Source, template: str, *, score: str, labels: str, words: tuple[str, ...] = (), cue: str = "", length: int
) -> Record:
    """The record of a T5 that answers with one of `words`, or with a letter after it has said `cue`.

    `labels` are what the prompt calls the documents; `words[i]` is the answer for the i-th of them. Raises `BadData` when
    it is no T5 or its vocabulary lacks a word or the letter B.
    """
    from rerank_cli.inference.tokens import frame_of

    checkpoint = source.checkpoint
    said = [require_t5(source.config, checkpoint.name, checkpoint.method)]
    if words:
        hint = f"{checkpoint.method} compares the logits of these words; this checkpoint was trained with others"
        ids = source.word_ids(words, hint)
    else:
        said += source.tokenizer.encode(cue, add_special_tokens=False).ids
        ids = _checked({letter: own[0] for letter, own in _next_words(source, cue, labels).items()}, source)
    return source.new_record(
        score=score,
        inputs=_INPUTS,
        max_length=checkpoint.max_length or length,
        template=checkpoint.template or template,
        words=ids,
        params={
            "said": said,
            "labels": [[number] for number in ids.values()],
            "names": labels[: len(ids)],
            "frame": [piece.tolist() for piece in frame_of(source.tokenizer, 1).pieces],
        },
    )


def causal_record(
    source: Source, template: str, *, score: str, labels: str, cue: str, length: int, system: str = ""
) -> Record:
    """The record of a causal model that is asked in its chat frame and goes on from `cue` with a letter; raises `BadData`.

    A label's logit is that of its likeliest spelling: vocabularies have a letter with a blank before it and without.
    """
    from rerank_cli.inference.tokens import frame_of
    from rerank_cli.methods.causal import prefix_size

    checkpoint, tokenizer = source.checkpoint, source.tokenizer
    size = prefix_size(source)
    framed = source.in_chat(template, system)
    if framed is None:
        source.note(f"{checkpoint.name}: asking without a chat frame: it has no chat template")
        framed = f"{system}\n{template}" if system else template
    begin = frame_of(tokenizer, 1).pieces[0].tolist()
    if framed.startswith("".join(tokenizer.id_to_token(number) for number in begin)):
        begin = []  # the chat frame has it already
    spelled = _checked(_spellings(source, labels), source)
    return source.new_record(
        score=score,
        inputs=_INPUTS,
        max_length=checkpoint.max_length or length,
        template=framed + cue,
        words={letter: own[0] for letter, own in spelled.items()},
        params={
            "each": True,
            "labels": list(spelled.values()),
            "names": "".join(spelled),
            "frame": [begin, []],
            "prefix": size,
        },
    )


def is_t5(source: Source) -> bool:
    """Whether the checkpoint is an encoder-decoder T5."""
    return source.config.get("model_type") in TYPES


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask -> the labels' logits (n, labels); of a causal model see `causal_graph.graph`."""
    if "prefix" in record.params:
        return causal_graph.graph(model, record, folder)
    import torch

    class Graph(torch.nn.Module):
        said: Any

        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = model.encoder, model.decoder
            rows = model.lm_head.weight[[label[0] for label in record.params["labels"]]]
            self.rows = torch.nn.Parameter(rows.detach().float() * output_scale(model), requires_grad=False)
            self.register_buffer("said", torch.tensor([record.params["said"]]))

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            encoded = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if self.said.shape[1] == 1:
                state = one_step(self.decoder, encoded, attention_mask, record.params["said"][0])
            else:
                said = self.said.expand(encoded.shape[0], -1)
                state = teacher_forced(self.decoder, encoded, attention_mask, said)[:, -1]
            # In fp32 whatever the encoder computed in: nearby labels are told apart here.
            return state.float() @ self.rows.T

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The same logits by the library's own forward pass: whole decoder, whole vocabulary."""
    if "prefix" in record.params:
        return causal_graph.reference(model, record, folder, batch)
    import torch

    said = torch.tensor([record.params["said"]], device=batch["input_ids"].device).expand(len(batch["input_ids"]), -1)
    logits = model(**batch, decoder_input_ids=said, use_cache=False).logits[:, -1]
    return logits[:, [label[0] for label in record.params["labels"]]].double()


def _next_words(source: Source, cue: str, labels: str) -> dict[str, list[int]]:
    """The id of each letter after `cue` and a blank, up to the first letter that is not one token there."""
    said = source.tokenizer.encode(cue, add_special_tokens=False).ids
    unknown = source.tokenizer.encode("\ue000", add_special_tokens=False).ids[-1:]
    found: dict[str, list[int]] = {}
    for letter in labels:
        ids = source.tokenizer.encode(f"{cue} {letter}", add_special_tokens=False).ids
        if ids[: len(said)] != said or len(ids) != len(said) + 1 or ids[-1:] == unknown:
            break
        found[letter] = ids[-1:]
    return found


def _spellings(source: Source, labels: str) -> dict[str, list[int]]:
    """The ids of every token that reads as each letter but for blanks, up to the first letter that has none."""
    tokenizer = source.tokenizer
    rows = min(tokenizer.get_vocab_size(), int(source.config.get("vocab_size") or 2**31))
    readings: dict[str, list[int]] = {}
    for number, text in enumerate(tokenizer.decode_batch([[number] for number in range(rows)])):
        readings.setdefault(text.strip(" ▁"), []).append(number)
    found: dict[str, list[int]] = {}
    for letter in labels:
        if letter not in readings:
            break
        found[letter] = readings[letter]
    return found


def _checked(found: dict[str, Any], source: Source) -> dict[str, Any]:
    if len(found) < 2:
        raise BadData(
            f"the vocabulary of {source.checkpoint.name} does not write the letters A and B as one token each",
            f"{source.checkpoint.method} compares the logits of single tokens",
        )
    return found
