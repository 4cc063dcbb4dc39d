"""Topics are read whatever the file looks like, and a bad line is named."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.errors import BadData
from rerank_cli.formats.topics import read_topic_field, read_topics


def read(data: bytes, **settings):
    return read_topics(io.BytesIO(data), "t.x", **settings)


@pytest.mark.parametrize(
    "record",
    [
        {"_id": "q1", "text": "two words", "metadata": {}},
        {"qid": "q1", "query": "two words"},
        {"query_id": "q1", "title": "two words"},
        {"id": "q1", "text": " two words \n"},
    ],
)
def test_jsonl_under_each_of_its_names(record):
    assert read(json.dumps(record).encode() + b"\n") == {b"q1": "two words"}


def test_whole_numbers_are_ids_as_they_are_printed():
    assert read(b'{"qid": 301, "query": "a"}\n{"qid": 7, "query": "b"}') == {b"301": "a", b"7": "b"}


def test_tsv_splits_once_and_forgives_windows():
    assert read(b"\xef\xbb\xbf1\tone\ttab more\r\n\r\n2\ttwo\r\n") == {b"1": "one\ttab more", b"2": "two"}


def test_tsv_with_a_header():
    assert read(b"query_id\ttext\n1\tone\n") == {b"1": "one"}


def test_order_is_the_files():
    assert list(read(b"9\ta\n1\tb\n5\tc\n")) == [b"9", b"1", b"5"]


def test_an_empty_file_has_no_topics():
    assert read(b"\n \n") == {}


TREC_UNCLOSED = b"""
<top>
<head> Tipster Topic Description
<num> Number: 301
<dom> Domain: International
<title> Topic:  International Organized
 Crime

<desc> Description:
Identify organizations that take part in
crime by AT&T &amp; others.

<narr> Narrative:
A relevant document must say <i>who</i>.
</top>

<top>
<num> Number: 302 </num>
<title>Poliomyelitis</title>
<desc>Is it under control?
<narr>N/A
</top>
"""


def test_trec_topics_with_tags_unclosed():
    assert read(TREC_UNCLOSED) == {b"301": "International Organized Crime", b"302": "Poliomyelitis"}


def test_trec_fields_are_joined_by_a_blank():
    topics = read(TREC_UNCLOSED, fields=("title", "desc", "narr"))
    assert topics[b"301"] == (
        "International Organized Crime Identify organizations that take part in crime by AT&T & others."
        " A relevant document must say who ."
    )
    assert topics[b"302"] == "Poliomyelitis Is it under control? N/A"


def test_trec_xml_topics():
    data = b"""<topics><topic number="1" type="faceted"><query>obama family tree</query>
    <description>Find it.</description><subtopic number="1" type="nav">Find TIME.</subtopic></topic>
    <topic number="2"><query>flights</query><description>Cheap ones.</description></topic></topics>"""
    assert read(data) == {b"1": "obama family tree", b"2": "flights"}
    assert read(data, fields=["desc"]) == {b"1": "Find it.", b"2": "Cheap ones."}


def test_jsonl_fields_by_short_and_long_name():
    data = b'{"qid": "1", "title": "t", "description": "d", "background": "b"}\n'
    assert read(data, fields=("title", "desc", "background")) == {b"1": "t d b"}


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        (b'{"_id": "1", "text": "a"}\n\n{"_id": "1", "text": "b"}\n', "t.x:3", "1 is there twice, first in line 1"),
        (b'{"_id": "1", "text": "a"}\n{"_id": "2"}\n', "t.x:2", "no text"),
        (b'{"_id": "1", "text": "a"}\n{"_id": "2", "text": ""}\n', "t.x:2", "2 has no text"),
        (b'{"_id": "1", "text": 5}\n', "t.x:1", "5"),
        (b'{"_id": true, "text": "x"}\n', "t.x:1", "True"),
        (b'{"_id": "1", "text": "a"}\n{"_id": "2", \n', "t.x:2", "not valid JSON"),
        (b'{"_id": "1", "text": "\\ud83d"}\n', "t.x:1", "UTF-8"),
        (b"1\tone\n2 two\n", "t.x:2", "no tab"),
        (b"1\tone\n2\t \n", "t.x:2", "2 has no text"),
        (b"1\tone\n1\tagain\n", "t.x:2", "1 is there twice, first in line 1"),
        (b"1\tone\n2 3\tx\n", "t.x:2", "blank"),
        (b"1\tone\n2\t\xff\n", "t.x:2", "UTF-8"),
        (b"<top>\n<num> Number: 1\n<title> a\n</top>\n<top>\n<num> Number: 2\n</top>", "t.x:5", "<title> in topic 2"),
        (b"<top>\n<title> a\n</top>\n", "t.x:1", "<num>"),
        (b"<top>\n<num>1<title> a \xe9\n</top>\n", "t.x:2", "UTF-8"),
        (b"[1, 2]\n", "t.x:1", "no tab"),
    ],
)
def test_a_bad_line_is_named(data, where, what):
    with pytest.raises(BadData) as error:
        read(data)
    assert error.value.message.startswith(f"{where}: ")
    assert what in error.value.message


@pytest.mark.parametrize(
    ("data", "command"), [(b"how to fuse runs\n", "nl -ba -w1"), (b'[{"_id": 1}]\n', "jq -c '.[]'")]
)
def test_who_has_bare_questions_or_an_array_is_told_what_makes_topics_of_them(data, command):
    with pytest.raises(BadData) as error:
        read(data)
    assert command in error.value.hint


def test_a_field_that_a_tsv_cannot_have():
    with pytest.raises(BadData, match="no field narr"):
        read(b"1\tone\n", fields=("title", "narr"))


def test_a_field_that_only_some_topics_have():
    data = (
        b'{"_id": 1, "text": "x", "filter": "year = 3"}\n\n{"qid": "2", "filter": ""}\n{"qid": "3", "filter": null}\n'
    )
    assert read_topic_field(io.BytesIO(data), "t.x", "filter") == {b"1": ("year = 3", "t.x:1")}
    for bad, message in ((b'{"_id": "1", "filter": 3}', "t.x:1: the filter is 3"), (b"1\tx\n", "have no field filter")):
        with pytest.raises(BadData, match=message):
            read_topic_field(io.BytesIO(bad), "t.x", "filter")


ids = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Z", "C"]), min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs", "C", "Zl", "Zp"]), min_size=1).filter(lambda t: t.strip())


@settings(deadline=None)
@given(st.dictionaries(ids, texts, min_size=1))
def test_what_json_can_hold_is_read_back(topics):
    data = "".join(json.dumps({"_id": qid, "text": text}, ensure_ascii=False) + "\n" for qid, text in topics.items())
    assert read(data.encode()) == {qid.encode(): text.strip() for qid, text in topics.items()}
