"""In-context reranking: how much a language model, reading the query behind all documents, looks back at each of them.

Nothing is written and nothing was trained: the attention that the tokens of the question give to a document's tokens is
added up over all layers and heads. Models look at some places whatever they are asked; so the same is measured with
the query "N/A" and taken away. What is in front of the question is read once, and both questions go on from its
keys and values.

S. Chen, B. J. Gutiérrez, Y. Su: Attention in large language models yields efficient zero-shot re-rankers. ICLR 2025,
arXiv:2410.02642.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Lengths, Slate
from rerank_cli.errors import BadData
from rerank_cli.inference.list_prompts import Placed, placed
from rerank_cli.methods.graphs.attention_graph import FAMILIES, graph
from rerank_cli.methods.lists import PromptLists, Rated, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import Description, LoadedBackend
    from rerank_cli.methods.source import Source

__all__ = ["ENGINES", "FUSION", "MAY_LACK", "METHOD", "MODEL_CLASS", "PRECISIONS", "graph", "record", "scorer"]

METHOD = Method(
    name="icr",
    asks="rate",
    summary="adds up the attention that the question's tokens give to each document's, less that of an empty question",
    paper="Chen et al., Attention in LLMs yields efficient zero-shot re-rankers, arXiv:2410.02642",
    calls="2",
    score="attention",
    strategy="single",
    when=(
        "Reranks with an open instruction model as it is, without a word written: two forward passes over the whole list, "
        "however long. It is strong where relevance is more than shared words (questions in steps, contradictions) and "
        "with models too small to write a good order. It needs weights at hand and a context that holds the list; "
        "splitting the list into windows makes it worse. Behind a server, or where a trained reranker fits the "
        "collection, use that."
    ),
)
MODEL_CLASS = "AutoModel"
MAY_LACK = ()
FUSION = None
ENGINES = ("torch",)
PRECISIONS = ("fp32", "fp16", "bf16")
INSTRUCTION = "Please find information that are relevant to the following query in the paragraphs above."
CALIBRATION = "N/A"
#: Words of a document, parted by single blanks, that the authors show.
WORDS = 300
#: Between paragraphs: a blank keeps the newlines from joining a full stop in one token.
_BETWEEN = " \n\n"
#: What the authors put around the question, by model: before, after, and between paragraphs. Other chat frames are the model's own.
_AUTHORS = {
    "llama": (
        "<|start_header_id|>user<|end_header_id|>",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
        _BETWEEN,
    ),
    "mistral": ("[INST]", "[/INST]", "\n\n"),
}
_TURN = re.compile(r"\[(/?INST\])")


def record(source: Source) -> Record:
    """How this checkpoint is asked: as its authors' code does, else in its chat frame; raises `BadData` for others."""
    name, config = source.checkpoint.name, source.config
    kind = str(config.get("model_type"))
    if kind not in FAMILIES:
        raise BadData(f"{name} is a {kind}: attention is read of {', '.join(sorted(FAMILIES))}")
    frame = source.in_chat("{documents}")
    if frame is None:
        raise BadData(f"{name} has no chat template", "ICR asks models that follow instructions")
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    if window:
        source.note(f"some layers of {name} look back {window} tokens only: documents further away count for less")
    before, after, between = _AUTHORS.get(kind, ("", "", ""))
    first = " Here are some paragraphs:"
    framed = bool(before) and before in frame
    if not framed:
        (before, after), between, first = frame.split("{documents}"), _BETWEEN, first.strip()
    template = f"{before}{first}{{documents}}{between}{{instruction}}{between}Query: {{query}}{after}"
    return source.new_record(
        score="attention",
        inputs=("input_ids", "tail"),
        template=template,
        params={
            "between": between,
            "framed": framed,
            "instruction": source.checkpoint.instruction or INSTRUCTION,
            **{"reverse": True, "words": WORDS} | dict(source.checkpoint.params),
        },
    )


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> AttentionScorer:
    """A `ListScorer`; `max_length` is the whole list's."""
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description

    length = chosen_length(record, max_length, 0)
    about = description(record, backend, length, record.template, batch_tokens)
    return AttentionScorer(record, tokenizer, backend, about)


