"""A writer that answers from a function of the prompt and remembers what it was told: the other side of every method in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rerank_cli.inference.writing import Completion, Decoding, Prompt

#: What it says to a prompt: words, or a whole completion.
Script = Callable[[Prompt], str | Completion]
#: A document of the tests: its gain stands in it.
GAIN = re.compile(r"gain(\d+)")


class ScriptedWriter:
    """A `Writer` whose tokens are words; `told` are the prompts in the order of the calls, `decodings` how they were decoded."""

    identity = "script"
    device = ""
    precision = ""

    def __init__(
        self, script: Script, *, context: int | None = None, engine: str = "endpoint", at_once: int = 4
    ) -> None:
        self._script = script
        self.context, self.engine, self.at_once = context, engine, at_once
        self.told: list[Prompt] = []
        self.decodings: list[Decoding] = []

    def complete(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Completion]]:
        """The last prompt first: no order is promised."""
        for at in reversed(range(len(prompts))):
            self.told.append(prompts[at])
            self.decodings.append(decoding)
            said = self._script(prompts[at])
            if isinstance(said, str):
                said = Completion(said, read=self.count([prompts[at]])[0], written=len(said.split()))
            yield at, said

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len(whole(prompt).split()) for prompt in prompts]


def whole(prompt: Prompt) -> str:
    """Everything that the prompt says."""
    return " ".join([*(message.content for message in prompt.messages), prompt.text, prompt.prefill])


def gains(prompt: Prompt) -> list[int]:
    """The gains of the documents in the order in which they are shown."""
    return [int(found) for found in GAIN.findall(whole(prompt))]


def oracle(prompt: Prompt) -> str:
    """[3] > [1] > [2]: the shown documents by their gains."""
    shown = gains(prompt)
    return " > ".join(f"[{at + 1}]" for at in sorted(range(len(shown)), key=lambda at: -shown[at]))
