"""What a text is indexed as. The expected lists are the answers of Lucene 9.9.1 to these lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WrongUsage
from rerank_cli.retrieval.analysis import STOP_WORDS, EnglishAnalyzer, _ascii_words, _words
from rerank_cli.retrieval.analyzers import analyzer_named

STANDARD_TOKENIZER = [
    (
        "The U.S.A. can't e.g. foo-bar foo_bar 3.14 1,000 AT&T O'Neil’s foo@bar.com m² CO₂ H₂O½ é日本語カタカナ",
        "The U.S.A can't e.g foo bar foo_bar 3.14 1,000 AT T O'Neil’s foo bar.com m CO H O é 日 本 語 カタカナ",
    ),
    ("ע²,😀bßֿ/\u200b😀カ0.らกʼ,1ข;@ก어·😀œ·ֿ/", "ע 😀 bßֿ 😀 カ 0 ら ก ʼ 1 ข ก 어 😀 œ"),
    ("ひ日ا😀éY\u200d\u200b:\u200dZ’-@,\u200d\xad😀1²@’0اc٬,aひタ", "ひ 日 ا 😀 éY\u200d Z 😀 1 0اc a ひ タ"),
    ("9\u200d״٣עY'1Ⅷע½₂カéا:0Ⅷb@ֿéœ本עבa국½’", "9\u200d ٣עY 1Ⅷע カ éا 0Ⅷb éœ 本 עבa국"),
    ("co\xadoperate e\u0301te\u0301 © 2016 \u200eaugmented", "co\xadoperate e\u0301te\u0301 © 2016 augmented"),
]


@pytest.mark.parametrize(("text", "tokens"), STANDARD_TOKENIZER)
def test_tokens_are_those_of_lucenes_standard_tokenizer(text, tokens):
    assert EnglishAnalyzer().tokens(text) == tokens.split(" ")


def test_english_terms():
    terms = EnglishAnalyzer().terms("The archaeologist's NEWS, and it was Dying: O'NEIL’S running runs __ x_y ΣΟΦΟΣ İ")
    assert terms == ["archaeologist", "new", "dy", "o'neil", "run", "run", "x_y", "σοφοσ", "i"]


def test_every_stop_word_goes_and_what_is_like_one_stays():
    assert len(STOP_WORDS) == 33
    assert EnglishAnalyzer().terms(" ".join(STOP_WORDS).upper()) == []
    assert EnglishAnalyzer().terms("thee that's its") == ["thee", "it"]


def test_a_long_run_of_letters_is_cut_at_255():
    assert [len(token) for token in EnglishAnalyzer().tokens("a" * 600)] == [255, 255, 90]
    assert [len(token) for token in EnglishAnalyzer().tokens("é" * 600)] == [255, 255, 90]


@given(st.text(st.sampled_from("abZ09_.:,;'- \n@"), max_size=40))
def test_plain_text_is_split_alike_by_both_patterns(text):
    assert _ascii_words().findall(text) == _words().findall(text)


@given(st.text(max_size=60))
def test_tokens_stand_in_the_text_in_their_order_and_no_letter_is_lost(text):
    position = 0
    for token in EnglishAnalyzer().tokens(text):
        between, position = text[position : text.index(token, position)], text.index(token, position) + len(token)
        assert not any("a" <= letter.lower() <= "z" for letter in between)
    assert not any("a" <= letter.lower() <= "z" for letter in text[position:])


def test_whitespace_leaves_tokens_alone():
    assert analyzer_named("whitespace").terms(" The  U.S.A.\tThe\n") == ["The", "U.S.A.", "The"]


def test_an_unknown_analyzer_names_those_there_are():
    with pytest.raises(WrongUsage) as refused:
        analyzer_named("klingon")
    assert "english, whitespace" in refused.value.hint
