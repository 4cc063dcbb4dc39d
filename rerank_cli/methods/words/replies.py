"""What a model wrote, as numbers: one family of parsers, none of which can fail.

Any text whatever gives a value for each document, higher is better, NaN where the model said nothing of it, and one word on
what had to be mended: `wrong_format` (nothing, or something that is no document), `repetition`, `missing_documents`, or
nothing. Reasoning is taken off first and kept as the reason: one that was opened and never closed holds no answer, however
many numbers stand in it. Where the answer tags are, only they are read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from rerank_cli.errors import BadData
from rerank_cli.inference.writing import Completion
from rerank_cli.methods.words.reply_json import component_scores, listed, scores

WRONG, TWICE, MISSING = "wrong_format", "repetition", "missing_documents"

_THINK = re.compile(r"</think>|</reason>", re.I)
_OPEN = re.compile(r"<think>|<reason>", re.I)
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.I | re.S)
_IN_BRACKETS = {True: re.compile(r"\[\s*([A-Z])\s*\]"), False: re.compile(r"\[\s*([0-9]+)\s*\]")}
_BARE = {True: re.compile(r"(?<![A-Za-z])[A-Z](?![A-Za-z])"), False: re.compile(r"[0-9]+")}
_NAMED = {
    True: re.compile(r"(?i:passage|document|context)\s*:?\s*\[?([A-Z])\b"),
    False: re.compile(r"(?:passage|document|snippet|doc)\s*\[?([0-9]+)", re.I),
}
#: What says that no document is wanted.
_NONE = re.compile(r"\W*(?:none|no[_ ]relevant[_ ](?:snippets|documents|passages)[_ ]found)\W*", re.I)


class Parsed(NamedTuple):
    """Values of m documents (m,) float64, what was mended, and the reason that was given."""

    values: np.ndarray
    repaired: str = ""
    reason: str = ""


#: A completion and the labels of the documents, as the prompt names them, to values.
Parser = Callable[[Completion, Sequence[str]], Parsed]


class Reading(NamedTuple):
    """A parser, what it can tell of a slate (as `Ranker.asks`), and the scale of its values."""

    parse: Parser
    asks: Literal["prefer", "pick", "order", "rate"]
    score: str


def reading(name: str, where: str) -> Reading:
    """The parser `name`, which the prompt `where` names; raises `BadData` listing the names."""
    try:
        return PARSERS[name]
    except KeyError:
        raise BadData(
            f"there is no parser {name!r} for several documents", f"the parsers are {', '.join(PARSERS)}", where=where
        ) from None


def order(reply: Completion, labels: Sequence[str]) -> Parsed:
    """A permutation ([2] > [1], PASSAGE2, B > A, one a line): m for the first, m-1 for the second, NaN for those left out.

    Every id of the answer, in brackets if there are any; where one stands twice, the last line that lists several is the answer.
    """
    return _read(reply, labels, lambda text: _permutation(text, labels))


def anywhere(reply: Completion, labels: Sequence[str]) -> Parsed:
    """A permutation as the field's first parsers read it: every number of what follows the reasoning, the first of each."""
    return _read(reply, labels, lambda text: _ranked(_BARE[_letters(labels)].findall(text), labels))


def subset(reply: Completion, labels: Sequence[str]) -> Parsed:
    """Chosen documents, the best first; NaN for those that were not chosen. `None` is an answer: nothing was."""

    def read(text: str) -> tuple[np.ndarray, str]:
        if _NONE.fullmatch(text):
            return _nothing(labels), ""
        values, repaired = _permutation(text, labels)
        return values, "" if repaired == MISSING else repaired

    return _read(reply, labels, read)


def ties(reply: Completion, labels: Sequence[str]) -> Parsed:
    """[3] > [1] = [2] on the last line that names a document: 1 for the first group, 1/2 for the second, ...; ends at an id twice."""

    def read(text: str) -> tuple[np.ndarray, str]:
        lines = [line for line in text.splitlines() if _ids(line, labels, _BARE)]
        values, repaired = _nothing(labels), ""
        for at, group in enumerate(lines[-1].split(">") if lines else ()):
            for name in (part.strip(" []`.*") for part in group.split("=")):
                if name not in labels:
                    repaired = repaired or WRONG
                elif not np.isnan(values[labels.index(name)]):
                    return values, TWICE
                else:
                    values[labels.index(name)] = 1 / (at + 1)
        return values, _verdict(values, repaired)

    return _read(reply, labels, read)


def pick(reply: Completion, labels: Sequence[str]) -> Parsed:
    """The label of the best document: 1 for it, 0 for the others; all NaN when there is none."""

    def read(text: str) -> tuple[np.ndarray, str]:
        letters = _letters(labels)
        text = text.upper() if len(text.strip(" .")) == 1 else text
        for patterns, which in ((_IN_BRACKETS, -1), (_NAMED, 0), (_BARE, 0)):
            found = [name for name in patterns[letters].findall(text) if name in labels]
            if found:
                return np.array([float(name == found[which]) for name in labels]), ""
        return _nothing(labels), WRONG

    return _read(reply, labels, read)


def first_token(reply: Completion, labels: Sequence[str]) -> Parsed:
    """The log-probabilities of the labels as the first token that is written; NaN for those that were not told.

    Several tokens may spell one label (`A`, ` A`): the likeliest counts.
    """
    values = _nothing(labels)
    told: Mapping[str, float] = reply.tokens[0][1] if reply.tokens else {}
    for token, logprob in told.items():
        name = token.strip().strip("[▁Ġ")
        if name in labels and np.isfinite(logprob):
            values[labels.index(name)] = np.fmax(values[labels.index(name)], logprob)
    return Parsed(values, _verdict(values, ""))


