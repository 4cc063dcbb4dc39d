"""Fusion in the decoder: a T5 reads each passage of a list by itself, and its decoder looks at all of them at once.

The encoder's work grows with the number of passages and not with its square, and the decoder compares them word by
word. Their states stand end to end, one passage after the other, and the decoder's cross-attention, which knows no
positions, sees one long text. Checkpoints were trained with passages padded to one length and the padding masked; a
masked state has no weight at all, so nothing is padded here but what a batch needs, and the answer is the same.

G. Izacard and E. Grave: Leveraging Passage Retrieval with Generative Models for Open Domain Question Answering. arXiv:2007.01282.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from rerank_cli.core.protocols import Lengths, Pair, Reply, Slate
from rerank_cli.inference.batching import Row, batches, of_fixed_width, padded, shapes
from rerank_cli.inference.memory import telling
from rerank_cli.methods.graphs.t5_decoder import require_t5
from rerank_cli.methods.pointwise import Description, description

if TYPE_CHECKING:
    from rerank_cli.inference.memory import Halves
    from rerank_cli.inference.tokens import TemplateTokens
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

R = TypeVar("R")
#: Tokens that the decoder looks at in one batch, at least: lists that come together share the reading of its weights.
_LOOKED_AT = 8192
#: The names that the authors' wrappers around encoder and blocks give to weights -> T5's own.
_WRAPPED = {r"^encoder\.encoder\.": "encoder.", r"^(encoder\.block\.\d+)\.module\.": r"\1."}


def unwrapped(config: dict[str, Any]) -> Any:
    """The transformers class that reads a T5 whose encoder and its blocks were wrapped when its weights were saved."""

    from transformers import T5ForConditionalGeneration

    class Unwrapped(T5ForConditionalGeneration):
        @classmethod
        def from_pretrained(cls, *args: Any, **options: Any) -> Any:
            return super().from_pretrained(*args, key_mapping=_WRAPPED, **options)

    return Unwrapped


def record_of(source: Source, *, score: str, template: str, max_length: int, called: str, **params: Any) -> Record:
    """The record of a T5 whose `template` and `max_length` are the method's unless its entry says others; raises `BadData` when it is no T5."""
    checkpoint = source.checkpoint
    return source.new_record(
        score=score,
        inputs=("input_ids", "attention_mask"),
        max_length=checkpoint.max_length or max_length,
        template=checkpoint.template or template,
        params={"start_id": require_t5(source.config, checkpoint.name, called), **params},
    )


class FusedT5:
    """A loaded T5 on its device; says what it runs on as a backend does."""

    engine = "torch"
    provider = "torch"

    def __init__(self, model: Any, record: Record, *, device: str, threads: int, halves: Halves) -> None:
        """Move `model` to the device. Raises `DeviceUnavailable` when one asked for by name is not there."""
        import torch

        from rerank_cli.inference.torch import length_step, torch_device

        self.device = torch_device(device)
        torch.set_num_threads(threads)
        self.model = model.to(str(self.device)).eval()
        self.length_step, self.longest = length_step(model, self.device), record.max_length
        self.start_id: int = record.params["start_id"]
        self._pad_id = record.pad_id
        self.halves = halves

    def padded(self, rows: Sequence[Row]) -> tuple[Any, Any]:
        """Ids and mask (n, L) of some rows, on the device."""
        import torch

        arrays = padded(rows, ("input_ids", "attention_mask"), self._pad_id)
        ids, mask = (torch.from_numpy(array).to(str(self.device)) for array in arrays.values())
        return ids, mask

    def states(self, rows: Sequence[Row], budget: int, first: int | None = None) -> list[Any]:
        """The encoder's states of each row, a tensor (L, d), or (first, d); rows of similar length go together."""
        from rerank_cli.inference.torch import computing

        def read(at: np.ndarray) -> Iterator[tuple[np.ndarray, list[Any]]]:
            ids, mask = self.padded([rows[place] for place in at])
            with computing({"input_ids": ids}):
                hidden = self.model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
                # Copies, for a view would hold the whole batch.
                yield at, [own[: len(rows[place].ids)][:first].clone() for place, own in zip(at, hidden)]

        found: list[Any] = [None] * len(rows)
        lengths = np.array([len(row.ids) for row in rows], dtype=np.int64)
        rows = of_fixed_width(rows, self)
        for some in batches(lengths, budget, shapes(rows)):
            for at, states in self.halves.done(read, some, lengths):
                for place, own in zip(at, states):
                    found[place] = own
        return found

    def looked_at(
        self, lists: Sequence[Sequence[Row]], budget: int, look: Callable[[Any, Any], Sequence[R]]
    ) -> Iterator[tuple[int, R]]:
        """Lists of rows through the encoder, some lists at a time, and what `look` makes of each: (its place, that).

        `look` gets the states of all rows of some lists end to end (b, L, d), and which of these are there (b, L).
        Where numbers depend on what a row is padded to, one list at a time: it needs no padding.
        """

        def done(at: np.ndarray) -> Iterator[tuple[np.ndarray, Sequence[R]]]:
            own = [lists[place] for place in at]
            states = iter(self.states([row for rows in own for row in rows], budget))
            yield at, look(*end_to_end([[next(states) for _ in rows] for rows in own]))

        totals = np.array([sum(len(row.ids) for row in rows) for rows in lists], dtype=np.int64)
        for some in batches(totals, max(budget, _LOOKED_AT) if self.length_step == 1 else 0):
            for at, made in self.halves.done(done, some, totals):
                yield from zip(at.tolist(), made)

    def written(self, encoded: Any, mask: Any, longest: int) -> list[list[int]]:
        """What the decoder writes to states (b, L, d), the likeliest token at each step: the ids before the end token.

        `longest` counts the start token too, as in the authors' calls; all lists are written together, with a cache.
        """
        from transformers import GenerationConfig
        from transformers.modeling_outputs import BaseModelOutput

        from rerank_cli.inference.torch import computing

        end = self.model.config.eos_token_id
        greedy = GenerationConfig(
            max_length=longest,
            do_sample=False,
            num_beams=1,
            decoder_start_token_id=self.start_id,
            eos_token_id=end,
            pad_token_id=self._pad_id,
        )
        with computing({"input_ids": mask}):
            ids = self.model.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
                attention_mask=mask,
                generation_config=greedy,
            )
        return [own[1 : own.index(end) if end in own else None] for own in ids.tolist()]


