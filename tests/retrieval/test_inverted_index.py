"""The index on disk holds exactly the counts of the texts, however it was cut into chunks."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.errors import BadData, Missing
from rerank_cli.retrieval import indexing
from rerank_cli.retrieval.analysis import WhitespaceAnalyzer
from rerank_cli.retrieval.index import InvertedIndex, length_bytes, lucene_lengths

TERMS = ["a", "ab", "b", "é", "日", "zz", "a\x01", "\U0001f600"]


def built(folder, texts, chunk_tokens=4_000_000):
    folder.mkdir()
    indexing.build_index(texts, folder, WhitespaceAnalyzer(), {}, chunk_tokens=chunk_tokens)
    return InvertedIndex(folder)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(TERMS), max_size=6), max_size=9), st.integers(1, 12), st.integers(1, 5))
def test_postings_are_the_counts_of_the_texts(tmp_path_factory, documents, chunk_tokens, block):
    whole_block, indexing.BLOCK_POSTINGS = indexing.BLOCK_POSTINGS, block
    try:
        texts = [(b"d%d" % number, " ".join(terms)) for number, terms in enumerate(documents)]
        index = built(tmp_path_factory.mktemp("i") / "index", texts, chunk_tokens)
    finally:
        indexing.BLOCK_POSTINGS = whole_block
    assert index.terms == len({term for terms in documents for term in terms})
    assert index.lengths.tolist() == [len(terms) for terms in documents]
    assert index.documents_with_terms == sum(map(bool, documents))
    for term in TERMS:
        expected = [(number, Counter(terms)[term]) for number, terms in enumerate(documents) if term in terms]
        postings = index.postings(term)
        found = [] if postings is None else list(zip(postings.documents.tolist(), postings.frequencies.tolist()))
        assert found == expected
        if postings is not None:
            assert postings.most == max(frequency for _, frequency in expected)
            assert postings.shortest == min(len(documents[number]) for number, _ in expected)
    for number, terms in enumerate(documents):
        held, frequencies = index.document_terms(number)
        assert list(zip(map(index.term, held.tolist()), frequencies.tolist())) == sorted(
            Counter(terms).items(), key=lambda item: item[0].encode()
        )
        assert index.document_frequencies(held).tolist() == [
            sum(index.term(term) in other for other in documents) for term in held.tolist()
        ]


def test_processes_together_write_what_one_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "BATCH_CHARACTERS", 40)
    draw = np.random.default_rng(1)
    texts = [(b"d%d" % n, " ".join(draw.choice(TERMS, draw.integers(0, 9)))) for n in range(60)]
    for name, processes in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        indexing.build_index(texts, tmp_path / name, WhitespaceAnalyzer(), {}, processes=processes)
    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert {path.name for path in (tmp_path / "two").iterdir()} == files
    for name in files - {"manifest.json"}:  # which says how many seconds it took
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_ids_are_bytes_and_come_back_as_they_were(tmp_path):
    ids = [b"\xff\xfe", b"d10", b"d9", b"x" * 300, b""]
    index = built(tmp_path / "index", [(docid, "t") for docid in ids])
    assert index.docids(np.array([3, 0, 4, 2])).tolist() == [ids[3], ids[0], ids[4], ids[2]]
    assert [ids[n] for n in np.argsort(index.docid_order)] == sorted(ids)
    assert [index.document(docid) for docid in ids] == [0, 1, 2, 3, 4]
    assert [index.document(docid) for docid in (b"d", b"\xff\xff", b"d99", b"x")] == [None] * 4


@pytest.mark.parametrize("times", [255, 256, 70_000])
def test_a_term_may_stand_in_a_document_however_often(tmp_path, times):
    index = built(tmp_path / "index", [(b"a", "t " * times), (b"b", "t")])
    assert index.postings("t").frequencies.tolist() == [times, 1]


def test_more_pairs_of_frequency_and_length_than_sixteen_bits_tell_apart(tmp_path):
    """As many as there are of documents, each of another length, times the frequencies 1 to 220."""
    many = " ".join(f"v{times} " * times for times in range(1, 221))
    texts = [(b"%d" % number, many + " w" * number) for number in range(300)]
    index = built(tmp_path / "index", texts)
    assert len(index.pairs) > 1 << 16
    for times in (1, 17, 220):
        assert index.postings(f"v{times}").frequencies.tolist() == [times] * 300
    assert index.postings("w").frequencies.tolist() == list(range(1, 300))


def test_a_document_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(BadData, match="document same is in the corpus twice, as numbers 1 and 3"):
        built(tmp_path / "index", [(b"same", "x"), (b"other", "y"), (b"same", "z")])


def test_nothing_but_the_index_stays_in_the_folder(tmp_path):
    built(tmp_path / "index", [(b"a", "x y"), (b"b", "y z")], chunk_tokens=1)
    manifest = json.loads((tmp_path / "index/manifest.json").read_text())
    assert {p.name for p in (tmp_path / "index").iterdir()} == {*manifest["files"], "manifest.json"}


def test_a_folder_without_an_index_is_missing(tmp_path):
    with pytest.raises(Missing, match="is not an index"):
        InvertedIndex(tmp_path)


@pytest.mark.parametrize("name", ["documents.npy", "terms.bin"])
def test_a_file_that_was_cut_is_refused(tmp_path, name):
    built(tmp_path / "index", [(b"a", "x y"), (b"b", "y z")])
    path = tmp_path / "index" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadData, match=rf"{name}: the index is damaged"):
        InvertedIndex(tmp_path / "index")


def test_an_index_of_another_format_is_refused(tmp_path):
    built(tmp_path / "index", [(b"a", "x")])
    path = tmp_path / "index/manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))
    with pytest.raises(BadData, match="an index of format 1; this version of rerank reads 3"):
        InvertedIndex(tmp_path / "index")


def test_lengths_are_rounded_as_lucene_rounds_them():
    lengths = [0, 1, 39, 40, 41, 42, 55, 57, 100, 300, 1000]
    assert lucene_lengths()[length_bytes(np.array(lengths))].tolist() == [0, 1, 39, 40, 40, 42, 54, 56, 96, 280, 984]
    assert (np.diff(lucene_lengths()) > 0).all()
