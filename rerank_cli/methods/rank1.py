"""Rank1: a model reasons about one document, says true or false, and the probability of that word is the score.

It was trained to write `<think> … </think> true` without any chat frame, so nothing but that continues its prompt. A
model that never comes to its verdict is cut off after its last whole sentence and made to say it.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping

from rerank_cli.core.method import Method
from rerank_cli.inference.writing import Completion, Decoding, Prompt
from rerank_cli.methods.words.written_scores import Asking, Verdict, reason_of, scored_in_words

METHOD = Method(
    name="rank1",
    asks="score",
    summary="lets a model reason about one document until it says true or false, and scores the probability of true",
    paper="Weller, Ricci, Yang, Yates, Lawrie and Van Durme, Rank1: Test-Time Compute for Reranking, arXiv:2502.18418",
    calls="n, each some hundred written tokens",
    score="prob",
    when=(
        "For queries whose relevance must be thought about, and when the reason for each score is wanted (--explain). "
        "Each document costs hundreds of written tokens, so a hundred times what a cross-encoder of the same size costs: "
        "rerank a shallow depth. The same checkpoints without reasoning (rank1-7b-noreason) cost one forward pass and are "
        "often as good on plain web search."
    ),
)
#: The words of the verdict: not relevant, relevant.
LABELS = (" false", " true")
_SENTENCE = re.compile(r".*[.!?]", re.S)


def reading(prompt: Prompt, decoding: Decoding) -> Asking:
    """The reasoning and its verdict; without one, one token more that can only be it; without that, 0.5."""
    thought = yield prompt, decoding._replace(watched=LABELS)
    reason = reason_of(thought.text)
    score = verdict_of(thought)
    if score is not None:
        return Verdict(score, reason=reason)
    told = yield forced(prompt, thought.text), Decoding(max_tokens=1, logprobs=20, allowed=LABELS)
    score = p_true(told.tokens[-1][1]) if told.tokens else None
    return Verdict(0.5 if score is None else score, repaired=True, reason=reason)


def verdict_of(completion: Completion) -> float | None:
    """P(true) where the last word written is the verdict and both labels were told there; else None."""
    if completion.finish == "length" or not completion.tokens:
        return None
    word, told = completion.tokens[-1]
    return p_true(told) if word.strip().lower() in ("true", "false") else None


def p_true(told: Mapping[str, float]) -> float | None:
    """P(true) among the two labels from the log-probabilities of one place; None when one of them is not there."""
    if not all(label in told for label in LABELS):
        return None
    no, yes = (told[label] for label in LABELS)
    return 1 / (1 + math.exp(min(no - yes, 700)))


def forced(prompt: Prompt, thought: str) -> Prompt:
    """The prompt with the reasoning up to its last whole sentence, closed."""
    whole = _SENTENCE.match(thought.rstrip())
    return prompt._replace(prefill=f"{prompt.prefill}\n{whole[0] if whole else thought.rstrip()}\n</think>")


asked = functools.partial(scored_in_words, METHOD, "rank1", reading)
