"""What a model wrote, read as texts: the forms that models have, and any text whatever."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scripted_writer import ScriptedWriter

from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.formats.topics import json_topic, read_topic_records, read_topics, tsv_topic
from rerank_cli.inference.writing import Completion
from rerank_cli.rewriting.conditions import expression
from rerank_cli.rewriting.rewriter import WAYS, Topic, asking, rewritten
from rerank_cli.rewriting.written import PARSERS, conditions, line, lines, passage, words


def said(text: str, finish: str = "stop") -> Completion:
    return Completion(text, 1, 1, finish=finish)


@pytest.mark.parametrize(
    "reply",
    [
        "who built it?\nwhen was it built?",
        "1. who built it?\n2. when was it built?",
        "Here are the sub-questions:\n\n- who built it?\n* when was it built?\n\nI hope this helps!",
        '**Sub-questions:**\n(1) **who built it?**\n(2) "when was it built?"',
        '```json\n["who built it?", "when was it built?"]\n```',
        '{"questions": [{"q": "who built it?"}, {"q": "when was it built?"}]}',
        "<think>1. a trap</think>\nQuestion 1: who built it?\nQuestion 2: when was it built?\nQuestion 3: Who built it?",
        "• who built it?\r\n• when was it\tbuilt?\r\n• which is too many?",
    ],
)
def test_lists_in_all_the_ways_that_models_write_them(reply):
    assert lines(said(reply), 2) == (("who built it?", "when was it built?"), "", False)


def test_a_list_that_was_cut_off_loses_its_last_item():
    assert lines(said("1. who built it?\n2. when was", "length"), 5) == (("who built it?",), "", True)
    assert lines(said("who built", "length"), 5) == (("who built",), "", False)
    assert lines(said("<think>1. who built it?", "length"), 5) == ((), "", True)


def test_numbers_that_belong_to_a_query_stay():
    assert lines(said("3.5 mm jack\n2024 budget - germany"), 5).texts == ("3.5 mm jack", "2024 budget - germany")


def test_one_line_is_the_first_that_says_something():
    assert line(said('Sure, here it is:\n\nRewritten query: "price of copper"\n\nI added nothing.'), 1).texts == (
        "price of copper",
    )
    assert line(said("..."), 1) == ((), "", True)


def test_words_however_they_are_parted():
    assert words(said("Keywords: copper, price; mining"), 1).texts == ("copper price mining",)
    assert words(said("- copper\n- price 1,000\n- U.S."), 1).texts == ("copper price 1,000 U.S.",)


def test_a_passage_is_the_whole_reply():
    assert passage(said("Here is a passage:\n\nPassage: Copper is dear.\n1. It is mined.\n"), 1).texts == (
        "Copper is dear. 1. It is mined.",
    )


@pytest.mark.parametrize(
    ("told", "written", "lost"),
    [
        ([{"field": "year", "op": ">=", "value": 2020}], "year >= 2020", False),
        ({"venue": "ACL", "year": 2020.5}, 'venue = "ACL" and year = 2020.5', False),
        (
            'year >= 2020 AND venue == "A \\"B\\" and C" && lang=de',
            'year >= 2020 and venue = "A \\"B\\" and C" and lang = "de"',
            False,
        ),
        ([{"field": "a.b-c", "operator": "≠", "value": "ü\n"}], 'a.b-c != "ü\\n"', False),
        ([{"field": "two words", "op": "=", "value": 1}, {"field": "y", "op": "<", "value": 1}], "y < 1", True),
        ([{"field": "y", "op": "in", "value": 1}, {"field": "y", "op": "=", "value": [1]}], "", True),
        (
            [{"field": "y", "op": "=", "value": True}, {"field": "y", "op": "=", "value": float("nan")}, "y", 3],
            "",
            True,
        ),
        ("after 2020", "", True),
        (None, "", False),
        (7, "", True),
    ],
)
def test_conditions_are_said_in_the_language_or_left_out(told, written, lost):
    assert expression(told) == (written, lost)


def test_conditions_on_unknown_fields_are_left_out():
    told = {"year": 2020, "mood": "glad"}
    assert expression(told, frozenset(["year"])) == ("year = 2020", True)


def test_a_query_and_its_conditions():
    reply = 'Sure!\n```json\n{"query": "neural ranking", "filter": [{"field": "year", "op": ">", "value": 2019}]}\n```'
    assert conditions(said(reply), 1) == (("neural ranking",), "year > 2019", False)
    assert conditions(said('{"query": "", "filter": []}'), 1).mended
    assert conditions(said('{"query": "x", "filter": []'), 1) == ((), "", True)


#: Two conditions as `rerank retrieve --filter` reads them.
CONDITION = re.compile(r'[^\W\d][\w.-]* (?:=|!=|<|<=|>|>=) (?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)')
ANY = st.one_of(
    st.text(st.characters(), max_size=60),
    st.text(st.sampled_from('{}[]"\\,:.-*#\t\r\n 1a`<>/think=\ud800\u2028\x00'), max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["query", "filter", "field", "op", "value", "a b"]), x),
        max_leaves=8,
    ).map(json.dumps),
)


@given(
    ANY,
    st.sampled_from(list(WAYS)),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["stop", "length"]),
)
@example("{" * 3000, "filters", 1, False, False, "stop")
@example("[" * 3000, "aspects", 2, False, False, "stop")
@example('{"filter": "' + "a=1 and " * 2000 + '"}', "filters", 1, False, False, "stop")
@example("- " * 3000, "decompose", 1, False, False, "stop")
@example("query" * 3000, "keywords", 1, False, False, "stop")
def test_any_reply_makes_valid_topics(reply, way, n, keep_query, join, finish):
    """As many as were asked for at the most, at least one, and they read back as they were written."""
    how = asking(way, n if WAYS[way] > 1 else 1, shows=("query",))
    topics = [Topic(b"q\xff", "what is\na\x00 lens?", (), {"year": 1})]
    writer = ScriptedWriter(lambda _: said(reply, finish))
    (made,) = rewritten(topics, writer, how, keep_query=keep_query, joined=join)
    assert 1 <= len(made) <= how.n + keep_query
    assert len({topic.qid for topic in made}) == len(made)
    assert (how.tally.replies, how.tally.mended <= how.replies) == (how.replies, True)
    tsv = b"".join(tsv_topic(topic.qid, topic.text, first=at == 0) for at, topic in enumerate(made))
    assert read_topics(io.BytesIO(tsv), "t") == {topic.qid: topic.text.strip() for topic in made}
    jsonl = b"".join(json_topic(topic.qid, topic.text, {"filter": topic.conditions}) for topic in made)
    back = read_topic_records(io.BytesIO(jsonl), "t")
    for topic in made:
        assert back[topic.qid].fields["filter"] == topic.conditions
        assert not topic.conditions or all(map(CONDITION.fullmatch, _split(topic.conditions)))


def _split(conditions):
    return re.findall(r'(?:"(?:[^"\\]|\\.)*"|(?! and )[^"])+', conditions)


def test_what_would_be_read_as_names_of_columns_is_not_lost():
    assert read_topics(io.BytesIO(tsv_topic(b"id", "text", first=True)), "t") == {b"id": "text"}


def test_a_prompt_of_ones_own_names_a_parser_and_says_the_query(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('parser = "lines"\ntext = "{wanted} of {query}:"')
    (prompt,) = asking(str(own), 3, shows=("query",)).prompts("{wanted}?", (), ScriptedWriter(lambda _: ""))
    assert prompt.text == "3 of {wanted}?:"
    for text, why in (
        ('parser = "order"\ntext = "{query}"', "no parser 'order'"),
        ('parser = "line"\ntext = "x"', "query"),
    ):
        own.write_text(text)
        with pytest.raises(BadData, match=why):
            asking(str(own), 1, shows=("query",))


@pytest.mark.parametrize(
    ("way", "n", "more", "why"),
    [
        ("keywords", 2, {}, "leaves nothing to chance"),
        ("filters", 2, {}, "one answer"),
        ("decompose", 2, {"instruction": "x"}, "reads no instruction"),
        ("hyde", 2, {"fields": ["year"]}, "no conditions"),
    ],
)
def test_what_a_prompt_cannot_do_is_refused(way, n, more, why):
    with pytest.raises(WrongUsage, match=why):
        asking(way, n, shows=("query",), **more)


def test_every_parser_has_a_prompt():
    files = [asking(way, 1, shows=("query",)).file for way in [*WAYS, "rewrite-context"]]
    assert {file.parser for file in files} == set(PARSERS)
