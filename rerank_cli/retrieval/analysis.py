"""From text to index terms: tokens, case, stop words, stems.

The English analyzer does what Lucene's EnglishAnalyzer does, because the published BM25 figures are
made with it: Unicode word boundaries (UAX #29), the possessive 's taken off, lower case, 33 stop
words, Porter stems. Most tokens repeat, so a token is analysed once and remembered.

Where it differs from Lucene, knowingly: a token is cut at 255 characters only inside a run of letters
and digits, not where a dot or an apostrophe joins two runs; a sign between a letter or a digit with a
combining mark and another one joins them whichever they are; a low line does not join katakana; flags
and key caps are not indexed as emoji.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from functools import cache

from rerank_cli.retrieval.porter import stem

#: Lucene's English stop words.
STOP_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of"}
    | {
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
    }
)

#: Tokens remembered by one analyzer before it starts afresh: bounds its memory to some hundred megabytes.
_REMEMBERED = 1_000_000
#: What the memory says of a token that is new; no token is analysed to it.
_UNKNOWN = " "


class Analyzer(ABC):
    """What a text is for an index: `tokens` splits it, `term` says what a token is indexed as.

    `name` goes into an index's manifest; a change of behaviour needs a new `version`.
    """

    name: str
    version: int | str

    def __init__(self) -> None:
        self._terms: dict[str, str | None] = {}

    @abstractmethod
    def tokens(self, text: str) -> list[str]:
        """The tokens of a text in their order, repeated as they come."""

    @abstractmethod
    def _term(self, token: str) -> str | None: ...

    def term(self, token: str) -> str | None:
        """The index term of a token, None when it is not indexed (a stop word)."""
        found = self._terms.get(token, _UNKNOWN)
        if found is _UNKNOWN:
            if len(self._terms) >= _REMEMBERED:
                self._terms.clear()
            found = self._terms[token] = self._term(token)
        return found

    def terms(self, text: str) -> list[str]:
        """The index terms of a text in their order, repeated as they come."""
        return [term for term in map(self.term, self.tokens(text)) if term is not None]


class EnglishAnalyzer(Analyzer):
    """Lucene's EnglishAnalyzer, see the module."""

    name = "english"
    version = 1

    def tokens(self, text: str) -> list[str]:
        """See `Analyzer.tokens`."""
        return split_words(text)

    def _term(self, token: str) -> str | None:
        if token[-2:-1] in ("'", "’", "＇") and token[-1] in "sS":
            token = token[:-2]
        word = token.lower() if token.isascii() else "".join(letter.lower()[0] for letter in token)
        if word in STOP_WORDS or (word[:1] in _CONNECTORS and not any(map(str.isalnum, word))):
            return None
        return stem(word)


class WhitespaceAnalyzer(Analyzer):
    """Tokens are what stands between blanks, as they are: for text that was analysed before."""

    name = "whitespace"
    version = 1

    def tokens(self, text: str) -> list[str]:
        """See `Analyzer.tokens`."""
        return text.split()

    def _term(self, token: str) -> str | None:
        return token


