"""`rerank rewrite` as a user meets it, against a server on this machine: what is asked, written, said and kept."""

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from inference.loopback import Loopback, chat_reply, models
from waiting import first_line, until

from rerank_cli.cli.main import (
    _exit_code as main,
)  # `main` itself leaves at once when threads are at work, and the server is on one

TOPICS = b"q1\twhat is a lens?\nq2\twho made the first map and when?\nq3\tcopper price\n"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("RERANK_ENDPOINT", "RERANK_COLLECTION"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "topics.tsv").write_bytes(TOPICS)
    return tmp_path


@pytest.fixture
def run(capfdbinary):
    """`run(*arguments)`: exit code, stdout and stderr of `rerank rewrite` in this process."""

    def command(*arguments):
        code = int(main(["rewrite", *arguments]))
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return command


def answering(reply):
    """A chat server with one model; `reply` makes the words from a request's last turn."""

    def answer(seen):
        return models("m") if seen.path == "/v1/models" else chat_reply(reply(seen))

    return answer


def query_of(seen):
    return seen.json["messages"][-1]["content"].rpartition("uery: ")[2].partition("\n")[0]


def test_the_question_is_byte_for_byte_this(run):
    with Loopback(answering(lambda seen: "price of copper")) as server:
        code, out, err = run("--endpoint", server.url, "topics.tsv", "--concurrency", "1")
        assert (code, out.splitlines()) == (0, [f"q{at}\tprice of copper" for at in (1, 2, 3)])
        assert "3 calls, 33 tokens read, 9 written" in err
        assert server.posts[0].path == "/v1/chat/completions"
        assert server.posts[0].body == (
            b'{"model":"m","messages":[{"role":"system","content":"You rewrite queries for a search engine. You answer with one '
            b'query only, on one line."},{"role":"user","content":"Query: what is a lens?\\n\\nRewrite this query so that a '
            b"search engine finds what its author is looking for: correct what is misspelt, write out what is abbreviated, say "
            b'clearly what is vague, and add nothing that its author does not ask."}],"max_tokens":128,"temperature":0.0,"seed":0}'
        )


def test_hypothetical_passages_are_asked_for_as_their_paper_does(run):
    def passage(seen):
        return f"Passage: about\n{query_of(seen)} {seen.json['seed']}"

    with Loopback(answering(passage)) as server:
        code, out, _ = run("--endpoint", server.url, "topics.tsv", "--how", "hyde", "--seed", "5")
        first = json.loads(server.posts[0].body)
        assert (len(server.posts), first["temperature"], first["max_tokens"]) == (24, 0.7, 512)
        assert out.splitlines()[:2] == ["q1#1\tabout what is a lens? 5", "q1#2\tabout what is a lens? 6"]
        assert code == 0 and len(out.splitlines()) == 24
        code, out, err = run(
            "--endpoint", server.url, "topics.tsv", "--how", "hyde", "--seed", "5", "-n", "2", "--join"
        )
        assert out.splitlines()[0] == "q1\twhat is a lens? about what is a lens? 5 about what is a lens? 6"
        assert len(server.posts) == 24 and "6 of 6 replies were known from earlier" in err


def test_sub_questions_as_jsonl_keep_fields_and_name_their_parent(run, place):
    (place / "t.jsonl").write_text(
        '{"_id": "a", "text": "x and y?", "year": 3}\n{"query_id": 7, "query": "z?", "text": "z!"}\n'
    )
    with Loopback(answering(lambda seen: "1. x?\n2. y?")) as server:
        code, out, _ = run(
            "t.jsonl", "--endpoint", server.url, "--how", "decompose", "--output-format", "jsonl", "--keep-query"
        )
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and records[:3] == [
        {"_id": "a#0", "text": "x and y?", "year": 3, "parent": "a"},
        {"_id": "a#1", "text": "x?", "year": 3, "parent": "a"},
        {"_id": "a#2", "text": "y?", "year": 3, "parent": "a"},
    ]
    assert records[3] == {"_id": "7#0", "text": "z!", "query": "z?", "parent": "7"}


def test_filters_go_into_a_field_of_their_own(run):
    reply = {
        "query": "maps",
        "filter": [{"field": "year", "op": "<", "value": 1600}, {"field": "mood", "op": "=", "value": "sad"}],
    }
    with Loopback(answering(lambda seen: json.dumps(reply))) as server:
        code, out, err = run(
            "topics.tsv",
            "--endpoint",
            server.url,
            "--how",
            "filters",
            "--fields",
            "year, venue",
            "--max-repaired",
            "100",
        )
        assert code == 0 and json.loads(out.splitlines()[0]) == {"_id": "q1", "text": "maps", "filter": "year < 1600"}
        assert "Fields: year, venue." in server.posts[0].json["messages"][1]["content"]
        assert "3 of 3 replies could not be read, or not to their end" in err


def test_replies_that_say_nothing_keep_the_query_are_counted_and_fail_at_the_end(run):
    def half(seen):
        return "..." if "map" in query_of(seen) else "words"

    with Loopback(answering(half)) as server:
        code, out, err = run("topics.tsv", "--endpoint", server.url)
        assert code == 0 and "1 topics keep their query" in err
        assert out.splitlines()[1] == "q2\twho made the first map and when?"
        code, out, err = run("topics.tsv", "--endpoint", server.url, "--max-repaired", "30")
        assert code == 1 and len(out.splitlines()) == 3
        assert "1 of 3 replies could not be read whole, more than 30 per cent" in err


