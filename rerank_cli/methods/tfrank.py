"""TFRank: a small model answers `yes(3)` or `no(1)`, with or without thinking aloud, and the grade it expects is the score.

The grade is read where it stands, after the yes or no that was written: 0 to 4 weighted by their probabilities there.
Documents of one grade are told apart by P(yes). One model does both: ` /think` at the end of its turn makes it reason,
` /no think` and an empty thought make it answer at once.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rerank_cli.core.method import Method
from rerank_cli.inference.writing import Completion, Decoding, Prompt
from rerank_cli.methods.words.spelled import Spelled
from rerank_cli.methods.words.written_scores import Asking, Verdict, reason_of, scored_in_words

METHOD = Method(
    name="tfrank",
    asks="score",
    summary="asks a small model for yes(grade) or no(grade) and scores the grade from 0 to 4 that it expects",
    paper="Fan, Chen, Tang et al., TFRank: Think-Free Reasoning Enables Practical Pointwise LLM Ranking, arXiv:2508.09539",
    calls="n, each four written tokens (thinking: some hundred)",
    score="grade",
    when=(
        "A small reasoning reranker whose reasoning went into its weights: without thinking aloud it writes four tokens a "
        "document and costs little more than a cross-encoder of its size. Give --prompt tfrank@think to let it reason, "
        "for hard questions and for reasons to read, at a hundred times the cost."
    ),
)
GRADES = ("0", "1", "2", "3", "4")
_YES, _NO = ("yes", "Yes", "YES"), ("no", "No", "NO")
_WORD = re.compile(r"\S")
_GRADE = re.compile(r"\b(?:yes|no)\s*\(\s*", re.I)
#: A label that was not told is this much less likely than the least likely one that was.
_UNTOLD = 10.0
#: What P(yes) may add to a grade: it parts equals and no others.
_TIE = 1e-5


class Read(NamedTuple):
    """What an answer says: the expected grade, and P(yes)."""

    grade: float
    p_yes: float


def reading(prompt: Prompt, decoding: Decoding) -> Asking:
    """The answer; without one, yes or no and then a grade that can be nothing else; without these, 0.5."""
    answer = yield prompt, decoding._replace(watched=GRADES)
    reason = reason_of(answer.text) if "</think>" in answer.text else ""
    read = read_of(answer)
    if read is not None:
        return Verdict(read.grade + _TIE * read.p_yes, reason=reason)
    before, thought, _ = answer.text.partition("</think>")
    begun = f"{prompt.prefill}{before.rstrip()}\n</think>\n\n" if thought or decoding.thinking else prompt.prefill
    word = yield prompt._replace(prefill=begun), Decoding(max_tokens=1, logprobs=20, allowed=("yes", "no"))
    said = word.text.strip().lower()
    if said not in ("yes", "no") or not word.tokens:
        return Verdict(0.5, repaired=True, reason=reason)
    p_yes = p_yes_of(word.tokens[0][1])
    last = yield prompt._replace(prefill=f"{begun}{said}("), Decoding(max_tokens=1, logprobs=20, allowed=GRADES)
    grade = expected(last.tokens[0][1]) if last.tokens else None
    return Verdict(0.5 if grade is None else grade + _TIE * p_yes, repaired=True, reason=reason)


def read_of(completion: Completion) -> Read | None:
    """Grade and P(yes) of an answer after its thoughts; None where it does not say yes(grade) or no(grade)."""
    spelled = Spelled(completion)
    start = spelled.text.rfind("</think>")
    start = 0 if start < 0 else start + len("</think>")
    word, bracket = _WORD.search(spelled.text, start), _GRADE.search(spelled.text, start)
    if word is None or bracket is None:
        return None
    grade = expected(spelled.at(bracket.end()))
    return None if grade is None else Read(grade, p_yes_of(spelled.at(word.start())))


def expected(told: Mapping[str, float]) -> float | None:
    """The mean of 0 to 4 under the log-probabilities of one place; None when not one of them is there."""
    if not any(grade in told for grade in GRADES):
        return None
    values = [_of(told, (grade,)) for grade in GRADES]
    best = max(values)
    weights = [math.exp(value - best) for value in values]
    return sum(grade * weight for grade, weight in enumerate(weights)) / sum(weights)


def p_yes_of(told: Mapping[str, float]) -> float:
    """P(yes) against no, each by its first spelling that was told."""
    return 1 / (1 + math.exp(min(_of(told, _NO) - _of(told, _YES), 700))) if told else 0.5


def _of(told: Mapping[str, float], spellings: Sequence[str]) -> float:
    found = next((told[word] for word in spellings if word in told), None)
    return min(told.values()) - _UNTOLD if found is None else found


asked = functools.partial(scored_in_words, METHOD, "tfrank", reading)