def prefer(reply: Completion, labels: Sequence[str]) -> Parsed:
    """Which of two: P(first) and P(second), from log-probabilities where they were told, else 1 and 0; NaN when it is neither."""
    values = first_token(reply, labels).values
    if np.isnan(values).any():
        return pick(reply, labels)
    odds = np.exp(values - values.max())
    return Parsed(odds / odds.sum())


def json_scores(reply: Completion, labels: Sequence[str]) -> Parsed:
    """{"[1]": 5, "[2]": 3}: the numbers."""
    return _read(reply, labels, lambda text: _scored(*scores(text, labels), labels))


def json_components(reply: Completion, labels: Sequence[str]) -> Parsed:
    """{"[1]": {"relevance": 8, "depth": 3, …}}: relevance and half the sum of the others, added here and not by the model."""
    return _read(reply, labels, lambda text: _scored(*component_scores(text, labels), labels))


def json_list(reply: Completion, labels: Sequence[str]) -> Parsed:
    """[2, 1, 3], alone or inside an object: a permutation."""
    return _read(reply, labels, lambda text: _ranked(listed(text), labels))


PARSERS = {
    "order": Reading(order, "order", "rank"),
    "anywhere": Reading(anywhere, "order", "rank"),
    "subset": Reading(subset, "order", "rank"),
    "ties": Reading(ties, "order", "rank"),
    "json_list": Reading(json_list, "order", "rank"),
    "first_token": Reading(first_token, "order", "logprob"),
    "pick": Reading(pick, "pick", "rank"),
    "prefer": Reading(prefer, "prefer", "prob"),
    "json_scores": Reading(json_scores, "rate", "grade"),
    "json_components": Reading(json_components, "rate", "grade"),
}


def parted(text: str) -> tuple[str, str | None]:
    """(reason, answer) of a reply; the answer is None when the reasoning was never closed and nothing is tagged as answer."""
    closed = list(_THINK.finditer(text))
    opened = _OPEN.search(text)
    reason = text[opened.end() if opened else 0 : closed[-1].start()] if closed else ""
    rest = text[closed[-1].end() :] if closed else text
    answers = [found[1] for found in _ANSWER.finditer(rest)]
    if answers and (closed or not opened):
        return reason.strip(), answers[-1]
    if opened and not closed:
        return text[opened.end() :].strip(), None
    return reason.strip(), rest


def unclosed(text: str) -> bool:
    """Whether nothing in a reply ends a reasoning or begins an answer: cut off, it is all reasoning, opened by the prompt or not."""
    return not (_THINK.search(text) or _ANSWER.search(text))


def _read(reply: Completion, labels: Sequence[str], how: Callable[[str], tuple[np.ndarray, str]]) -> Parsed:
    reason, answer = parted(reply.text)
    values, repaired = (_nothing(labels), WRONG) if answer is None else how(_digits(answer).strip())
    return Parsed(values, repaired, reason)


def _permutation(text: str, labels: Sequence[str]) -> tuple[np.ndarray, str]:
    for patterns in (_IN_BRACKETS, _NAMED, _BARE):
        found = _ids(text, labels, patterns)
        if not any(name in labels for name in found):
            continue
        if len(set(found)) < len(found):
            lines = [some for line in text.splitlines() if len(some := _ids(line, labels, patterns)) > 1]
            found = lines[-1] if lines else found
        return _ranked(found, labels)
    return _nothing(labels), WRONG


def _ranked(found: Sequence[str], labels: Sequence[str]) -> tuple[np.ndarray, str]:
    """The values of an order of labels, the first of each, and what was mended."""
    known = [name for name in found if name in labels]
    values = _nothing(labels)
    for at, name in enumerate(dict.fromkeys(known)):
        values[labels.index(name)] = len(labels) - at
    if len(set(known)) < len(known):
        return values, TWICE
    return values, _verdict(values, WRONG if len(known) < len(found) else "")


def _scored(found: Mapping[str, float], mended: bool, labels: Sequence[str]) -> tuple[np.ndarray, str]:
    values = np.array([found.get(name, np.nan) for name in labels], np.float64)
    return values, _verdict(values, WRONG if mended else "")


def _verdict(values: np.ndarray, otherwise: str) -> str:
    unknown = np.isnan(values)
    return WRONG if unknown.all() else MISSING if unknown.any() else otherwise


def _ids(text: str, labels: Sequence[str], patterns: Mapping[bool, re.Pattern[str]]) -> list[str]:
    found = patterns[_letters(labels)].findall(text)
    return [name.upper() if name.isalpha() else name.lstrip("0") for name in found]


def _letters(labels: Sequence[str]) -> bool:
    return bool(labels) and labels[0].isalpha()


def _nothing(labels: Sequence[str]) -> np.ndarray:
    return np.full(len(labels), np.nan)


def _digits(text: str) -> str:
    """The text with every digit of any script, raised, lowered, circled or wide, as the plain one."""
    return text if text.isascii() else "".join(one if one.isascii() else _plain_digits(one) for one in text)


def _plain_digits(one: str) -> str:
    if one.isdecimal():
        return str(unicodedata.decimal(one))
    if one.isnumeric():
        as_ascii = unicodedata.normalize("NFKC", one)
        return as_ascii if as_ascii.isdecimal() and as_ascii.isascii() else " "
    return one