def test_the_first_documents_of_a_run_are_shown(run, place):
    (place / "first.run").write_text("q1 Q0 rrf 1 9 t\nq1 Q0 err 2 8 t\nq1 Q0 set-e 3 7 t\n")
    with Loopback(answering(lambda seen: "better")) as server:
        code, _, err = run(
            "topics.tsv", "-c", "demo", "--context", "first.run", "--context-depth", "2", "--endpoint", server.url
        )
        assert code == 0 and "2 of 3 topics are not in first.run" in err
        told = {query_of(seen): seen.json["messages"][1]["content"] for seen in server.posts}
    assert "[2] " in told["what is a lens?"] and "[3] " not in told["what is a lens?"]
    assert "[1] " not in told["copper price"]


def test_a_budget_leaves_the_rest_as_it_was_and_the_next_run_goes_on(run):
    with Loopback(answering(lambda seen: "words")) as server:
        command = ("topics.tsv", "--endpoint", server.url, "--concurrency", "1")
        code, out, err = run(*command, "--max-calls", "2")
        assert code == 0 and out.splitlines() == ["q1\twords", "q2\twords", "q3\tcopper price"]
        assert "1 questions were not asked: the budget is spent" in err
        # 14 tokens a reply, of which 3 are written: after the first nothing may be asked, and what is kept costs nothing.
        code, out, err = run(*command, "--price", "0,1", "--max-cost", "0.000001")
        assert code == 0 and len(server.posts) == 3 and out.splitlines()[2] == "q3\twords"
        assert "1 calls" in err and "2 of 3 replies were known" in err


def test_topics_come_out_as_soon_as_they_are_ready_and_a_killed_run_pays_once(environment, place):
    """The second question hangs; the first topic is there all the same. Rerun, the first question is not asked again."""
    goes_on = threading.Event()

    def reply(seen):
        if seen.path == "/v1/models":
            return models("m")
        if "map" in query_of(seen):
            goes_on.wait()
        return chat_reply("words")

    def kept():
        (path,) = (place / "cache/answers").glob("*/kept.sqlite")
        with closing(sqlite3.connect(path)) as store:
            return store.execute("SELECT count(*) FROM kept").fetchone()[0]

    with Loopback(reply) as server:
        command = [sys.executable, "-P", "-m", "rerank_cli", "rewrite", "topics.tsv", "--endpoint", server.url]
        told = {
            "cwd": place,
            "env": {**environment, "RERANK_CACHE_DIR": str(place / "cache")},
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        process = subprocess.Popen(command, **told)
        assert first_line(process) == b"q1\twords\n"
        until(lambda: len(server.posts) == 3 and kept() == 2, process)
        process.kill()
        process.communicate()
        goes_on.set()
        before = len(server.posts)
        again = subprocess.run(command, check=True, **told)
        assert again.stdout.splitlines() == [b"q1\twords", b"q2\twords", b"q3\twords"]
        assert [query_of(seen) for seen in server.posts[before:]] == ["who made the first map and when?"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["topics.tsv"], 4, "no model that writes is named"),
        (["topics.tsv", "-m", "rankgpt"], 4, "is a prompt, and no checkpoint goes with it"),
        (["topics.tsv", "-m", "x/y", "--endpoint", "http://127.0.0.1:1"], 2, "leave one of them out"),
        (["topics.tsv", "--how", "filters", "--join"], 2, "--join has no place for a filter"),
        (["topics.tsv", "--how", "filters", "--output-format", "tsv"], 2, "--output-format tsv has no place"),
        (["topics.tsv", "--how", "hyde", "--context", "r.run"], 2, "--context is for --how rewrite"),
        (["--context", "-", "-c", "demo", "-"], 2, "cannot both come from stdin"),
        (["nowhere.tsv", "--endpoint", "http://127.0.0.1:1"], 4, "nowhere.tsv"),
        (["topics.tsv", "--endpoint", "http://127.0.0.1:1", "--api", "rerank"], 2, "--api rerank"),
        (["bad.jsonl", "--endpoint", "http://127.0.0.1:1"], 3, "bad.jsonl:2: not valid JSON"),
        (["topics.tsv", "--prompt", "own.toml", "--dry-run"], 3, "own.toml: unknown field {document}"),
    ],
)
def test_what_cannot_be_done_is_said(run, place, arguments, code, said):
    (place / "bad.jsonl").write_text('{"_id": "1", "text": "a"}\n{"_id": "2", "text"\n')
    (place / "own.toml").write_text('parser = "line"\ntext = "{query} {document}"')
    got, out, err = run(*arguments)
    assert (got, out) == (code, "") and said in err


def test_no_topics_are_no_work(run, place):
    (place / "none.tsv").write_text("")
    with Loopback(answering(lambda seen: "x")) as server:
        code, out, err = run("none.tsv", "--endpoint", server.url)
        assert (code, out, len(server.posts)) == (0, "", 0) and "there are no topics" in err


def test_sub_questions_are_retrieved_and_fused_for_their_topic(shell, place):
    """The pipe of the manual: what one word in each of two sub-questions finds stands in one list."""
    (place / "topics.tsv").write_bytes(b"t\ttwo things at once?\n")
    with Loopback(answering(lambda seen: "- reciprocal rank fusion\n- shell variables")) as server:
        done = shell(
            f"rerank rewrite topics.tsv --how decompose --endpoint {server.url} | tee asked.tsv | "
            "rerank retrieve -c demo --topics - -k 5 | rerank fuse --by-parent - > out.run && cat asked.tsv"
        )
    assert done.code == 0, done.err
    assert done.lines == ["t#1\treciprocal rank fusion", "t#2\tshell variables"]
    found = [row.split() for row in (place / "out.run").read_text().splitlines()]
    assert {row[0] for row in found} == {"t"} and {"rrf", "subshell-variables"} <= {row[2] for row in found[:4]}
