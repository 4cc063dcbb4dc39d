"""Documents are read whatever the file looks like; each record's offset leads back to it."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData
from rerank_cli.formats.documents import document, layout_of, read_records, records


def read(data: bytes) -> list[Document]:
    return [found for found, _ in read_records(io.BytesIO(data), "d.x")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"_id": "d1", "title": "T", "text": "x y", "metadata": {}}, Document(b"d1", "T", "x y")),
        ({"id": "d1", "contents": "x y"}, Document(b"d1", "", "x y")),
        ({"docid": "d1#0_3", "title": None, "segment": "x"}, Document(b"d1#0_3", "", "x")),
        ({"pid": "p1", "passage": "x", "docid": "of the whole page"}, Document(b"p1", "", "x")),
        ({"docno": 12, "body": "x", "url": "u"}, Document(b"12", "", "x")),
        ({"doc_id": "d\udcff", "text": "x"}, Document(b"d\xff", "", "x")),
        ({"_id": "d1", "text": "caf\u00e9 \U0001f600"}, Document(b"d1", "", "caf\u00e9 \U0001f600")),
    ],
)
def test_jsonl_under_each_of_its_names(line, expected):
    assert read(json.dumps(line).encode() + b"\n") == [expected]


def test_bytes_that_are_no_utf8_stay_in_ids_and_are_marked_in_texts():
    assert read(b'{"_id": "a\xff", "text": "b\xffc"}\n') == [Document(b"a\xff", "", "b\ufffdc")]
    assert read(b"a\xff\tb\xffc\n") == [Document(b"a\xff", "", "b\ufffdc")]


def test_half_a_surrogate_pair_does_not_reach_a_tokenizer():
    (found,) = read(b'{"_id": "a", "text": "cut \\ud83d here"}\n')
    assert found.text == "cut \ufffd here"


def test_ms_marco_passages():
    assert read(b"0\tThe presence of\tcommunication\n1\tsecond\r\n") == [
        Document(b"0", "", "The presence of\tcommunication"),
        Document(b"1", "", "second"),
    ]


def test_ms_marco_documents():
    assert read(b"D1\thttps://a.b/c\tThe title\tThe body\nD2\thttp://x\t\tOnly body\n") == [
        Document(b"D1", "The title", "The body"),
        Document(b"D2", "", "Only body"),
    ]


def test_tsv_with_a_header_in_any_order():
    assert read(b"id\ttext\ttitle\n1\tx\tT\n") == [Document(b"1", "T", "x")]


TREC = b"""<DOC>
<DOCNO> FT911-1 </DOCNO>
<HEADLINE>
FT 14 MAY 91 / A &amp; B
</HEADLINE>
<TEXT>
First <F P=105>tagged</F> line,
x &lt; y at AT&T.
</TEXT>
<TEXT>More.</TEXT>
</DOC>

<DOC>
<DOCNO>WTX001</DOCNO>
<DOCHDR>
http://a.b HTTP/1.0 200 OK
</DOCHDR>
<html><head><title>Page</title><script>var x = "<p>";</script></head><body>Words <b>here</b></body></html>
</DOC>
<DOC id="NYT_1" type="story"><TEXT>closed by the next
<DOC><DOCNO>LAST</DOCNO><TEXT>no end</TEXT>"""


def test_trec_documents():
    assert read(TREC) == [
        Document(b"FT911-1", "FT 14 MAY 91 / A & B", "First tagged line, x < y at AT&T. More."),
        Document(b"WTX001", "Page", "Words here"),
        Document(b"NYT_1", "", "closed by the next"),
        Document(b"LAST", "", "no end"),
    ]


def test_several_trec_documents_on_one_line():
    data = b"<DOC><DOCNO>a</DOCNO>x</DOC> <DOC><DOCNO>b</DOCNO>y</DOC>\n"
    assert read(data) == [Document(b"a", "", "x"), Document(b"b", "", "y")]


def test_ids_in_angle_brackets_are_a_tsv():
    assert read(b"<dbpedia:Doc>\ttext\n") == [Document(b"<dbpedia:Doc>", "", "text")]


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"_id": "a", "text": "x"}\r\n\r\n{"_id": "b", "text": "\xc3\xa9"}',
        b"id\ttext\n\n1\tone\n2\ttwo",
        TREC,
    ],
)
def test_an_offset_leads_to_its_document(data):
    found = read(data)
    assert len(found) > 1
    layout = layout_of(data, "d.x")
    offsets = [record.offset for record in records(io.BytesIO(data), layout)]
    ends = [*offsets[1:], len(data)]
    assert [document(data[start:end], layout) for start, end in zip(offsets, ends, strict=True)] == found


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        (b'{"_id": "a", "text": "x"}\n\n{"_id": "b", "text"\n', "d.x:3", "not valid JSON"),
        (b'{"_id": "a", "text": "x"}\n[1]\n', "d.x:2", "a JSON list"),
        (b'{"_id": "a", "words": "x"}\n', "d.x:1", "no text"),
        (b'{"key": "a", "text": "x"}\n', "d.x:1", "no document id"),
        (b'{"_id": "a", "text": ["x"]}\n', "d.x:1", "not a string"),
        (b'{"_id": "a b", "text": "x"}\n', "d.x:1", "blank"),
        (b'{"_id": "", "text": "x"}\n', "d.x:1", "empty"),
        (b'{"_id": null, "text": "x"}\n', "d.x:1", "None"),
        (b"1\tone\n2 two\n", "d.x:2", "1 column"),
        (b"D1\thttps://a.b/c\tT\tB\nD2\thttp://x\tB\n", "d.x:2", "3 columns where 4"),
        (b"<DOC>\n<DOCNO>1</DOCNO>\n</DOC>\n<DOC>\nx\n</DOC>\n", "d.x:4", "without a <DOCNO>"),
        (b"just some words\n", "d.x:1", "no file of documents"),
    ],
)
def test_a_bad_line_is_named(data, where, what):
    with pytest.raises(BadData) as error:
        read(data)
    assert error.value.message.startswith(f"{where}: ")
    assert what in error.value.message


def test_who_has_an_array_is_told_what_makes_lines_of_it():
    with pytest.raises(BadData) as error:
        read(b'[{"_id": "a", "text": "x"}]\n')
    assert "jq -c '.[]'" in error.value.hint


ids = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Z", "C"]), min_size=1, max_size=8)
unicode_texts = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(st.lists(st.tuples(ids, unicode_texts, unicode_texts)), st.booleans())
def test_what_json_can_hold_is_read_back(rows, ascii_only):
    lines = [json.dumps({"_id": i, "title": t, "text": x}, ensure_ascii=ascii_only) for i, t, x in rows]
    expected = [Document(i.encode(), t, x) for i, t, x in rows]
    assert read("".join(f"{line}\n" for line in lines).encode()) == expected
