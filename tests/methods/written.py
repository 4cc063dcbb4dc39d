"""A writer that says what a test tells it to, and tiny checkpoints that write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rerank_cli.inference.writing import Completion, Decoding, Prompt

#: What a scripted writer is asked, and what it says: words with their log-probabilities.
Script = Callable[[Prompt, Decoding], Completion]


class Scripted:
    """A `Writer` whose words are a function of the prompt and the decoding; it remembers what it was asked."""

    identity, engine, device, precision = "scripted", "endpoint", "", ""

    def __init__(self, script: Script, *, at_once: int = 1, context: int | None = None) -> None:
        self.script, self.at_once, self.context = script, at_once, context
        self.asked: list[tuple[Prompt, Decoding]] = []

    def complete(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Completion]]:
        for at, prompt in reversed(list(enumerate(prompts))):
            self.asked.append((prompt, decoding))
            yield at, self.script(prompt, decoding)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len((p.text + "".join(m.content for m in p.messages)).split()) for p in prompts]


def said(*words: tuple[str, dict[str, float]] | str, finish: str = "stop") -> Completion:
    """A completion of words; one without log-probabilities of its own was certain."""
    tokens = [word if isinstance(word, tuple) else (word, {word: 0.0}) for word in words]
    return Completion("".join(word for word, _ in tokens), 10, len(tokens), tuple(tokens), finish)
