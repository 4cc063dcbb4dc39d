"""ERank: a model reasons about one document and gives it a whole number from 0 to 10, weighted by how sure it was of it.

The score is the number times the probability of its digits: not the number that the model would expect, which would
need the probabilities of all eleven. A model that never answers is made to: its thoughts are closed and the digits
are all that it may write.
"""

from __future__ import annotations

import functools
import math
import re

from rerank_cli.core.method import Method
from rerank_cli.inference.writing import Completion, Decoding, Prompt
from rerank_cli.methods.words.spelled import Spelled
from rerank_cli.methods.words.written_scores import Asking, Verdict, reason_of, scored_in_words

METHOD = Method(
    name="erank",
    asks="score",
    summary="lets a model reason and give a number from 0 to 10, and weights the number with its probability",
    paper="Cai, Zhang, Wang et al., ERank: Fusing Supervised Fine-Tuning and Reinforcement Learning, arXiv:2509.00520",
    calls="n, each some hundred written tokens",
    score="grade",
    when=(
        "For questions that need reasoning and for collections with a relevance of their own: it reads an --instruction "
        "that says what counts. Eleven grades weighted by their probability part good documents better than yes or no. "
        "It costs some hundred written tokens a document; its authors add a fifth of BM25's score afterwards (rerank fuse)."
    ),
)
_ANSWER = re.compile(r"<answer>\s*(\d+)\s*</answer>")
_MOST = 10
_DIGITS = tuple("0123456789")


def reading(prompt: Prompt, decoding: Decoding) -> Asking:
    """The reasoning and the number; without one, one or two digits more that can only be it; without these, 0."""
    thought = yield prompt, decoding
    reason = reason_of(thought.text)
    score = score_of(thought)
    if score is not None:
        return Verdict(score, reason=reason)
    begun = closed(prompt, thought.text)
    first = yield begun, Decoding(max_tokens=1, logprobs=20, allowed=_DIGITS)
    digit, logprob = _digit(first)
    if digit is None:
        return Verdict(0.0, repaired=True, reason=reason)
    number = int(digit)
    if number == 1:  # or the first digit of 10
        second = yield begun._replace(prefill=begun.prefill + "1"), Decoding(max_tokens=1, logprobs=20)
        zero, more = _digit(second)
        if zero == "0":
            number, logprob = _MOST, logprob + more
    return Verdict(number * math.exp(logprob), repaired=True, reason=reason)


def score_of(completion: Completion) -> float | None:
    """The last answered number, at most 10, times the probability of its digits; None when there is none or it was not told."""
    spelled = Spelled(completion)
    answers = list(_ANSWER.finditer(spelled.text))
    if not answers:
        return None
    logprob = spelled.likelihood(answers[-1], 1)
    return None if logprob is None else min(int(answers[-1][1]), _MOST) * math.exp(logprob)


def closed(prompt: Prompt, thought: str) -> Prompt:
    """The prompt with the thoughts, closed, up to where the number stands."""
    before, _, _ = thought.partition("</think>")
    return prompt._replace(prefill=f"{prompt.prefill}{before.rstrip()}\n</think>\n<answer>")


def _digit(completion: Completion) -> tuple[str | None, float]:
    """The digit that was written and its log-probability; None when it is none."""
    word, told = completion.tokens[0] if completion.tokens else ("", {})
    digit = word.strip()
    return (digit, told[word]) if digit in _DIGITS and word in told else (None, 0.0)


asked = functools.partial(scored_in_words, METHOD, "erank", reading)
