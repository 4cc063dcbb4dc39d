"""`rerank retrieve --field-weights` and the index of fields as a user meets them."""

import json

import ir_measures
import pytest
from ir_measures import R, nDCG

FIELDS = ("--field-weights", "title=2,text=1")
DOCUMENTS = [
    {"_id": "d1", "title": "ship", "text": "sea and sky", "year": 1990, "vector": {"ship": 1}},
    {"_id": "d2", "title": "sea", "text": "a ship on a ship", "year": 2000, "vector": {"ship": 3}},
    {"_id": "d3", "title": "", "text": "sky", "year": 2010, "vector": {"ship": 0.1}},
]


@pytest.fixture
def sea(tmp_path):
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(document) + "\n" for document in DOCUMENTS))
    (tmp_path / "topics.tsv").write_text("1\tship\n2\tsky sea\n")
    return "--docs", "docs.jsonl", "--topics", "topics.tsv"


def docids(result, qid):
    assert result.code == 0, result.err
    return [line.split()[2] for line in result.lines if line.startswith(f"{qid} ")]


def test_weights_change_the_order_and_stand_in_the_header(rerank, sea):
    plain = rerank("retrieve", *sea)
    titles = rerank("retrieve", *sea, "--field-weights", "title=5,text=1", "--field-b", "text=0.7", "--header")
    assert docids(plain, 1) == ["d2", "d1"]
    assert docids(titles, 1) == ["d1", "d2"]
    facts = json.loads(titles.lines[0].removeprefix("# rerank: "))
    assert facts["field_weights"] == {"title": 5, "text": 1} and facts["field_b"] == {"text": 0.7}
    assert titles.lines[-1].split()[-1] == "bm25"
    only = rerank("retrieve", *sea, "--field-weights", "text")
    assert only.out == rerank("retrieve", *sea, "--doc-template", "{text}").out
    summed = rerank("retrieve", *sea, "--field-weights", "title^5,text", "--fields-by", "sum")
    assert docids(summed, 2) and summed.out != titles.out


def test_a_field_that_no_document_has_is_said(rerank, tmp_path):
    (tmp_path / "docs.tsv").write_text("d1\tship\nd2\tsea\n")
    done = rerank("retrieve", "--docs", "docs.tsv", "--topics", "-", *FIELDS, stdin=b"1\tship\n")
    assert docids(done, 1) == ["d1"]
    assert "no document has a title: its weight changes nothing" in done.err and "has a text" not in done.err


def test_with_a_filter_with_words_fed_back_and_in_a_sum(rerank, sea):
    assert docids(rerank("retrieve", *sea, *FIELDS, "--filter", "year > 1995"), 1) == ["d2"]
    assert set(docids(rerank("retrieve", *sea, *FIELDS, "--prf", "each"), 1)) == {"d1", "d2", "d3"}
    both = rerank("retrieve", *sea, *FIELDS, "-m", "bm25+impact", "--header")
    assert docids(both, 1) == ["d2", "d1", "d3"]
    assert json.loads(both.lines[0].removeprefix("# rerank: "))["parts"]["bm25"]["field_weights"]["title"] == 2


def test_an_index_of_fields_is_built_ahead_shown_and_told_from_the_other(rerank, sea):
    docs, place = sea[:2], ("--index", "fields.index")
    built = rerank("index", *docs, *FIELDS, *place, "--check")
    assert built.code == 0, built.err
    facts = dict(line.split("\t") for line in rerank("index", "fields.index", "--info").lines)
    assert (facts["kind"], facts["fields"], facts["documents"]) == ("bm25-fields", "title,text", "3")
    assert (facts["title.documents_with_terms"], facts["text.tokens"]) == ("2", "5")
    again = rerank("retrieve", *sea, "--field-weights", "title", *place)
    assert docids(again, 1) == ["d1"] and "indexing" not in again.err
    for wrong in (["retrieve", *sea, *place], ["index", *docs, *place]):
        refused = rerank(*wrong)
        assert refused.code == 3 and "bm25-fields, where one of bm25 is due" in refused.err


def test_damage_in_a_field_is_found(rerank, sea, tmp_path):
    rerank("index", *sea[:2], *FIELDS, "--index", "fields.index")
    (tmp_path / "fields.index/text/documents.npy").write_bytes(b"")
    damaged = rerank("index", "fields.index", "--check")
    assert damaged.code == 3 and "text/documents.npy" in damaged.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--field-weights", "body=1"], "no field 'body'"),
        (["--field-weights", "title=-1,text=1"], "the weight of title is -1"),
        (["--field-weights", "title=0,text=0"], "no field has a weight above 0"),
        (["--field-weights", "title=x"], "--field-weights title=x"),
        (["--field-weights", "title=1", "--field-b", "title=2"], "the b of title is 2"),
        (["--field-weights", "title=1", "--field-b", "text=.2"], "text has a b of its own"),
        ([*FIELDS, "--rm3"], "--rm3 and --rocchio"),
    ],
)
def test_what_has_no_meaning_is_refused_before_a_collection_is_opened(rerank, options, said):
    done = rerank("retrieve", "-c", "no-such-collection", *options)
    assert (done.code, done.out) == (2, b"")
    assert said in done.err


@pytest.mark.data
@pytest.mark.parametrize("name", ["scifact", "cranfield"])
def test_weights_on_judged_collections(rerank, data, tmp_path, name):
    """Titles that count more help on both; with equal weights it is nearly the concatenated text."""

    def figure(*options):
        done = rerank("retrieve", "-q", "-c", data / name, *options, "-o", "fields.run")
        assert done.code == 0, done.err
        qrels = list(ir_measures.read_trec_qrels(str(data / name / "qrels.trec")))
        run = list(ir_measures.read_trec_run(str(tmp_path / "fields.run")))
        found = ir_measures.calc_aggregate([nDCG @ 10, R @ 100, R @ 1000], qrels, run)
        return found[nDCG @ 10], found[R @ 100], found[R @ 1000]

    plain, equal = figure()[0], figure("--field-weights", "title=1,text=1")[0]
    assert equal == pytest.approx(plain, abs=0.001)
    assert figure("--field-weights", "title=3,text=1")[0] > equal + 0.003
    summed = figure("--field-weights", "title=1,text=1", "--fields-by", "sum")
    assert abs(summed[0] - equal) > 0.01
    if name == "scifact":
        # Anserini's own figures for both fields, equally weighted (its regression beir-v1.0.0-scifact.multifield).
        assert summed == pytest.approx((0.6647, 0.9076, 0.9800), abs=5e-5)
