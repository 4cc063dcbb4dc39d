"""What a scripted writer says, word by word with log-probabilities, and what it was asked."""

from __future__ import annotations

from scripted_writer import ScriptedWriter

from rerank_cli.inference.writing import Completion, Decoding, Prompt


def said(*words: tuple[str, dict[str, float]] | str, finish: str = "stop") -> Completion:
    """A completion of words; one without log-probabilities of its own was certain."""
    tokens = [word if isinstance(word, tuple) else (word, {word: 0.0}) for word in words]
    return Completion("".join(word for word, _ in tokens), 10, len(tokens), tuple(tokens), finish)


def asked(writer: ScriptedWriter) -> list[tuple[Prompt, Decoding]]:
    """Every prompt with how it was decoded, in the order of the calls."""
    return list(zip(writer.told, writer.decodings, strict=True))
