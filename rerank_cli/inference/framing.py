"""Prompts to the tokens that a local model reads: turns in the chat frame of its own tokenizer, bare text as it is.

A prompt's words are other people's texts. A special token that is spelled in them (`<|im_end|>`) gets a blank after its
first character, so that only the frame holds special tokens; the beginning of the answer is the program's own and is read as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rerank_cli.errors import WrongUsage
from rerank_cli.inference.tokens import PlainText, frame_of
from rerank_cli.inference.writing import Prompt

#: Turns (role, content) and whether to think aloud -> the framed text, up to where the answer begins.
Chat = Callable[[list[dict[str, str]], bool | None], str]


class Begun(NamedTuple):
    """Token ids of a prompt: what is `read`, and, of a model with a decoder apart, how its answer begins."""

    read: list[int]
    answer: list[int]


class Framing:
    """Prompts to token ids, for a causal model or (`apart`) for one that reads with an encoder and writes with a decoder."""

    def __init__(self, name: str, tokenizer: Any, chat: Chat | None, *, apart: bool) -> None:
        """From here on `tokenizer` (a `tokenizers.Tokenizer`) reads special tokens as such; `chat`: None where there is no frame."""
        tokenizer.encode_special_tokens = False
        self._name, self.tokenizer, self._chat, self.apart = name, tokenizer, chat, apart
        self._plain = PlainText(tokenizer)
        self._first = frame_of(tokenizer, 1).pieces[0].tolist()

    def begun(self, prompts: Sequence[Prompt], thinking: bool | None) -> list[Begun]:
        """The tokens of each prompt; raises `WrongUsage` for turns that the model has no frame for."""
        framed = [self._framed(prompt, thinking) for prompt in prompts]
        if self.apart:
            read = self._ids([text for text, _ in framed], specials=True)
            return [Begun(*both) for both in zip(read, self._ids([prompt.prefill for prompt in prompts]))]
        read = self._ids([text + prompt.prefill for (text, _), prompt in zip(framed, prompts)])
        return [Begun(first + ids, []) for (_, first), ids in zip(framed, read)]

    def _framed(self, prompt: Prompt, thinking: bool | None) -> tuple[str, list[int]]:
        """The text to tokenise, and the ids before it that the text does not spell."""
        if not prompt.messages:
            return self._plain(prompt.text), self._first
        turns = [{"role": role, "content": self._plain(content)} for role, content in prompt.messages]
        if self._chat is not None:
            return self._chat(turns, thinking), []
        if self.apart and len(turns) == 1:
            return turns[0]["content"], []
        raise WrongUsage(
            f"{self._name} has no chat template, and is asked in turns",
            "use the instruction-tuned version of the model, or a --prompt FILE that is one bare text",
        )

    def _ids(self, texts: Sequence[str], *, specials: bool = False) -> list[list[int]]:
        return [list(found.ids) for found in self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=specials)]


class Words:
    """Token ids to text: that of one token, of an answer, and which token a text is."""

    def __init__(self, tokenizer: Any, *, begins: bool) -> None:
        """`begins`: an answer is a text of its own and does not go on from another one."""
        self._tokenizer, self._begins = tokenizer, begins
        # Some tokenizers leave out the blank before the first word of a text: a token's own text shows after another.
        self._before = [tokenizer.encode("a", add_special_tokens=False).ids[-1]]
        self._skip = len(tokenizer.decode(self._before))
        self._texts: dict[int, str] = {}
        self._numbers: dict[str, int | None] = {}

    def one(self, number: int) -> str:
        """The text of a token, its blank too; the name of a special one, or of one that is half a character."""
        if number not in self._texts:
            text = self._tokenizer.decode([*self._before, number], skip_special_tokens=False)[self._skip :]
            whole = text and "\ufffd" not in text
            self._texts[number] = text if whole else f"bytes:{self._tokenizer.id_to_token(number)}"
        return self._texts[number]

    def text(self, ids: Sequence[int]) -> str:
        """An answer's text, without special tokens."""
        if self._begins:
            return str(self._tokenizer.decode(list(ids)))
        return str(self._tokenizer.decode([*self._before, *ids])[self._skip :])

    def number(self, text: str) -> int | None:
        """The token that `text` is; None when it is none, or several."""
        if text not in self._numbers:
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids
            single = len(ids) == 1 and ids != self._tokenizer.encode("\ue000", add_special_tokens=False).ids
            self._numbers[text] = int(ids[0]) if single else None
        return self._numbers[text]
