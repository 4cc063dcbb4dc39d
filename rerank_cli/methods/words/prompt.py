"""Prompts are data: a record says what a model is told, how passages stand in it, how much it may write, how it is read.

`prompts/NAME.toml` is such a file, and so is any file of the user's. At its top level stand the fields of `PromptFile`;
where the references of a checkpoint differ, `[versions.NAME]` tables hold what is different, and `default` names the one
that is meant (`NAME@VERSION` asks for another). The words are told either as `turns` (a table each: `role`, `content`,
and `each = true` for those repeated per document) or as a bare `text` for a model that knows no chat.

Fields of a text: {query}, {num} (documents), {keep} (half of them), {instruction}, {labels} (all labels) and {passages};
of a passage or a repeated turn: {i} (its label), {text}, {score} (of the first stage), {num}, {query}. What fills a field
is put in once and never read as template again, and a marker of some model's vocabulary in it (`<|im_end|>`, `</think>`)
gets a blank after its first character, so that it is plain text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from rerank_cli.errors import WrongUsage
from rerank_cli.inference.writing import Decoding, Message, Prompt

FIELD = re.compile(r"\{(\w+)\}")
#: Where what some model's chat template or tokenizer may read as a marker begins: its first character.
_MARKER = re.compile(
    r"<(?=[|｜][^|｜<>\s]{1,40}[|｜]>|<SYS>>|</SYS>>|/?(?:s|unk|pad|bos|eos|mask|think|answer|reason)>)"
    r"|<(?=(?:(?:start|end)_of_turn|extra_id_\d+)>)|\[(?=/?INST\])"
)
#: How a text is cleaned before it is cut: pattern and what stands for it.
CLEAN = {
    "numbers": (re.compile(r"\[(\d+)\]"), r"(\1)"),
    "letters": (re.compile(r"\[([A-z]+)\]"), r"(\1)"),
    "newlines": (re.compile(r"\n+"), " "),
    "blanks": (re.compile(r"\s+"), " "),
}
#: What of it holds for the query too.
_OF_QUERIES = ("numbers", "letters")
CUTS = ("words", "words_together", "characters", "tokens")
LENGTHS = ("list", "at most list")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Turn(NamedTuple):
    """One turn of a chat, said once or for `each` document."""

    role: str
    content: str
    each: bool = False


@dataclass(frozen=True)
class PromptFile:
    """One version of a prompt file."""

    #: NAME@VERSION, or what the user called the file.
    name: str
    #: The parser's name (`methods.words.replies`).
    parser: str
    turns: tuple[Turn, ...] = ()
    text: str = ""
    #: A document where {passages} stands, and what parts two of them.
    passage: str = ""
    between: str = "\n"
    labels: Literal["numbers", "letters"] = "numbers"
    #: One label where {labels} stands, and what parts two of them.
    label: str = "{i}"
    labels_between: str = ", "
    #: The beginning of the answer, put into the model's mouth.
    prefill: str = ""
    #: What {instruction} says unless the user says another.
    instruction: str = ""
    #: The most of a document: {words}, {words_together} (shared by all), {characters} or {tokens}; empty: all of it.
    cut: Mapping[str, int] = field(default_factory=dict)
    #: What is cleaned out of texts: numbers and letters ([12] becomes (12)), newlines, blanks (any run of them is one).
    clean: tuple[str, ...] = ()
    #: Fields of `inference.writing.Decoding`; max_tokens may be one of `LENGTHS`.
    decoding: Mapping[str, Any] = field(default_factory=dict)
    #: Most documents of a question; 0: as many as there are labels.
    most: int = 0
    #: Whether documents are shown in an order of chance (the same one for the same question), so that no place is favoured.
    shuffled: bool = False
    #: Whether the model reasons first: then a reply that was cut off before it closed its reasoning holds no answer.
    reasons: bool = False
    #: What a rating is divided by.
    out_of: int = 1
    #: False when not all of it was read in the authors' own files.
    verified: bool = True
    #: Where the words are from: repository@commit:path.
    source: str = ""
    note: str = ""

    def filled(
        self, query: str, documents: Sequence[str], *, instruction: str = "", scores: Sequence[float] | None = None
    ) -> Prompt:
        """The prompt about `documents`, texts that are cut and cleaned already (`shortened`).

        `scores` are those of the first stage, for prompts that tell them. Raises `WrongUsage` for more documents than labels.
        """
        labels = self.names(len(documents))
        texts = [plain(text) for text in documents]
        told = ["" if scores is None else f"{score:.3f}" for score in (scores if scores is not None else texts)]
        common = {"query": plain(self.asked(query)), "num": str(len(documents)), "keep": str(len(documents) // 2)}
        each = [{**common, "i": name, "text": text, "score": score} for name, text, score in zip(labels, texts, told)]
        whole = {
            **common,
            "instruction": plain(instruction or self.instruction),
            "labels": self.labels_between.join(_filled(self.label, {"i": name}) for name in labels),
            "passages": self.between.join(_filled(self.passage, one) for one in each),
        }
        return Prompt(tuple(self._messages(whole, each)), _filled(self.text, whole), _filled(self.prefill, whole))

    @property
    def reads_instruction(self) -> bool:
        """Whether {instruction} stands anywhere."""
        return any("{instruction}" in text for text in (self.text, *(turn.content for turn in self.turns)))

    @property
    def limit(self) -> int | None:
        """Most documents of a question; None: any number."""
        return self.most or (len(LETTERS) if self.labels == "letters" else None)

    def names(self, n: int) -> list[str]:
        """The labels of n documents; raises `WrongUsage` when there are not so many."""
        most = self.limit
        if most is not None and n > most:
            raise WrongUsage(
                f"the prompt {self.name} can hold {most} documents, not {n}", f"give --window {most} or less"
            )
        return list(LETTERS[:n]) if self.labels == "letters" else [str(i + 1) for i in range(n)]

    def asked(self, query: str) -> str:
        """The query as it stands in the prompt."""
        return self._cleaned(query, [one for one in self.clean if one in _OF_QUERIES]).strip()

    def cleaned(self, text: str) -> str:
        """A document's text, cleaned and not cut."""
        return self._cleaned(text, self.clean).strip()

    def shortened(self, text: str, n: int) -> str:
        """The text of one of n documents, cleaned and cut to words or characters."""
        text = self.cleaned(text)
        if "characters" in self.cut:
            return text[: self.cut["characters"]]
        words = self.cut.get("words") or self.cut.get("words_together", 0) // max(1, n)
        return " ".join(text.split()[:words]) if words else text

    def decode(self, list_tokens: int, *, exact: bool = True) -> Decoding:
        """How the words are chosen when the list of all labels is `list_tokens` long.

        A max_tokens of "list" is just that length, no more and no less, as the references hold their models to it; where tokens
        are only estimated (not `exact`), and with "at most list", the model ends when it likes and has room to spare.
        """
        known: dict[str, Any] = dict(self.decoding)
        if known.get("max_tokens") == "list" and exact:
            known |= {"max_tokens": list_tokens, "min_tokens": list_tokens}
        elif known.get("max_tokens") in LENGTHS:
            known["max_tokens"] = 2 * list_tokens + 16
        known |= {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return Decoding(**known)

    @property
    def digest(self) -> str:
        """A hash of everything that a reply depends on."""
        said = [
            repr(getattr(self, one.name))
            for one in fields(self)
            if one.name not in ("name", "verified", "source", "note")
        ]
        return hashlib.blake2b("\0".join(said).encode("utf-8", "replace"), digest_size=8).hexdigest()

    def _messages(self, whole: Mapping[str, str], each: Sequence[Mapping[str, str]]) -> list[Message]:
        messages = []
        at = 0
        while at < len(self.turns):
            turn = self.turns[at]
            if not turn.each:
                messages.append(Message(turn.role, _filled(turn.content, whole)))
                at += 1
                continue
            end = next((i for i in range(at, len(self.turns)) if not self.turns[i].each), len(self.turns))
            messages += [Message(t.role, _filled(t.content, one)) for one in each for t in self.turns[at:end]]
            at = end
        return messages

    @staticmethod
    def _cleaned(text: str, how: Sequence[str]) -> str:
        for one in how:
            pattern, instead = CLEAN[one]
            text = pattern.sub(instead, text)
        return text


def plain(text: str) -> str:
    """`text` with a blank inside whatever a model might read as a marker, and without half characters."""
    text = text.encode("utf-8", "replace").decode()
    return _MARKER.sub(lambda first: f"{first[0]} ", text)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields filled, each once; what looks like a field in a value stays as it is."""
    return FIELD.sub(lambda found: values[found[1]], template)
