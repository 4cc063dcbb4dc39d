"""A model that is asked in words about several documents at once: prompt, answer, numbers.

One class serves every such method: what is said is a prompt file, how the reply is read is the parser that the file
names, who writes is a `Writer`, a server or a local model. What differs between methods is data.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Cache, Lengths, Reply, Slate
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.kept_words import KeptWriter
from rerank_cli.inference.memory import numbered_by, telling
from rerank_cli.inference.writing import Completion, Decoding, Prompt, Writer
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.pointwise import Description
from rerank_cli.methods.words.prompt import PromptFile
from rerank_cli.methods.words.prompt_files import load_prompt
from rerank_cli.methods.words.prompt_fit import Fitted, fit
from rerank_cli.methods.words.replies import WRONG, reading, unclosed

#: The user's own prompt: a name, a file, or one already loaded.
Asked = str | Path | PromptFile | None


class HowAsked(TypedDict):
    """What every method's `asked` is told besides: the most tokens of a prompt, the instruction, and where to say things."""

    max_length: int | None
    instruction: str | None
    note: Callable[[str], None]


class WordedRanker:
    """A `core.protocols.Ranker` over a `Writer`.

    One call a slate, two where the first reply could not be read at all and chance has a say in the second (temperature above 0).
    """

    def __init__(
        self,
        method: Method,
        checkpoint: Checkpoint,
        writer: Writer,
        prompt: PromptFile,
        *,
        max_length: int | None = None,
        instruction: str | None = None,
        note: Callable[[str], None] = lambda said: None,
    ) -> None:
        """Raises `BadData` for a parser that is none, `WrongUsage` for an instruction that the prompt has no place for."""
        read = reading(prompt.parser, prompt.name)
        if instruction and not prompt.reads_instruction:
            raise WrongUsage(
                f"the prompt {prompt.name} reads no instruction", "leave --instruction out, or give --prompt FILE"
            )
        self.asks: Any = read.asks
        self.most = prompt.limit
        self.at_once = writer.at_once
        self.strategy = checkpoint.strategy or method.strategy
        self.settings: Mapping[str, Any] = {**method.settings, **checkpoint.settings}
        self.checkpoint = checkpoint.name
        self.prompt = prompt
        #: What else a caller may need: the model's tokenizer, where it is on this machine.
        self.tokenizer: Any = getattr(writer, "tokenizer", None)
        self._writer = self._fresh = writer
        self._instruction = instruction or checkpoint.instruction
        self._parse = read.parse
        self._note = note
        self._list_tokens: dict[int, int] = {}
        self._context = shortest(writer.context, max_length or checkpoint.max_length)
        self.description = described(
            method, checkpoint, writer, prompt, read.score, context=self._context, instruction=self._instruction
        )

    def keep_in(self, store: Cache) -> None:
        """From now on the writer's completions are kept in `store`."""
        self._writer = KeptWriter(self._fresh, store)

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """See `Ranker.answer`; slates whose answers may be as long are completed together. Raises what the writer raises."""
        alike: dict[Decoding, list[int]] = {}
        for at, slate in enumerate(slates):
            alike.setdefault(self._decoding(len(slate.documents)), []).append(at)
        for decoding, places in alike.items():
            orders = [self._shown(slates[at]) for at in places]
            asked = [self._fitted(slates[at], order, decoding) for at, order in zip(places, orders)]
            prompts, sizes = [one.prompt for one in asked], [len(order) for order in orders]
            with telling([slates[at] for at in places]):
                for i, reply in self._replies(prompts, sizes, decoding):
                    values = np.full(len(orders[i]), np.nan)
                    values[orders[i]] = reply.values
                    yield places[i], reply._replace(values=values, truncated=asked[i].truncated)

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        """See `Ranker.measure`: tokens of each prompt, an estimate where the tokenizer is a server's."""
        fitted = [self._fitted(s, self._shown(s), self._decoding(len(s.documents))) for s in slates]
        tokens = self._fresh.count([one.prompt for one in fitted])
        return Lengths(np.array(tokens, np.int64), np.array([one.truncated > 0 for one in fitted], bool))

    def kept(self, slates: Sequence[Slate]) -> np.ndarray:
        """Which slates' first completions are kept, (n,) bool."""
        if not isinstance(self._writer, KeptWriter):
            return np.zeros(len(slates), bool)
        decodings = [self._decoding(len(slate.documents)) for slate in slates]
        prompts = [self._fitted(s, self._shown(s), how).prompt for s, how in zip(slates, decodings)]
        return np.array(self._writer.kept(list(zip(prompts, decodings))), bool)

    def _replies(self, prompts: list[Prompt], sizes: Sequence[int], decoding: Decoding) -> Iterator[tuple[int, Reply]]:
        """The reply to each prompt, its values in the order shown; what cannot be read is asked once more, where chance has a say."""
        failed: list[tuple[int, Reply]] = []
        for i, completion in self._writer.complete(prompts, decoding):
            reply = self._reply(completion, sizes[i])
            if reply.repaired == WRONG and np.isnan(reply.values).all() and decoding.temperature > 0:
                failed.append((i, reply))
            else:
                yield i, reply
        again = [prompts[i] for i, _ in failed]
        if not again:
            return
        with numbered_by([i for i, _ in failed]):
            for j, completion in self._writer.complete(again, decoding._replace(seed=decoding.seed + 1)):
                i, first = failed[j]
                second = self._reply(completion, sizes[i])
                yield (
                    i,
                    second._replace(
                        tokens=first.tokens + second.tokens,
                        written=first.written + second.written,
                        calls=first.calls + second.calls,
                        cached=first.cached and second.cached,
                        repaired=second.repaired or WRONG,
                    ),
                )

    def _reply(self, completion: Completion, n: int) -> Reply:
        if self.prompt.reasons and completion.finish == "length" and unclosed(completion.text):
            completion = completion._replace(text=f"<think>{completion.text}")
        parsed = self._parse(completion, self.prompt.names(n))
        return Reply(
            values=parsed.values / self.prompt.out_of,
            tokens=completion.read,
            written=completion.written,
            calls=int(not completion.cached),
            cached=completion.cached,
            repaired=parsed.repaired,
            reason=parsed.reason,
        )

    def _shown(self, slate: Slate) -> np.ndarray:
        """The places of the slate's documents in the order they are shown (n,) int64."""
        n = len(slate.documents)
        if not self.prompt.shuffled:
            return np.arange(n)
        said = "\0".join([slate.query, *slate.documents]).encode("utf-8", "replace")
        (seed,) = struct.unpack("<Q", hashlib.blake2b(said, digest_size=8).digest())
        return np.random.default_rng(seed).permutation(n)

    def _fitted(self, slate: Slate, order: np.ndarray, decoding: Decoding) -> Fitted:
        return fit(
            self.prompt,
            self._fresh,
            slate.query,
            [slate.documents[at] for at in order],
            room=None if self._context is None else self._context - decoding.max_tokens,
            instruction=self._instruction,
            scores=[float(slate.first_stage[at]) for at in order],
        )

    def _decoding(self, n: int) -> Decoding:
        """How n documents are answered; an answer gets at most half of the context, and it is said when that is less than it asks for."""
        if n not in self._list_tokens:
            whole = " > ".join(f"[{name}]" for name in self.prompt.names(n))
            with_list, without = self._fresh.count([Prompt(text=whole), Prompt(text="")])
            self._list_tokens[n] = with_list - without
        decoding = self.prompt.decode(self._list_tokens[n], exact=self._fresh.engine != "endpoint")
        half = None if self._context is None else self._context // 2
        if half is not None and decoding.max_tokens > half:
            self._note(
                f"{self.checkpoint} may write {half} tokens, not {decoding.max_tokens}: its context is {self._context}"
            )
            self._note = lambda said: None
            decoding = decoding._replace(max_tokens=half, min_tokens=min(decoding.min_tokens, half))
        return decoding


