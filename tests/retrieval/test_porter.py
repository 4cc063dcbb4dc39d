"""The stemmer, against Porter's own examples and Snowball's independent program."""

import pytest
import Stemmer
from hypothesis import assume, given
from hypothesis import strategies as st

from rerank_cli.retrieval.porter import stem

SNOWBALL = Stemmer.Stemmer("porter")
ENDINGS = [
    *("s", "es", "ies", "sses", "ed", "eed", "ing", "at", "bl", "iz", "y", "ly", "ational", "tional", "enci", "anci"),
    *("izer", "alli", "entli", "eli", "ousli", "ization", "ation", "ator", "alism", "iveness", "fulness", "ousness"),
    *("aliti", "iviti", "biliti", "icate", "ative", "alize", "iciti", "ical", "ful", "ness", "al", "ance", "ence"),
    *("er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "sion", "tion", "ion", "ou", "ism", "ate", "iti"),
    *("ous", "ive", "ize", "e", "ll", "lle"),
]


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        # From the paper, one or two a step.
        ("caresses", "caress"),
        ("ponies", "poni"),
        ("feed", "feed"),
        ("agreed", "agre"),
        ("plastered", "plaster"),
        ("hopping", "hop"),
        ("filing", "file"),
        ("falling", "fall"),
        ("happy", "happi"),
        ("sky", "sky"),
        ("relational", "relat"),
        ("hopefulness", "hope"),
        ("sensibiliti", "sensibl"),
        ("electrical", "electr"),
        ("adjustment", "adjust"),
        ("adoption", "adopt"),
        ("probate", "probat"),
        ("rate", "rate"),
        ("controll", "control"),
        ("roll", "roll"),
        # The departures, and what Lucene does with short words.
        ("archaeology", "archaeolog"),
        ("possibly", "possibl"),
        ("is", "is"),
        ("as", "as"),
        ("dying", "dy"),
        ("ion", "ion"),
        ("eed", "eed"),
        ("ies", "i"),
        ("", ""),
    ],
)
def test_known_stems(word, stemmed):
    assert stem(word) == stemmed


@given(st.text("abcdeilmnorstuvwxyz", max_size=7), st.lists(st.sampled_from(ENDINGS), max_size=2))
def test_equals_snowballs_porter_but_for_the_departures(beginning, endings):
    word = beginning + "".join(endings)
    assume(len(word) > 2 and "bl" not in word and "log" not in word)
    assert stem(word) == SNOWBALL.stemWord(word)


@given(st.text("blogiyesad", min_size=3, max_size=9))
def test_where_it_departs_only_the_two_endings_are_concerned(word):
    ours, theirs = stem(word), SNOWBALL.stemWord(word)
    assert ours == theirs or any(ending in word for ending in ("bli", "bly", "logi", "logy"))
