"""The Porter stemmer, as Lucene has it.

Porter's algorithm of 1980 with the three departures of its author's later programs ("bli" to "ble",
"logi" to "log", "biliti" to "ble"); words of one or two letters are left alone. It is not Porter2
(Snowball's "english"), which maps other words together. Every condition of the algorithm is about the
pattern of vowels and consonants, so a word's pattern is made once a step: a string of "v" and "c".

M. F. Porter: An algorithm for suffix stripping. Program 14(3), 1980.
"""

from __future__ import annotations

#: Step 2: double suffixes to single ones, where something with a vowel-consonant pair stands before. Longest first.
_DOUBLE_SUFFIXES = {
    "ational": "ate",
    "ization": "ize",
    "iveness": "ive",
    "fulness": "ful",
    "ousness": "ous",
    "tional": "tion",
    "biliti": "ble",
    "entli": "ent",
    "ousli": "ous",
    "ation": "ate",
    "alism": "al",
    "aliti": "al",
    "iviti": "ive",
    "enci": "ence",
    "anci": "ance",
    "izer": "ize",
    "alli": "al",
    "ator": "ate",
    "logi": "log",
    "bli": "ble",
    "eli": "e",
}

#: Step 3: the endings -ic-, -full, -ness and their kind, under the same condition.
_ADJECTIVE_SUFFIXES = {
    "icate": "ic",
    "ative": "",
    "alize": "al",
    "iciti": "ic",
    "ical": "ic",
    "ness": "",
    "ful": "",
}

#: Step 4: taken off where two vowel-consonant pairs stand before. Longest first; "ion" only after s or t.
_PLAIN_SUFFIXES = (
    *("ement",),
    *("ance", "ence", "able", "ible", "ment"),
    *("ant", "ent", "ion", "ism", "ate", "iti", "ous", "ive", "ize"),
    *("al", "er", "ic", "ou"),
)


def stem(word: str) -> str:
    """Return the stem of a lower-case word; letters that are not a-z count as consonants. About 5 µs."""
    if len(word) <= 2:
        return word
    word = _without_participle(_without_plural(word))
    if word.endswith("y") and "v" in _pattern(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(word, _DOUBLE_SUFFIXES)
    word = _replaced(word, _ADJECTIVE_SUFFIXES)
    return _without_final_e(_without_suffix(word))


def _pattern(word: str) -> str:
    """One "v" or "c" a letter; y is a vowel after a consonant."""
    pattern = ""
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and pattern.endswith("c"))
        pattern += "v" if vowel else "c"
    return pattern


def _measure(word: str) -> int:
    """Porter's m: how many times a vowel is followed by a consonant."""
    return _pattern(word).count("vc")


def _ends_double(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and _pattern(word)[-1] == "c"


def _ends_short(word: str) -> bool:
    """Consonant, vowel, consonant, the last not w, x or y: "hop" but not "snow"."""
    return word[-1:] not in ("w", "x", "y") and _pattern(word)[-3:] == "cvc"


def _without_plural(word: str) -> str:
    """Step 1a."""
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _without_participle(word: str) -> str:
    """Step 1b: -eed, -ed and -ing, and the e or the single consonant that the verb had."""
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    ending = "ed" if word.endswith("ed") else "ing" if word.endswith("ing") else ""
    before = word.removesuffix(ending)
    if not ending or "v" not in _pattern(before):
        return word
    if before.endswith(("at", "bl", "iz")):
        return before + "e"
    if _ends_double(before):
        return before if before[-1] in "lsz" else before[:-1]
    return before + "e" if _measure(before) == 1 and _ends_short(before) else before


def _replaced(word: str, suffixes: dict[str, str]) -> str:
    for suffix, new in suffixes.items():
        if word.endswith(suffix):
            before = word.removesuffix(suffix)
            return before + new if _measure(before) > 0 else word
    return word


def _without_suffix(word: str) -> str:
    """Step 4; the longest ending decides, whether its condition holds or not."""
    for suffix in _PLAIN_SUFFIXES:
        if word.endswith(suffix):
            before = word.removesuffix(suffix)
            if suffix == "ion" and not before.endswith(("s", "t")):
                return word
            return before if _measure(before) > 1 else word
    return word


def _without_final_e(word: str) -> str:
    """Step 5: a last e, and one of two last l's, of words long enough."""
    measure = _measure(word)
    if word.endswith("e") and (measure > 1 or (measure == 1 and not _ends_short(word[:-1]))):
        word = word[:-1]
    return word[:-1] if word.endswith("ll") and measure > 1 else word
