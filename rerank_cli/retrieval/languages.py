"""Analyzers beside English: the other languages of Snowball, and Chinese, Japanese and Korean in pairs of letters.

Both split text where the English analyzer does. Snowball's stemmers come from the package PyStemmer; no list of stop
words is used: what stands in most documents gives little in BM25 anyway. CJK text is first brought to one width
(Unicode's NFKC), then each run of ideographs, kana or hangul becomes its overlapping pairs, as in Lucene's CJKAnalyzer.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import Any
from unicodedata import normalize

from rerank_cli.errors import Missing, missing_extra
from rerank_cli.retrieval.analysis import KATAKANA, ONE_BY_ONE, Analyzer, split_words

LANGUAGES = (
    *("arabic", "armenian", "basque", "catalan", "danish", "dutch", "finnish", "french", "german", "greek", "hindi"),
    *("hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian", "portuguese", "romanian"),
    *("russian", "serbian", "spanish", "swedish", "tamil", "turkish", "yiddish"),
)
#: Articles and the like that an apostrophe joins to the next word.
_ELIDED = {
    "catalan": "[dlmnst]",
    "french": "[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu",
    "italian": "[cdlmstv]|un|all|dall|dell|nell|sull|coll|pell|gl|agl|dagl|degl|negl|sugl",
}
_TURKISH = str.maketrans({"I": "ı", "İ": "i"})


class SnowballAnalyzer(Analyzer):
    """Words in lower case, stemmed by the language's Snowball algorithm."""

    def __init__(self, language: str) -> None:
        """Raises `Missing` where PyStemmer is not installed, or too old to know the language."""
        super().__init__()
        self.name = language
        self._stemmer, version = _stemmer(language)
        #: Stems change with the package.
        self.version = f"1, PyStemmer {version}"
        self._elided = re.compile(f"(?:{_ELIDED[language]})['’＇](?=.)") if language in _ELIDED else None

    def tokens(self, text: str) -> list[str]:
        """See `Analyzer.tokens`."""
        return split_words(text)

    def _term(self, token: str) -> str | None:
        word = (token.translate(_TURKISH) if self.name == "turkish" else token).lower()
        if self._elided and (article := self._elided.match(word)):
            word = word[article.end() :]
        stem: str = self._stemmer.stemWord(word)
        return stem or None


def _stemmer(language: str) -> tuple[Any, str]:
    try:
        import Stemmer
    except ImportError as error:
        raise missing_extra("PyStemmer", "snowball", f"the analyzer {language}") from error
    if language not in Stemmer.algorithms():
        raise Missing(f"this PyStemmer ({Stemmer.version()}) does not know {language}", "pip install -U PyStemmer")
    return Stemmer.Stemmer(language), Stemmer.version()


class CjkAnalyzer(Analyzer):
    """Pairs of letters of Chinese, Japanese and Korean (a letter alone as it is), other words in lower case."""

    name = "cjk"
    version = 1

    def tokens(self, text: str) -> list[str]:
        """See `Analyzer.tokens`."""
        found: list[str] = []
        for number, part in enumerate(_cjk_runs().split(normalize("NFKC", text))):
            if number % 2:
                found += map("".join, pairwise(part)) if len(part) > 1 else [part]
            else:
                found += split_words(part)
        return found

    def _term(self, token: str) -> str | None:
        return token.lower()


@cache
def _cjk_runs() -> re.Pattern[str]:
    return re.compile(f"([{ONE_BY_ONE}{KATAKANA}\u1100-\u11ff\uac00-\ud7a3]+)")
