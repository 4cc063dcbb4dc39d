"""jina-reranker-v3: all documents in one prompt, each with a marker behind it whose last state is its vector.

The documents stand before the query, and a causal model reads forwards: a document's marker has seen the documents before it and
the query in the prompt's first line, the query's marker has seen everything. Both go through a small projection, and
their cosine is the score. A long list is read in blocks; the query's vectors of all blocks are averaged, a block whose best
document fits better counting more, and every document is scored with the mean. PyTorch alone runs it: its attention keeps no
weights, of which twelve thousand tokens would take gigabytes a layer.

F. Wang, Y. Li, H. Xiao: jina-reranker-v3: last but not late interaction for document reranking. arXiv:2509.25085.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Lengths, Slate
from rerank_cli.errors import BadData
from rerank_cli.inference.list_prompts import Placed, placed
from rerank_cli.inference.tokens import PlainText
from rerank_cli.methods.lists import PromptLists, Rated, spread
from rerank_cli.methods.vectors import unit

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import Description, LoadedBackend
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="jina-v3",
    asks="rate",
    summary="reads up to 125 documents in one prompt and compares the states at a marker behind each with the query's",
    paper="Wang et al., jina-reranker-v3, arXiv:2509.25085",
    calls="ceil(n / 125)",
    score="cosine",
    strategy="single",
    when=(
        "One small model, one forward pass for the whole list, and each document is read beside the others: the quickest "
        "way to a reranker that sees the list. Scores change a little with the order of the candidates, so give it a "
        "first stage's order. It needs PyTorch and the weights; for scores that a list must not change, take a cross-encoder."
    ),
)
FUSION = None
MAY_LACK = ()
ENGINES = ("torch",)
PRECISIONS = ("fp32", "fp16", "bf16")
#: The tokens behind a document and behind the query.
MARKERS = ("<|embed_token|>", "<|rerank_token|>")
#: What the projection ends in.
_SIZE = 512
#: Most documents of a block, most tokens of a document and of a query, as the authors' code has them.
LIMITS = {"block": 125, "document_tokens": 2048, "query_tokens": 512}
TEMPLATE = (
    "<|im_start|>system\nYou are a search relevance expert who can determine a ranking of the passages based on how "
    "relevant they are to the query. If the query is a question, how relevant a passage is depends on how well it answers "
    "the question. If not, try to analyze the intent of the query and assess how well each passage satisfies the intent. "
    "If an instruction is provided, you should follow the instruction when determining the ranking.<|im_end|>\n"
    "<|im_start|>user\nI will provide you with {n} passages, each indicated by a numerical identifier. Rank the passages "
    "based on their relevance to query: {query}\n{instruction}{documents}\n<query>\n{query}<|rerank_token|>\n</query>"
    "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)
_FIELD = re.compile(r"\{(n|query|instruction)\}")


def _with_projection(config: Mapping[str, Any]) -> Any:
    """The decoder with its projection, as the checkpoint names its weights."""
    import torch
    from transformers import Qwen3Model, Qwen3PreTrainedModel

    class Decoder(Qwen3PreTrainedModel):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.model = Qwen3Model(config)
            half = config.hidden_size // 2
            self.projector = torch.nn.Sequential(
                torch.nn.Linear(config.hidden_size, half, bias=False),
                torch.nn.ReLU(),
                torch.nn.Linear(half, _SIZE, bias=False),
            )
            self.post_init()

    return Decoder


MODEL_CLASS = _with_projection


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` for one without the markers."""
    name = source.checkpoint.name
    if source.config.get("model_type") != "qwen3":
        raise BadData(f"{name} is a {source.config.get('model_type')}, and jina-reranker-v3 a qwen3")
    return source.new_record(
        score="cosine",
        inputs=("input_ids", "places"),
        template=TEMPLATE,
        words=source.word_ids(MARKERS, "jina-reranker-v3 reads its vectors at these tokens"),
        params={"instruction": source.checkpoint.instruction, **LIMITS, **source.checkpoint.params},
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module that PyTorch runs: a prompt (1, L), places in it (1, K) -> vectors (1, K, 512)."""
    import torch

    model.set_attn_implementation("sdpa")

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, places: Any) -> Any:
            states = model.model(input_ids=input_ids, use_cache=False).last_hidden_state
            return model.projector(states[:, places[0]])

    return Graph().eval()


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> MarkerScorer:
    """A `ListScorer`; `max_length` is a block's."""
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description

    about = description(record, backend, chosen_length(record, max_length, 0), record.template, batch_tokens)
    return MarkerScorer(record, tokenizer, backend, about)


class MarkerScorer(PromptLists):
    """A `core.protocols.ListScorer`; documents are read in the list's order."""

    def __init__(self, record: Record, tokenizer: Any, backend: LoadedBackend, about: Description) -> None:
        super().__init__(about, record.name, backend.workers)
        tokenizer.encode_special_tokens = False
        self._encoder, self._backend, self._params = tokenizer, backend, record.params
        self._behind_document, self._behind_query = (record.words[marker] for marker in MARKERS)
        self._as_plain = PlainText(tokenizer, also_in=record.template)
        told = self._plain(record.params["instruction"].strip())
        self._instruction = f"<instruct>\n{told}\n</instruct>\n" if told else ""

    def lengths(self, slates: Sequence[Slate]) -> Lengths:
        """See `ListMethod.lengths`."""
        each = [self._cost(prompt) for slate in slates for prompt in self._prompts(slate)]
        return Lengths(*(np.concatenate(column) for column in zip(*each, strict=True)))

    def rated(self, slate: Slate) -> Rated:
        """See `PromptLists.rated`; a forward pass a block."""
        prompts = list(self._prompts(slate))
        queries, documents, weights = [], [], []
        for prompt in prompts:
            places = np.flatnonzero(np.isin(prompt.ids, (self._behind_document, self._behind_query)))
            vectors = self._backend.run({"input_ids": prompt.ids[None], "places": places[None]})[0].astype(np.float64)
            # The query's marker is the last one.
            queries.append(vectors[-1])
            documents.append(vectors[:-1])
            weights.append((1 + cosines(vectors[-1], vectors[:-1]).max()) / 2)
        query = np.average(queries, axis=0, weights=weights)
        lengths = Lengths(*(np.concatenate(column) for column in zip(*map(self._cost, prompts), strict=True)))
        told = {"blocks": len(prompts)}
        return Rated(cosines(query, np.concatenate(documents)), lengths, len(prompts), told)

    def _prompts(self, slate: Slate) -> Iterator[Placed]:
        """The prompt of each block."""
        query, query_tokens, cut = self._cut_query(slate.query)
        texts = [self._plain(text) for text in slate.documents]
        encodings = self._encoder.encode_batch_fast(texts, add_special_tokens=False)
        longest = self._params["document_tokens"]
        sizes = [min(len(encoding.ids), longest) for encoding in encodings]
        for own in blocks(sizes, self.description.max_length - 2 * query_tokens, self._params["block"], longest):
            yield self._prompt(query, texts[own], cut)

    def _prompt(self, query: str, documents: Sequence[str], cut: bool) -> Placed:
        fields = {"n": str(len(documents)), "query": query, "instruction": self._instruction}
        start, end = (_filled(part, fields) for part in self.description.template.split("{documents}"))
        parts = [start]
        for number, document in enumerate(documents):
            parts[-1] += f'<passage id="{number}">\n'
            parts += [document, f"{MARKERS[0]}\n</passage>\n"]
        parts[-1] = parts[-1].removesuffix("\n") + end
        most = self._params["document_tokens"]
        prompt = placed(self._encoder, parts, self.description.max_length, framed=False, most=most)
        return prompt._replace(truncated=prompt.truncated | cut)

    def _cut_query(self, query: str) -> tuple[str, int, bool]:
        """The query as it is shown, its tokens, and whether it was cut."""
        plain = self._plain(query)
        offsets = self._encoder.encode(plain, add_special_tokens=False).offsets
        most = self._params["query_tokens"]
        if len(offsets) <= most:
            return plain, len(offsets), False
        return plain[: offsets[most - 1][1]], most, True

    def _plain(self, text: str) -> str:
        for marker in MARKERS:
            text = text.replace(marker, "")
        return self._as_plain(text)

    def _cost(self, prompt: Placed) -> Lengths:
        return Lengths(spread(len(prompt.ids), len(prompt.spans)), prompt.truncated)


def blocks(sizes: Sequence[int], room: int, most: int, longest: int) -> Iterator[slice]:
    """Cut a list of documents of `sizes` tokens into blocks of up to `most`: one is full when less than `longest` is left of `room`."""
    start, left = 0, room
    for at, size in enumerate(sizes, 1):
        left -= size
        if at - start >= most or left <= longest or at == len(sizes):
            yield slice(start, at)
            start, left = at, room


def cosines(query: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """The cosines (n,) of `query (d,)` and `documents (n, d)`."""
    return np.asarray(unit(documents) @ unit(query), np.float64)


def _filled(template: str, fields: Mapping[str, str]) -> str:
    """A template's fields filled at once, so that what fills one is not read as template."""
    return _FIELD.sub(lambda field: fields[field[1]], template)