def worded(
    method: Method, own: str, checkpoint: Checkpoint, writer: Writer, prompt: Asked, **how: Unpack[HowAsked]
) -> WordedRanker:
    """The ranker that a method's `asked` returns; see `prompt_of`."""
    return WordedRanker(method, checkpoint, writer, prompt_of(prompt, checkpoint, own), **how)


def shortest(*limits: int | None) -> int | None:
    """The lowest of the limits that are known, None when none is."""
    known = [limit for limit in limits if limit]
    return min(known) if known else None


def described(
    method: Method,
    checkpoint: Checkpoint,
    writer: Writer,
    prompt: PromptFile,
    score: str,
    *,
    context: int | None,
    instruction: str,
) -> Description:
    """Who answers in words, for headers and keys: the writer, and every word of the prompt by its digest."""
    return Description(
        name=checkpoint.name,
        method=method.name,
        score=score,
        max_length=context or 0,
        engine=writer.engine,
        provider=writer.engine,
        device=writer.device,
        precision=writer.precision,
        template=" ".join(filter(None, (prompt.name, prompt.digest, instruction))),
        source=checkpoint.source,
        revision=checkpoint.revision,
        model_hash=writer.identity,
        batch_tokens=0,
    )


def prompt_of(prompt: Asked, checkpoint: Checkpoint, own: str) -> PromptFile:
    """The user's prompt, else the checkpoint's, else the method's `own`; raises `Missing` or `BadData` as `load_prompt`."""
    return prompt if isinstance(prompt, PromptFile) else load_prompt(prompt or checkpoint.prompt or own)