#: Low lines: part of a word, but no word alone.
_CONNECTORS = "_‿⁀⁔︳︴﹍﹎﹏＿"
#: Ideographs and hiragana are tokens one by one, katakana in runs, and so are scripts written without blanks.
ONE_BY_ONE = (
    "⺀-⻳⼀-⿕々〇〡-〩〸-〻ぁ-ゖゝ-ゟ㐀-䶿一-鿿豈-龎\U00016fe0-\U00016fff\U00017000-\U00018aff"
    "\U0001b001-\U0001b11f\U00020000-\U0003fffd"
)
KATAKANA = "゠-ヺー-ヿㇰ-ㇿ㋐-㋾㌀-㍗ｦ-ﾟ\U0001b000"
_WITHOUT_BLANKS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf\U00011700-\U0001174f"
)
_EMOJI = (
    "©®‼⁉™ℹ↔-↙↩↪⌚⌛⌨⎈⏏⏩-⏳⏸-⏺Ⓜ▪▫▶◀◻-◾☀-★☇-☒☔-⚅⚐-✅✈-✒✔✖✝✡✨✳✴❄❇❌❎❓-❕❗❣-❧➕-➗➡➰➿⤴⤵⬅-⬇⬛⬜⭐⭕〰〽㊗㊙"
    "\U0001f000-\U0001f0ff\U0001f10d-\U0001f10f\U0001f12f\U0001f16c-\U0001f171\U0001f17e\U0001f17f\U0001f18e"
    "\U0001f191-\U0001f19a\U0001f201-\U0001f3fa\U0001f400-\U0001fffd"
)
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
_KIND_OF_CATEGORY = {
    **dict.fromkeys(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"), "letters"),
    "Nd": "digits",
    **dict.fromkeys(("Mn", "Mc", "Me", "Cf"), "marks"),
    "Pc": "connectors",
}


def _word_pattern(letters: str, digits: str, marks: str, connectors: str, joins: str, joins_digits: str) -> str:
    """A run of letters, digits and low lines, and further runs that a sign joins between two letters or two digits."""
    first = f"[{letters}{digits}{connectors}]"
    run = f"{first}[{letters}{digits}{connectors}{marks}]{{0,254}}"
    between_letters = f"(?<=[{letters}{marks}])[{joins}](?=[{letters}])"
    between_digits = f"(?<=[{digits}{marks}])[{joins_digits}](?=[{digits}])"
    return f"{run}(?:(?:{between_letters}|{between_digits}){run})*"


def split_words(text: str) -> list[str]:
    """The words of a text where Unicode has their boundaries; some 20 million characters a second."""
    return (_ascii_words() if text.isascii() else _words()).findall(text)


@cache
def _ascii_words() -> re.Pattern[str]:
    return re.compile(_word_pattern("A-Za-z", "0-9", "", "_", ".:'", ".',;"))


@cache
def _words() -> re.Pattern[str]:
    """The same for all of Unicode; 60 ms to make, so it waits for the first text that is not ASCII."""
    points: dict[str, list[int]] = {kind: [] for kind in ("letters", "digits", "marks", "connectors", "without blanks")}
    apart = re.compile(f"[{ONE_BY_ONE}{KATAKANA}]")
    without_blanks = re.compile(f"[{_WITHOUT_BLANKS}]")
    for point, letter in enumerate(map(chr, range(0x20000))):
        kind = _KIND_OF_CATEGORY.get(unicodedata.category(letter))
        if kind is None or letter == "\u200b" or (kind == "letters" and apart.match(letter)):
            continue
        if kind == "letters" and without_blanks.match(letter):
            kind = "without blanks"
        points[kind].append(point)
    classes = {kind: _ranges(of_kind) for kind, of_kind in points.items()}
    marks = classes["marks"]
    quotes = "'‘’＇"
    word = _word_pattern(
        letters=classes["letters"],
        digits=classes["digits"],
        marks=marks,
        connectors=classes["connectors"],
        joins=quotes + ".․﹒．·ՙ՟״‧︓﹕：:",
        joins_digits=quotes + ".․﹒．,;;։،؍٬߸⁄︐︔﹐﹔，；",
    )
    emoji = f"[{_EMOJI}][{marks}{_SKIN_TONES}]*(?:(?<=\u200d)[{_EMOJI}][{marks}{_SKIN_TONES}]*)*"
    unspaced = classes["without blanks"]
    return re.compile(
        f"{word}|[{KATAKANA}][{KATAKANA}{marks}]*|[{ONE_BY_ONE}][{marks}]*|[{unspaced}][{unspaced}{marks}]*|{emoji}"
    )


def _ranges(points: list[int]) -> str:
    """A regular expression's character class (without brackets) of sorted code points."""
    ranges: list[list[int]] = []
    for point in points:
        if ranges and point == ranges[-1][1] + 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