class AttentionScorer(PromptLists):
    """A `core.protocols.ListScorer`; the list's order is the prompt's, the best nearest to the question."""

    def __init__(self, record: Record, tokenizer: Any, backend: LoadedBackend, about: Description) -> None:
        from rerank_cli.inference.tokens import PlainText

        super().__init__(about, record.name, backend.workers)
        tokenizer.encode_special_tokens = False
        self._encoder, self._backend, self._params = tokenizer, backend, record.params
        self._as_plain = PlainText(tokenizer, also_in=record.template)
        self._start, rest = record.template.split("{documents}")
        rest = rest.replace("{instruction}", self._plain(record.params["instruction"]))
        self._question, self._end = rest.split("{query}")
        prompt, begin = self._prompt(CALIBRATION, ["a"], about.max_length)
        #: The tokens of the end that asks for nothing, the same behind every list.
        self._nothing = prompt.ids[begin:]

    def lengths(self, slates: Sequence[Slate]) -> Lengths:
        """See `ListMethod.lengths`."""
        each = [self._cost(slate, self._asked(slate)[0]) for slate in slates]
        return Lengths(*(np.concatenate(column) for column in zip(*each, strict=True)))

    def rated(self, slate: Slate) -> Rated:
        """See `PromptLists.rated`; two forward passes."""
        prompt, begin = self._asked(slate)
        ids, tail = np.concatenate([prompt.ids[:begin], self._nothing]), prompt.ids[begin:]
        seen = self._backend.run({"input_ids": ids[None], "tail": tail[None], "start": np.array([begin])})[0]
        values = np.array([kept_sum(seen[first:last]) for first, last in prompt.spans])
        return Rated(self._turned(values), self._cost(slate, prompt), 2, {})

    def _asked(self, slate: Slate) -> tuple[Placed, int]:
        """The list's prompt, and the first token of its question; short enough to ask for nothing too."""
        documents = self._turned(slate.documents)
        longest = self.description.max_length
        prompt, begin = self._prompt(slate.query, documents, longest)
        over = begin + len(self._nothing) - longest
        return self._prompt(slate.query, documents, longest - over) if over > 0 else (prompt, begin)

    def _prompt(self, query: str, documents: Sequence[str], length: int) -> tuple[Placed, int]:
        between = self._params["between"]
        parts = []
        for number, document in enumerate(documents, 1):
            shown = " ".join(document.split(" ")[: self._params["words"]])
            parts += [between, f"[{number}] {self._plain(shown)}"]
        parts[0] = self._start + between
        end = self._question + self._plain(query).strip() + self._end
        prompt = placed(self._encoder, [*parts, end], length, framed=self._params["framed"])
        # A token belongs where it ends: the question begins with the first that ends behind the last separator.
        return prompt, int(np.flatnonzero(prompt.ends > sum(map(len, parts)) + len(between))[0])

    def _plain(self, text: str) -> str:
        # Of Mistral's older tokenizers these markers are no tokens.
        return _TURN.sub(r"[ \1", self._as_plain(text))

    def _cost(self, slate: Slate, prompt: Placed) -> Lengths:
        words = np.array([len(document.split(" ")) > self._params["words"] for document in slate.documents], dtype=bool)
        tokens = spread(len(prompt.ids) + len(self._nothing), len(slate.documents))
        return Lengths(tokens, words | self._turned(prompt.truncated))

    def _turned(self, listed: Any) -> Any:
        """From the list's order to the prompt's, and back."""
        return listed[::-1] if self._params["reverse"] else listed


def kept_sum(scores: np.ndarray) -> float:
    """The sum of a document's tokens' scores (L,), without those more than two standard deviations below their mean."""
    scores = scores.astype(np.float64)
    if len(scores) > 1:
        scores = scores[scores >= scores.mean() - 2 * scores.std(ddof=1)]
    return float(scores.sum())
