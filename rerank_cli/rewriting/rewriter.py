"""Topics in, topics out: what a model is asked about a query, and what its replies become.

A way of rewriting is a prompt file (`prompts/NAME.toml`): its words, how the reply is read (`written.PARSERS`) and how it is
decoded. A reply read as `lines` holds several texts; with any other parser several texts are several replies, left to chance.
A topic whose replies say nothing keeps its query, so that no topic is ever lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from rerank_cli.core.ids import shown
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.writing import Completion, Decoding, Prompt, Writer
from rerank_cli.methods.words.prompt import PromptFile
from rerank_cli.methods.words.prompt_files import load_prompt
from rerank_cli.methods.words.prompt_fit import fit
from rerank_cli.rewriting.asking import in_order
from rerank_cli.rewriting.written import one_line, parser_named

PROMPTS = Path(__file__).with_name("prompts")
#: Ways of rewriting a query -> how many texts each gives.
WAYS = {"rewrite": 1, "decompose": 5, "hyde": 8, "aspects": 5, "keywords": 1, "filters": 1}


@dataclass
class Tally:
    """What was asked so far, and what became of it."""

    #: Replies that were asked for, those that were known from earlier, and those that could not be read whole.
    replies: int = 0
    cached: int = 0
    mended: int = 0
    #: Tokens of the replies that were asked for.
    read: int = 0
    written: int = 0
    #: Questions that the budget had no room for; topics or documents that have no text of the model; texts cut to fit.
    unasked: int = 0
    kept: int = 0
    cut: int = 0

    def add(self, reply: Completion | None, mended: bool) -> None:
        """Count a reply; None is one that was not asked for any more."""
        if reply is None:
            self.unasked += 1
            return
        self.replies += 1
        self.cached += reply.cached
        self.mended += mended
        if not reply.cached:
            self.read += reply.read
            self.written += reply.written


@dataclass(frozen=True)
class Asking:
    """How a model is asked for texts about something: `n` of them at the most."""

    file: PromptFile
    n: int
    instruction: str
    fields: frozenset[str]
    seed: int
    tally: Tally = field(default_factory=Tally)

    @property
    def replies(self) -> int:
        """How many replies the texts take."""
        return 1 if self.file.parser == "lines" else self.n

    def decoding(self, writer: Writer) -> Decoding:
        """How replies are decoded; one gets at most half of the model's context."""
        told = self.file.decode(0)
        most = told.max_tokens if writer.context is None else min(told.max_tokens, writer.context // 2)
        return told._replace(seed=self.seed, max_tokens=most)

    def prompts(self, query: str, documents: Sequence[str], writer: Writer) -> list[Prompt]:
        """One prompt for each reply; documents are cut where the model's context is too short, and counted."""
        room = None if writer.context is None else writer.context - self.decoding(writer).max_tokens
        fitted = fit(self.file, writer, query, documents, room=room, instruction=self.instruction)
        self.tally.cut += fitted.truncated
        return [fitted.prompt._replace(draw=at) for at in range(self.replies)]

    def texts(self, replies: Sequence[Completion | None]) -> tuple[list[str], str]:
        """The different texts of replies in their order, and the conditions that they hold; counts both."""
        parse = parser_named(self.file.parser, self.file.name)
        texts: dict[str, None] = {}
        conditions = ""
        for reply in replies:
            found = None if reply is None else parse(reply, self.n, self.fields)
            self.tally.add(reply, found is not None and found.mended)
            if found is not None:
                texts |= dict.fromkeys(found.texts)
                conditions = conditions or found.conditions
        self.tally.kept += not texts and not conditions
        return list(texts), conditions


def asking(
    prompt: str,
    n: int,
    *,
    shows: Sequence[str],
    instruction: str | None = None,
    fields: Iterable[str] = (),
    seed: int = 0,
) -> Asking:
    """How the prompt file `prompt` (a name of `prompts/`, or a path) asks for `n` texts; see `load_prompt` for `shows`.

    Raises as `load_prompt`, and `WrongUsage` for several texts of a prompt that leaves nothing to chance, or what it cannot say.
    """
    file = load_prompt(prompt, folder=PROMPTS, shows=shows)
    parser_named(file.parser, file.name)
    if file.parser == "conditions" and n > 1:
        raise WrongUsage(f"-n {n}: the conditions of a query are one answer", "leave -n out")
    if n > 1 and file.parser != "lines" and not file.decoding.get("temperature", 0.0):
        raise WrongUsage(
            f"-n {n}: the prompt {file.name} leaves nothing to chance, so that all answers would be one",
            "leave -n out, or give a prompt file whose decoding has a temperature",
        )
    if instruction and not file.reads_instruction:
        raise WrongUsage(
            f"the prompt {file.name} reads no instruction", "leave --instruction out, or give --prompt FILE"
        )
    if fields and file.parser != "conditions":
        raise WrongUsage(f"the prompt {file.name} asks for no conditions on fields", "leave --fields out")
    told = instruction or (", ".join(fields) if fields and file.reads_instruction else "")
    return Asking(_wanting(file, n), n, told, frozenset(fields), seed)


class Topic(NamedTuple):
    """A query, the documents that are its context, and the other fields of its record."""

    qid: bytes
    text: str
    context: Sequence[str] = ()
    fields: Mapping[str, Any] = {}


class Rewritten(NamedTuple):
    """A topic that was made of the query `parent`; `conditions` are those that were taken out of it."""

    qid: bytes
    text: str
    parent: bytes
    fields: Mapping[str, Any]
    conditions: str


def rewritten(
    topics: Iterable[Topic], writer: Writer, how: Asking, *, keep_query: bool = False, joined: bool = False
) -> Iterator[list[Rewritten]]:
    """The topics that each topic becomes, in order, each as soon as it and all before it are answered; `how.replies` calls each.

    One text keeps the topic's id, of several each is QID#1, QID#2, …; `keep_query` adds the query itself as QID#0. `joined`: query and
    texts in one topic. A topic without any answer keeps its query. Raises what the writer raises.
    """
    asked = ((topic, how.prompts(topic.text, topic.context, writer)) for topic in topics)
    for topic, replies in in_order(writer, asked, how.decoding(writer), lambda topic: f"query {shown(topic.qid)}"):
        texts, conditions = how.texts(replies)
        query = one_line(topic.text) or topic.text.strip()
        first = 0 if keep_query else 1
        if joined:
            texts = [" ".join([query, *texts])]
        else:
            texts = ([query] if keep_query else []) + (texts or ([] if keep_query else [query]))
        several = not joined and (how.n > 1 or keep_query)
        yield [
            Rewritten(topic.qid + (b"#%d" % number if several else b""), text, topic.qid, topic.fields, conditions)
            for number, text in enumerate(texts, first)
        ]


def _wanting(file: PromptFile, n: int) -> PromptFile:
    """The prompt with the number of texts where {wanted} stands."""
    told = str(n)
    turns = tuple(turn._replace(content=turn.content.replace("{wanted}", told)) for turn in file.turns)
    return replace(file, turns=turns, text=file.text.replace("{wanted}", told))
