"""A local language model that writes: prompts of like length together, one token each a step, keys and values kept.

The words of a prompt do not depend on the prompts beside it: rows are padded on the left behind a mask, a row that is
done leaves the batch, and whoever draws words at random draws from the prompt's own numbers. In 16 bits this holds
but for rounding, which may tip a word that is nearly as likely as another. Log-probabilities are those of the whole
vocabulary, before anything was forbidden or made likelier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.errors import OutOfMemory, WrongUsage
from rerank_cli.inference.batching import batches
from rerank_cli.inference.memory import Halves, is_memory
from rerank_cli.inference.writing import Completion, Decoding, Prompt

if TYPE_CHECKING:
    from rerank_cli.inference.framing import Begun, Framing, Words

#: Tokens of prompts and answers in a batch: writing reads all weights once a step, however many rows there are.
BATCH_TOKENS = {"cpu": 16384, "cuda": 131072}
#: Tokens of an answer that a batch has room for, where more may be written: few answers are longer, and a batch of long
#: ones that memory does not hold is halved.
_EXPECTED = 1024


@dataclass
class _Page:
    """What has been written of one prompt."""

    place: int
    begun: Begun
    #: Most tokens that may be written.
    most: int
    draw: np.random.Generator
    ids: list[int] = field(default_factory=list)
    told: list[tuple[str, dict[str, float]]] = field(default_factory=list)

    @property
    def room(self) -> int:
        """Tokens it is expected to take."""
        return len(self.begun.read) + min(self.most, _EXPECTED)


class LocalWriter:
    """A `Writer` over a transformers model: causal, or an encoder with a decoder (`framing.apart`)."""

    engine = "torch"
    at_once = 1

    def __init__(
        self,
        model: Any,
        framing: Framing,
        words: Words,
        *,
        identity: str,
        name: str,
        device: Any,
        precision: str,
        context: int | None,
        ends: Sequence[int],
        note: Callable[[str], None],
        batch_tokens: int | None = None,
    ) -> None:
        """`model` is moved to `device` (`inference.devices.Device`); `ends` are the tokens that end an answer."""
        self.identity, self.device, self.precision, self.context = identity, str(device), precision, context
        #: Whether an encoder reads the prompt and a decoder writes, as T5's do.
        self.apart = framing.apart
        self._model = model.to(self.device).eval()
        self._framing, self._words, self._name, self._note = framing, words, name, note
        #: The `tokenizers.Tokenizer`, for who must cut a text where the model would.
        self.tokenizer = framing.tokenizer
        self._ends = sorted(set(ends))
        self._budget = batch_tokens or BATCH_TOKENS[device.kind]
        self.halves = Halves(note)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """See `Writer.count`; exact."""
        return [len(begun.read) + len(begun.answer) for begun in self._framing.begun(prompts, None)]

    def complete(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Completion]]:
        """See `Writer.complete`; a step of the model for each token of a batch's longest answer.

        Raises `WrongUsage` for a prompt that fills the model's positions or a word that is no single token, `OutOfMemory`
        when a single prompt has no room.
        """
        begun = self._framing.begun(prompts, decoding.thinking)

        def page(at: int) -> _Page:
            return self._page(at, begun[at], prompts[at].draw, decoding)

        def written(chosen: np.ndarray) -> Iterator[tuple[list[int], Completion]]:
            # What has no room is written again from its beginning, with the same chances.
            return self._written([page(at) for at in chosen.tolist()], decoding)

        rooms = np.array([page(at).room for at in range(len(prompts))], dtype=np.int64)
        for some in batches(rooms, self._budget):
            for (at,), completion in self.halves.done(written, some, rooms):
                yield at, completion

    def _page(self, place: int, begun: Begun, drawn: int, decoding: Decoding) -> _Page:
        most = decoding.max_tokens
        if self.context is not None:
            most = min(most, self.context - len(begun.read) - len(begun.answer))
        if most < 1:
            raise WrongUsage(
                f"a prompt of {len(begun.read)} tokens leaves {self._name} no room to answer: it has {self.context} positions",
                "a smaller --max-length or --window makes prompts shorter",
            )
        own = blake2b(
            np.array([decoding.seed + drawn, *begun.read, -1, *begun.answer], dtype=np.int64).tobytes(), digest_size=8
        )
        return _Page(place, begun, most, np.random.default_rng(int.from_bytes(own.digest(), "little")))

    def _written(self, pages: list[_Page], decoding: Decoding) -> Iterator[tuple[list[int], Completion]]:
        """A batch to its end; the place of each page as soon as it is written. Raises `OutOfMemory`."""
        from rerank_cli.inference.decoder_state import DecoderState

        longest = max(len(page.begun.read) for page in pages)
        try:
            state = DecoderState(self._model, [page.begun for page in pages])
            while pages:
                self._choose(state.logits, pages, decoding)
                done = [self._finished(page, decoding) for page in pages]
                yield from (([page.place], one) for page, one in zip(pages, done) if one is not None)
                kept = [at for at, one in enumerate(done) if one is None]
                pages = [pages[at] for at in kept]
                if pages:
                    state.go_on(kept, [page.ids[-1] for page in pages])
        except (RuntimeError, MemoryError) as error:
            if not is_memory(error):
                raise
            raise OutOfMemory(
                f"there is no memory for a prompt of {longest} tokens and its answer",
                "a smaller --max-length needs less memory, and so does --precision bf16",
            ) from error

    def _choose(self, logits: Any, pages: Sequence[_Page], decoding: Decoding) -> None:
        """Write the next token on each page, from its logits (n, vocabulary)."""
        import torch

        scores = logits.clone()
        early = [at for at, page in enumerate(pages) if len(page.ids) < decoding.min_tokens]
        if early and self._ends:
            scores[torch.tensor(early)[:, None], torch.tensor(self._ends)] = -torch.inf
        if decoding.allowed:
            allowed = [self._allowed(text) for text in decoding.allowed]
            scores = torch.full_like(scores, -torch.inf).index_copy_(
                1, torch.tensor(allowed, device=scores.device), scores[:, allowed]
            )
        if decoding.temperature > 0:
            numbers = torch.tensor([page.draw.random() for page in pages], dtype=torch.double, device=scores.device)
            chosen = drawn(scores, numbers, decoding).tolist()
        else:
            chosen = scores.argmax(-1).tolist()
        for page, number in zip(pages, chosen):
            page.ids.append(number)
        if decoding.logprobs or decoding.allowed or decoding.watched:
            self._tell(logits, pages, decoding)

    def _tell(self, logits: Any, pages: Sequence[_Page], decoding: Decoding) -> None:
        """Note the log-probabilities of the likeliest tokens, of the chosen one and of those that are watched."""
        logprobs = logits.log_softmax(-1)
        best = logprobs.topk(min(decoding.logprobs, logprobs.shape[1]))
        found = {text: self._words.number(text) for text in (*decoding.allowed, *decoding.watched)}
        watched = {text: number for text, number in found.items() if number is not None}
        own = logprobs.gather(1, logits.new_tensor([[page.ids[-1]] for page in pages]).long())[:, 0].tolist()
        rows = zip(
            pages, own, best.indices.tolist(), best.values.tolist(), logprobs[:, list(watched.values())].tolist()
        )
        for page, value, likeliest, values, others in rows:
            told: dict[str, float] = {}
            for number, logprob in (*zip(likeliest, values), (page.ids[-1], value)):
                told.setdefault(self._words.one(number), logprob)
            page.told.append((self._words.one(page.ids[-1]), told | dict(zip(watched, others))))

    def _allowed(self, text: str) -> int:
        number = self._words.number(text)
        if number is None:
            raise WrongUsage(
                f"{text!r} is not one token in the vocabulary of {self._name}",
                "this checkpoint was trained with other words",
            )
        return number

    def _finished(self, page: _Page, decoding: Decoding) -> Completion | None:
        """The completion when its last token ended it."""
        ended = page.ids[-1] in self._ends
        ids = page.ids[:-1] if ended else page.ids
        stops = [] if ended or len(ids) < decoding.min_tokens else self._stops(ids, decoding.stop)
        if not (ended or stops or len(ids) >= page.most):
            return None
        text = self._words.text(ids)
        if stops:
            text = text[: min(text.rfind(stop) + len(stop) for stop in stops)]
        finish = "stop" if ended or stops else "length"
        return Completion(
            text, len(page.begun.read) + len(page.begun.answer), len(page.ids), tuple(page.told[: len(ids)]), finish
        )

    def _stops(self, ids: Sequence[int], stops: Sequence[str]) -> list[str]:
        """Those of `stops` that the last tokens spell: every token is a byte at least."""
        if not stops:
            return []
        end = self._words.text(ids[-max(len(stop.encode()) for stop in stops) - 4 :])
        return [stop for stop in stops if stop in end]


def drawn(scores: Any, numbers: Any, decoding: Decoding) -> Any:
    """Tokens (n,) drawn from logits (n, vocabulary) by uniform `numbers (n,)`: temperature, then top-k, then top-p."""
    import torch

    scores = scores.double() / decoding.temperature
    if 0 < decoding.top_k < scores.shape[1]:
        scores = scores.masked_fill(scores < scores.topk(decoding.top_k).values[:, -1:], -torch.inf)
    if decoding.top_p < 1:
        ordered, places = scores.softmax(-1).sort(dim=-1, descending=True, stable=True)
        beyond = ordered.cumsum(-1) - ordered >= decoding.top_p
        scores = scores.masked_fill(torch.zeros_like(beyond).scatter(1, places, beyond), -torch.inf)
    sums = scores.softmax(-1).cumsum(-1)
    return torch.searchsorted(sums, (numbers * sums[:, -1])[:, None], right=True)[:, 0].clamp(max=scores.shape[1] - 1)
