"""E²Rank: a listwise prompt is the query of an embedding model, and the documents' vectors are compared with it.

The prompt shows the query and the first twenty documents of the list, in the model's own chat frame; its last
token's vector is what the documents are looked for with. It is relevance feedback that a language model reads instead of a
mean. A document's vector serves every query, so a list costs one long prompt and the documents not met before. The
same checkpoint embeds for retrieval; any bi-encoder that takes the last token of a language model can be asked so.

Q. Liu et al.: E2Rank: your text embedding can also be an effective and efficient listwise reranker. arXiv:2510.22733.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.errors import BadData
from rerank_cli.inference.batching import Row
from rerank_cli.inference.list_prompts import placed
from rerank_cli.methods.bi_encoder import MAY_LACK, MODEL_CLASS, graph, reference
from rerank_cli.methods.lists import TextLists

if TYPE_CHECKING:
    from rerank_cli.core.protocols import Slate
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend
    from rerank_cli.methods.source import Source

__all__ = ["FUSION", "MAY_LACK", "METHOD", "MODEL_CLASS", "graph", "record", "reference", "scorer"]

METHOD = Method(
    name="e2rank",
    asks="rate",
    summary="embeds a listwise prompt as the query and scores its cosine with each document",
    paper="Liu et al., E2Rank, arXiv:2510.22733",
    calls="n + 1",
    score="cosine",
    strategy="single",
    when=(
        "A listwise reranker at an embedder's price: it sees the first twenty documents beside the query, writes no word, and "
        "rates the whole list at once. Documents' vectors are kept, so a collection that is asked often costs one prompt "
        "a query. Give it a first stage whose top is worth reading; where no document is met twice, a cross-encoder of "
        "the same size costs no more and looks closer."
    ),
)
FUSION = None
#: What the authors' evaluation tells the model on web search, and how many documents and words of each it shows.
INSTRUCTION = "Given a web search query and some relevant documents, rerank the documents that answer the query:"
QUESTION = "{instruction}\nDocuments:\n{documents}\nSearch Query: {query}"
SHOWN, WORDS = 20, 1024
#: What the authors put behind a document where the tokenizer puts nothing.
_END = "<|endoftext|>"


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` without a chat template, or for one that takes no last token."""
    from rerank_cli.inference.tokens import frame_of
    from rerank_cli.methods.graphs.modular import module_steps

    name = source.checkpoint.name
    steps = module_steps(source) or [{"pool": ["lasttoken"]}, {"normalize": True}]
    if not any(step.get("pool") == ["lasttoken"] for step in steps):
        raise BadData(f"{name} does not take the last token's vector, which a prompt as query needs")
    template = source.in_chat(QUESTION)
    if template is None:
        raise BadData(f"{name} has no chat template", "use it with --method bi-encoder")
    before, after = (piece.tolist() for piece in frame_of(source.tokenizer, 1).pieces)
    if not after:
        after = list(
            source.word_ids((_END,), "a document has to end in a token that the model was trained to embed").values()
        )
    told = {"instruction": source.checkpoint.instruction or INSTRUCTION}
    return source.new_record(
        score="cosine",
        inputs=("input_ids", "attention_mask"),
        template=template,
        params={"steps": steps, "before": before, "after": after, **told},
    )


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> E2RankScorer:
    """A `ListScorer`; `max_length` is the prompt's and each document's."""
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import description
    from rerank_cli.methods.vectors import TextModel, unit

    length = chosen_length(record, max_length, len(record.params["before"] + record.params["after"]))

    def kept(vector: np.ndarray, row: Row, as_query: bool) -> np.ndarray:
        return unit(vector)

    about = description(record, backend, length, record.template, batch_tokens)
    return E2RankScorer(TextModel(_Rows(tokenizer, length, record), kept, backend, record, about), record.name)


class E2RankScorer(TextLists):
    """A `core.protocols.ListScorer`; the list's order says which documents the prompt shows."""

    one_prompt = True

    def asked(self, slate: Slate) -> str:
        """Query and shown documents; `_Rows` writes the prompt, which only documents may be cut in."""
        return json.dumps([slate.query, *slate.documents[:SHOWN]])

    def rated(
        self, query: np.ndarray, documents: Sequence[np.ndarray], slate: Slate
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """See `TextLists.rated`."""
        return (np.stack(documents) @ query).astype(np.float64), {"shown": min(SHOWN, len(documents))}


class _Rows:
    """Prompts and documents to token rows."""

    def __init__(self, tokenizer: Any, length: int, record: Record) -> None:
        from rerank_cli.inference.tokens import PlainText, TokenMemory

        tokenizer.encode_special_tokens = False
        self._tokenizer, self._length = tokenizer, length
        self._plain = PlainText(tokenizer, also_in=record.template)
        self._memory = TokenMemory(tokenizer)
        params = record.params
        self._before, self._after = (np.array(params[side], dtype=np.int64) for side in ("before", "after"))
        # What fills a field is never read as template again.
        start, rest = record.template.split("{documents}")
        self._start = start.replace("{instruction}", self._plain(params["instruction"]))
        self._middle, self._end = rest.split("{query}")

    def __call__(self, texts: Sequence[str], as_query: bool) -> list[Row]:
        """One row a text."""
        if as_query:
            return [self._prompt(*json.loads(text)) for text in texts]
        room = self._length - len(self._before) - len(self._after)
        shown = [_first_words(text) for text in texts]
        found = self._memory.ids(shown)
        return [
            Row(
                np.concatenate([self._before, found[some][:room], self._after]),
                None,
                len(found[some]) > room or len(text.split()) > WORDS,
            )
            for text, some in zip(texts, shown, strict=True)
        ]

    def _prompt(self, query: str, *documents: str) -> Row:
        parts = [self._start]
        for number, document in enumerate(documents, 1):
            parts[-1] += f"[{number}] "
            parts += [self._plain(_first_words(document)), "\n"]
        # No newline behind the last document but the template's own.
        parts[-1] = self._middle + self._plain(query) + self._end
        prompt = placed(self._tokenizer, parts, self._length, framed=False)
        return Row(prompt.ids, None, bool(prompt.truncated.any()))


def _first_words(text: str) -> str:
    """The text with single blanks, as far as the authors read it."""
    return " ".join(text.split()[:WORDS])
