"""The demo collection holds what its README says: whole, judged, and partly out of reach of word matching."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import rerank_cli

DEMO = Path(rerank_cli.__file__).parent / "demo"
SUBJECTS = {"retrieval", "reranking", "evaluation", "shell"}
KINDS = {"keyword", "partial", "paraphrase"}
README = (DEMO / "README.md").read_text(encoding="utf-8")

# Words with a grammatical use only: articles, pronouns, auxiliaries, prepositions, conjunctions, question words.
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    a an the this that these those i me my mine we us our you your he him his she her it its they them their
    am is are was were be been being do does did done has have had having will would can could shall should may
    might must not no nor and or but if so because although though while when where why how what which who whom
    whose than then as at by for from in into of off on onto out over to under up with without about after before
    between during through per too there here
    """,
    )
)
# Longest first, so that "ations" goes before "s".
SUFFIXES = sorted(
    re.findall(
        r"\w+",
        "ations ation ingly edly ing ings ed er ers or ors est ly s es ies ied y e ion ions ive al ful ness ment ments",
    ),
    key=len,
    reverse=True,
)


def crude_stem(word: str) -> str:
    """Cut endings while at least three letters stay, then undo a doubled last letter: running, runs -> run."""
    cut = True
    while cut:
        cut = False
        for suffix in SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= 3:
                word, cut = word[: -len(suffix)], True
                break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] + "y" if word.endswith("i") else word


def content_stems(text: str) -> set[str]:
    """The stems of all words of a text that are not function words."""
    return {crude_stem(word) for word in re.findall(r"\w+", text.lower()) if word not in FUNCTION_WORDS}


def read_jsonl(name: str) -> list[dict[str, Any]]:
    """All objects of a JSONL file of the collection."""
    return [json.loads(line) for line in (DEMO / name).read_text(encoding="utf-8").splitlines()]


def read_qrels() -> list[tuple[str, str, int]]:
    """The judgements in the order of the file, header checked."""
    header, *lines = (DEMO / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "query-id\tcorpus-id\tscore"
    rows = [line.split("\t") for line in lines]
    assert all(len(row) == 3 for row in rows)
    return [(qid, docid, int(grade)) for qid, docid, grade in rows]


PASSAGES = {passage["_id"]: passage for passage in read_jsonl("corpus.jsonl")}
QUERIES = {query["_id"]: query for query in read_jsonl("queries.jsonl")}
QRELS = read_qrels()


def number_in_readme(pattern: str) -> int:
    """The one number that a sentence of the README states; the pattern has one group."""
    found = re.findall(pattern, " ".join(README.split()))
    assert len(found) == 1, f"{pattern!r} is in the README {len(found)} times"
    return int(found[0])


def test_crude_stem_joins_the_forms_of_a_word() -> None:
    assert {crude_stem(word) for word in ("run", "runs", "running", "runner")} == {"run"}
    assert crude_stem("queries") == crude_stem("query")
    assert crude_stem("finding") == crude_stem("finds")
    assert crude_stem("ignored") == crude_stem("ignore")
    assert crude_stem("pipe") == crude_stem("pipes")
    assert crude_stem("search") != crude_stem("retrieve")


def test_ids_are_short_slugs_and_occur_once() -> None:
    passage_ids = [passage["_id"] for passage in read_jsonl("corpus.jsonl")]
    query_ids = [query["_id"] for query in read_jsonl("queries.jsonl")]
    assert len(set(passage_ids)) == len(passage_ids)
    assert query_ids == [f"q{number:02d}" for number in range(1, 41)]
    assert [docid for docid in passage_ids if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", docid)] == []


def test_counts_are_those_of_the_readme() -> None:
    assert len(PASSAGES) == number_in_readme(r"(\d+) passages of 60 to 120 words") >= 150
    assert len(QUERIES) == number_in_readme(r"(\d+) queries of three kinds") == 40
    assert len(QRELS) == number_in_readme(r"(\d+) judgements on a scale")


def test_passages_have_title_text_and_subject() -> None:
    for docid, passage in PASSAGES.items():
        assert set(passage) == {"_id", "title", "text", "metadata"}, docid
        assert passage["title"].strip(), docid
        assert 60 <= len(passage["text"].split()) <= 120, docid
        assert passage["text"] == " ".join(passage["text"].split()), docid
    subjects = Counter(passage["metadata"]["subject"] for passage in PASSAGES.values())
    assert set(subjects) == SUBJECTS
    assert min(subjects.values()) >= 30


def test_nothing_is_there_twice() -> None:
    for field in ("title", "text"):
        values = Counter(passage[field].lower() for passage in PASSAGES.values())
        assert [value for value, count in values.items() if count > 1] == []
    assert len({query["text"].lower() for query in QUERIES.values()}) == len(QUERIES)
    assert len({(qid, docid) for qid, docid, _ in QRELS}) == len(QRELS)


def test_judgements_name_known_ids_and_grades() -> None:
    assert {qid for qid, _, _ in QRELS} == set(QUERIES)
    assert {docid for _, docid, _ in QRELS} <= set(PASSAGES)
    assert {grade for _, _, grade in QRELS} == {0, 1, 2, 3}


def test_every_query_has_an_answer_and_wrong_candidates() -> None:
    best = {qid: max(grade for other, _, grade in QRELS if other == qid) for qid in QUERIES}
    assert {qid for qid, grade in best.items() if grade < 2} == set()
    irrelevant = Counter(qid for qid, _, grade in QRELS if grade == 0)
    assert all(irrelevant[qid] >= 5 for qid in QUERIES)


def test_every_subject_answers_queries() -> None:
    answering = {PASSAGES[docid]["metadata"]["subject"] for _, docid, grade in QRELS if grade == 3}
    assert answering == SUBJECTS


def test_paraphrase_queries_share_no_content_word_with_their_answers() -> None:
    shared: dict[str, set[str]] = {qid: set() for qid in QUERIES}
    for qid, docid, grade in QRELS:
        if grade == 3:
            passage = PASSAGES[docid]
            shared[qid] |= content_stems(QUERIES[qid]["text"]) & content_stems(f"{passage['title']} {passage['text']}")
    without = {qid for qid, stems in shared.items() if not stems}
    paraphrases = {qid for qid, query in QUERIES.items() if query["metadata"]["kind"] == "paraphrase"}
    assert {qid: shared[qid] for qid in paraphrases if shared[qid]} == {}
    assert without == paraphrases
    assert len(without) == number_in_readme(r"(\d+) of the 40 queries share no content word")


def test_kinds_are_counted_as_in_the_readme() -> None:
    kinds = Counter(query["metadata"]["kind"] for query in QUERIES.values())
    assert set(kinds) == KINDS
    for kind, count in kinds.items():
        assert count == number_in_readme(rf"`{kind}` \((\d+)\)")


def test_keyword_queries_find_most_of_their_words_in_an_answer() -> None:
    for qid, query in QUERIES.items():
        if query["metadata"]["kind"] == "keyword":
            wanted = content_stems(query["text"])
            answers = [PASSAGES[docid] for other, docid, grade in QRELS if other == qid and grade == 3]
            found = [wanted & content_stems(f"{passage['title']} {passage['text']}") for passage in answers]
            assert max(len(stems) for stems in found) >= len(wanted) / 2, qid


def test_the_collection_stays_small_and_says_what_it_is_for() -> None:
    files = [path for path in DEMO.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 300_000
    assert "Apache-2.0" in README
    assert "not for claims" in README
