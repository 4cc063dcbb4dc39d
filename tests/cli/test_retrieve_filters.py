"""`rerank retrieve --filter`, `--topic-filters` and `--prf` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Result, Runner

DOCUMENTS = [
    {"_id": "d1", "text": "a ship sails the sea", "year": 1999, "lang": "en"},
    {"_id": "d2", "text": "ships and more ships", "year": 1980, "lang": "en"},
    {"_id": "d3", "text": "the sea is wide, the ship small", "year": 2010, "metadata": {"place": "Kiel"}},
    {"_id": "d4", "text": "das ship im sea", "year": 2020, "lang": "de"},
]
TOPICS = [{"_id": "1", "text": "ship sea"}, {"_id": "2", "text": "sea", "filter": "year < 2000"}]


@pytest.fixture
def sea(tmp_path: Path) -> Path:
    for name, records in (("docs", DOCUMENTS), ("topics", TOPICS)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "rerank.toml").write_text(
        'collection = "water"\n[collections.water]\ndocs = "docs.jsonl"\ntopics = "topics.jsonl"\n'
    )
    return tmp_path


def ids(result: Result) -> dict[str, set[str]]:
    assert result.code == 0, result.err
    found: dict[str, set[str]] = {}
    for line in result.lines:
        if line[0] != "#":
            found.setdefault(line.split()[0], set()).add(line.split()[2])
    return found


def test_only_what_meets_the_conditions_is_written(rerank: Runner, sea: Path) -> None:
    done = rerank("retrieve", "--filter", 'year >= 1990 and lang = "en"', "--header")
    assert ids(done) == {"1": {"d1"}, "2": {"d1"}}
    assert "--filter lets 1 of 4 documents through" in done.err
    assert json.loads(done.lines[0].removeprefix("# rerank: "))["filter"] == 'year >= 1990 and lang = "en"'
    assert ids(rerank("retrieve", "--filter", "metadata.place = 'Kiel'", "-k", "1")) == {"1": {"d3"}, "2": {"d3"}}
    nothing = rerank("retrieve", "--filter", "yaer > 3")
    assert (nothing.code, nothing.out) == (0, b"")
    assert "no document has a string or a number in the field yaer" in nothing.err


def test_a_topic_brings_its_own_and_both_count(rerank: Runner, sea: Path) -> None:
    both = rerank("retrieve", "--topic-filters", "--filter", "year > 1985")
    assert ids(both) == {"1": {"d1", "d3", "d4"}, "2": {"d1"}}
    topics = b"".join(json.dumps(topic).encode() + b"\n" for topic in TOPICS)
    piped = rerank("retrieve", "--topic-filters", "--topics", "-", stdin=topics)
    assert ids(piped) == {"1": {"d1", "d2", "d3", "d4"}, "2": {"d1"}}
    assert "1 topics have a filter of their own" in piped.err
    broken = rerank(
        "retrieve", "--topic-filters", "--topics", "-", stdin=topics + b'{"_id": "3", "text": "x", "filter": "a ~ 3"}'
    )
    assert broken.code == 3
    assert "stdin:3: the filter 'a ~ 3' at character 3" in broken.err
    table = rerank("retrieve", "--topic-filters", "--topics", "-", stdin=b"1\tship\n")
    assert table.code == 3 and "JSONL" in table.err


def test_what_cannot_be_read_is_refused_before_anything_is_indexed(rerank: Runner, sea: Path) -> None:
    done = rerank("retrieve", "--filter", "year >= nineteen")
    assert (done.code, done.out) == (2, b"")
    assert "'year >= nineteen' at character 9: 'nineteen' where a number or a string in quotes is due" in done.err
    assert "collection" not in done.err
    (sea / "docs.tsv").write_text("d1\ta ship\n")
    table = rerank("retrieve", "--docs", "docs.tsv", "--filter", "year = 1")
    assert table.code == 2 and "docs.tsv is not JSONL" in table.err


def test_feedback_finds_what_the_query_did_not_say(rerank: Runner, sea: Path) -> None:
    topic = b"1\tsails\n"
    assert ids(rerank("retrieve", "--topics", "-", stdin=topic)) == {"1": {"d1"}}
    done = rerank("retrieve", "--topics", "-", "--prf", "each", "--fb-docs", "1", "--header", stdin=topic)
    assert ids(done) == {"1": {"d1", "d2", "d3", "d4"}}
    facts = json.loads(done.lines[0].removeprefix("# rerank: "))
    assert (facts["prf"], facts["fb_docs"], facts["prf_aggregate"]) == ("each", 1, "mean")
    english = rerank("retrieve", "--topics", "-", "--prf", "windows", "--filter", 'lang = "en"', stdin=topic)
    assert ids(english) == {"1": {"d1", "d2"}}
    for arguments, words in (
        (["--fb-docs", "2"], "--fb-docs is for --rm3 and --rocchio and --prf"),
        (["--prf", "concatenate", "--prf-aggregate", "max"], "--prf-aggregate is for --prf each and --prf windows"),
    ):
        refused = rerank("retrieve", *arguments)
        assert refused.code == 2 and words in refused.err