def end_to_end(lists: Sequence[Sequence[Any]]) -> tuple[Any, Any]:
    """States (L, d) of the passages of each list as one batch: (b, longest, d), and its mask (b, longest)."""
    import torch

    whole = [torch.cat(list(states)) for states in lists]
    encoded = torch.nn.utils.rnn.pad_sequence(whole, batch_first=True)
    lengths = torch.tensor([len(own) for own in whole], device=encoded.device)
    return encoded, (torch.arange(encoded.shape[1], device=encoded.device) < lengths[:, None]).long()


class Opened(NamedTuple):
    """What every method of this kind works with."""

    t5: FusedT5
    tokens: TemplateTokens
    description: Description
    tokenizer: Any


def opened(
    model: Any,
    record: Record,
    tokenizer: Any,
    *,
    device: str,
    threads: int,
    max_length: int | None,
    batch_tokens: int | None,
    halves: Halves,
    first: Sequence[int] = (),
    numbered: str = "",
) -> Opened:
    """A loaded model with its tokens: `record.template` after the ids `first`, and the longest text before a document.

    Raises `WrongUsage` for a length that does not hold the template.
    """
    from rerank_cli.inference.tokens import TemplateTokens
    from rerank_cli.methods.exported import chosen_length

    t5 = FusedT5(model, record, device=device, threads=threads, halves=halves)
    empty = tokenizer.encode(record.template.replace("{query}", "").replace("{document}", numbered))
    length = chosen_length(record, max_length, len(first) + len(empty.ids))
    tokens = TemplateTokens(tokenizer, length, record.template, first)
    return Opened(t5, tokens, description(record, t5, length, record.template, batch_tokens), tokenizer)


class FusedRanker(ABC):
    """A `core.protocols.Ranker` whose decoder writes the passages' numbers in an order; one call a slate."""

    asks: Literal["order"] = "order"
    at_once = 1
    #: Most documents of a slate, and the longest answer in tokens with its start token.
    most: int
    longest: int
    strategy: str
    settings: Mapping[str, Any]

    def __init__(self, own: Opened, record: Record) -> None:
        self._t5, self._tokens, self.description, self.tokenizer = own
        self.checkpoint = record.name

    @abstractmethod
    def numbered(self, number: int, document: str) -> str:
        """What stands in the template's place for a document."""

    @abstractmethod
    def order(self, text: str, n: int) -> tuple[list[int], str]:
        """The passages 0..n-1 from best to worst by what was written, all of them, and what had to be mended (`ordered`)."""

    def places(self, slate: Slate) -> list[int]:
        """Which document of the slate each passage is: as they stand, unless the model wants them otherwise."""
        return list(range(len(slate.documents)))

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """See `Ranker.answer`."""
        rows = [self._rows(slate) for slate in slates]
        write = partial(self._t5.written, longest=self.longest)
        with telling(slates):
            for place, ids in self._t5.looked_at(rows, self.description.batch_tokens, write):
                yield place, self._reply(slates[place], rows[place], ids)

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        """See `Ranker.measure`."""
        rows = [self._rows(slate) for slate in slates]
        tokens = [sum(len(row.ids) for row in own) for own in rows]
        return Lengths(np.array(tokens, np.int64), np.array([any(row.truncated for row in own) for own in rows], bool))

    def _rows(self, slate: Slate) -> list[Row]:
        texts = [self.numbered(at + 1, slate.documents[place]) for at, place in enumerate(self.places(slate))]
        return self._tokens.rows([Pair(slate.query, text) for text in texts])

    def _reply(self, slate: Slate, rows: Sequence[Row], ids: Sequence[int]) -> Reply:
        places = self.places(slate)
        passages, repaired = self.order(self.tokenizer.decode(ids, skip_special_tokens=True), len(places))
        best_first = list(dict.fromkeys(places[passage] for passage in passages))
        values = np.empty(len(best_first))
        values[best_first] = np.arange(len(best_first), 0, -1)
        cut = {place for place, row in zip(places, rows) if row.truncated}
        tokens = sum(len(row.ids) for row in rows)
        return Reply(values, tokens, written=len(ids), truncated=len(cut), repaired=repaired)


def ordered(words: Iterable[str], n: int) -> tuple[list[int], str]:
    """The passages 0..n-1 in the order in which `words` first name them (from 1); those not named follow as they stand.

    Beside it what had to be mended, empty or one of wrong_format, repetition, missing_documents.
    """
    known = {str(number + 1): number for number in range(n)}
    named = [known.get(word.lstrip("0")) for word in words]
    found = [number for number in named if number is not None]
    order = list(dict.fromkeys([*found, *range(n)]))
    if not found or len(found) < len(named):
        return order, "wrong_format"
    distinct = len(set(found))
    return order, "repetition" if distinct < len(found) else "missing_documents" if distinct < n else ""
