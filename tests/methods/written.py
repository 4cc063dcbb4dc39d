"""What a scripted writer says, word by word with log-probabilities, what it was asked, and a prompt as it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripted_writer import ScriptedWriter, oracle

from rerank_cli.inference.writing import Completion, Decoding, Prompt
from rerank_cli.methods.words.prompt import PromptFile
from rerank_cli.methods.words.prompt_fit import fit


def said(*words: tuple[str, dict[str, float]] | str, finish: str = "stop") -> Completion:
    """A completion of words; one without log-probabilities of its own was certain."""
    tokens = [word if isinstance(word, tuple) else (word, {word: 0.0}) for word in words]
    return Completion("".join(word for word, _ in tokens), 10, len(tokens), tuple(tokens), finish)


def asked(writer: ScriptedWriter) -> list[tuple[Prompt, Decoding]]:
    """Every prompt with how it was decoded, in the order of the calls."""
    return list(zip(writer.told, writer.decodings, strict=True))


def rendered(file: PromptFile, query: str, documents: Sequence[str], **told: Any) -> Prompt:
    """The prompt about these documents, cut and cleaned as its file says, where the context has no end."""
    return fit(file, ScriptedWriter(oracle), query, documents, room=None, **told).prompt
