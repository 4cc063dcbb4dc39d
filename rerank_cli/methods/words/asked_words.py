"""What a graph reads off the logits, asked of a server: one token, and the log-probabilities of the likeliest.

The same template and words as the graph's. Log-probabilities of two words differ as their logits do, so every scale but the
raw logit can be had; a word that is not among the likeliest counts as one of little probability, and that is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from rerank_cli.core.method import Method
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.prompts import APART
from rerank_cli.inference.writing import Decoding, Prompt, Writer
from rerank_cli.methods.causal import OR
from rerank_cli.methods.checkpoint import Checkpoint
from rerank_cli.methods.words.prompt import PromptFile, Turn
from rerank_cli.methods.words.prompt_files import load_prompt
from rerank_cli.methods.words.worded import Asked, HowAsked
from rerank_cli.methods.words.written_scores import Asking, Verdict, WrittenScorer

#: The log-probability of a word that is not among the likeliest.
_UNTOLD = -10.0
_SCALES = ("margin", "logprob", "prob", "grade")


def asked_words(
    method: Method,
    words: Sequence[str],
    question: str,
    checkpoint: Checkpoint,
    writer: Writer,
    prompt: Asked,
    **how: Unpack[HowAsked],
) -> WrittenScorer:
    """The `Scorer` of a method that compares `words`, (not relevant, relevant) or grades upwards; one token a pair.

    Raises `WrongUsage` for a checkpoint whose score is a raw logit.
    """
    words = checkpoint.words or words
    scale = method.score if method.score == "grade" else checkpoint.score or method.score
    if len(words) < 2 or scale not in _SCALES:
        raise WrongUsage(
            f"{checkpoint.name} scores with a raw logit, which no server tells", "run it here, without --endpoint"
        )
    instruction = how["instruction"]
    told = checkpoint.instruction if instruction is None else instruction
    worded = _file(checkpoint, question)
    form = checkpoint.instruction_as if checkpoint.template else "Instruction: {instruction}\n"
    said = form.replace("{instruction}", told) if told else ""
    file = prompt if isinstance(prompt, PromptFile) else load_prompt(prompt) if prompt else worded
    labels = [word.split(OR) for word in words]

    def reading(asked: Prompt, decoding: Decoding) -> Asking:
        spellings = tuple(spelling for label in labels for spelling in label)
        answer = yield asked, decoding._replace(watched=spellings)
        values = [_logprob(answer.tokens[0][1] if answer.tokens else {}, label) for label in labels]
        known = [_UNTOLD if value is None else value for value in values]
        return Verdict(scored(known, scale), repaired=None in values)

    how["instruction"] = None if instruction is None else said
    return WrittenScorer(method, replace(checkpoint, instruction=said, score=scale), writer, file, reading, **how)


def scored(labels: Sequence[float], scale: str) -> float:
    """Log-probabilities of words on the method's scale: `grade` is the mean of 0, 1, 2, …; the others compare the second with the first."""
    if scale == "grade":
        weights = [math.exp(value - max(labels)) for value in labels]
        return sum(grade * weight for grade, weight in enumerate(weights)) / sum(weights)
    margin = labels[1] - labels[0]
    if scale == "margin":
        return margin
    logprob = min(margin, 0.0) - math.log1p(math.exp(-abs(margin)))
    return logprob if scale == "logprob" else math.exp(logprob)


def _logprob(told: Mapping[str, float], spellings: Sequence[str]) -> float | None:
    """The log of the summed probabilities of a word's spellings; None when none was told."""
    found = [told[spelling] for spelling in spellings if spelling in told]
    return max(found) + math.log(sum(math.exp(value - max(found)) for value in found)) if found else None


def _file(checkpoint: Checkpoint, question: str) -> PromptFile:
    """The checkpoint's template as a prompt, or the question in a user's turn."""
    asked = checkpoint.template or f"{{instruction}}{question}"
    words = asked.replace(APART, "").replace("{document}", "{passages}")
    own: Any = {"text": words} if checkpoint.template else {"turns": (Turn("user", words),)}
    decoding = {"max_tokens": 1, "logprobs": 20, "thinking": None if checkpoint.template else False}
    return PromptFile(
        name=f"{checkpoint.method}'s own", parser="first_token", passage="{text}", decoding=decoding, **own
    )
