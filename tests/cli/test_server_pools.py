"""Several servers through the real program: the same run as from one, what is said of each, one that dies, one that is slow."""

import itertools
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import Runner
from inference.loopback import Loopback, Reply


def tei(after=0.0, ill=None, refuses=None):
    """A rerank server: a text's score is a sum over its bytes; `ill`: when it answers nothing; `refuses`: the status of every answer."""

    def answer(seen):
        if refuses is not None and seen.method == "POST":
            return Reply({"error": "Invalid token"}, refuses)
        if ill is not None and ill(seen):
            return Reply(b"", drop=0, headers={"Content-Length": "9"})
        if seen.method == "GET":
            known = {"model_id": "bge", "model_type": {"reranker": {}}, "max_input_length": 512}
            return known if seen.path == "/info" else Reply(b"", 404)
        texts = seen.json["texts"]
        rows = [{"index": at, "score": float(sum(text.encode()) % 9973)} for at, text in enumerate(texts)]
        return Reply(rows, after=after)

    return Loopback(answer)


@pytest.fixture(scope="module")
def alone(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """BM25's first 40 documents of the demo's topics, and what one server makes of them."""
    path = tmp_path_factory.mktemp("pools") / "bm25.run"
    program = [sys.executable, "-P", "-m", "rerank_cli"]
    subprocess.run([*program, "retrieve", "-c", "demo", "-k", "40", "-q", "-o", str(path)], env=environment, check=True)
    with tei() as server:
        command = [*program, "rerank", str(path), "-c", "demo", "--no-cache", "-q", "--endpoint", server.url]
        return path, subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout


def asked(rerank, run, *servers, more=()):
    urls = ",".join(server if isinstance(server, str) else server.url for server in servers)
    return rerank("rerank", str(run), "-c", "demo", "--no-cache", "--endpoint", urls, *more)


def test_four_servers_of_which_one_dies_and_one_is_slow_give_the_same_run(rerank: Runner, alone: tuple[Path, bytes]):
    run, expected = alone
    dying = tei(0.01, ill=lambda seen: seen.number > 5)
    with tei(0.01) as one, tei(0.01) as two, tei(1.0) as slow, dying:
        found = asked(rerank, run, one, two, slow, dying, "http://127.0.0.1:9", more=("--concurrency", "2"))
        assert (found.code, found.out) == (0, expected), found.err
        assert "http://127.0.0.1:9 cannot be reached" in found.err and f"{dying.url} dropped" in found.err
        answers = dict(re.findall(r"rerank: (http\S+): (\d+) answers", found.err))
        assert set(answers) == {one.url, two.url, slow.url, dying.url, "http://127.0.0.1:9"}
        total = int(re.search(r"the servers answered (\d+) requests", found.err).group(1))
        assert sum(map(int, answers.values())) == total
        assert int(answers[slow.url]) == len(slow.posts) < len(one.posts) / 2


def test_a_hedged_run_says_what_it_cost(rerank: Runner, alone: tuple[Path, bytes]):
    run, expected = alone
    asks, done = itertools.count(), threading.Event()

    one = tei()
    plain = one.answer

    def late(seen):
        if seen.method == "POST" and next(asks) == 0:
            done.wait()
        return plain(seen)

    one.answer = late
    with one, tei() as two:
        # Long enough for every other answer to be in time, whatever else this machine does.
        found = asked(rerank, run, one, two, more=("--hedge-delay", "5"))
        done.set()
        assert (found.code, found.out) == (0, expected), found.err
        assert re.search(r"; 1 hedged: 0 answers came too late, 0 tokens, 1 still on their way", found.err)


@pytest.mark.parametrize("more", [(), ("--endpoint", "http://127.0.0.1:9")])
def test_there_must_be_somebody_to_hedge_to(rerank: Runner, alone: tuple[Path, bytes], more: tuple[str, ...]):
    found = rerank("rerank", str(alone[0]), "-c", "demo", "--hedge-delay", "1", *more)
    assert found.code == 2 and "rerank: hint: " in found.err and found.out == b""


def test_when_all_are_dead_nothing_is_written(rerank: Runner, alone: tuple[Path, bytes]):
    found = asked(rerank, alone[0], "http://127.0.0.1:9", "http://127.0.0.1:10")
    assert found.code == 1 and "http://127.0.0.1:9, http://127.0.0.1:10: cannot be reached" in found.err


@pytest.mark.parametrize(("status", "hint"), [(401, "--api-key-env"), (404, "--served-model")])
def test_a_server_that_refuses_is_left_out_by_name_and_only_the_last_one_ends_the_run(
    rerank: Runner, alone: tuple[Path, bytes], status: int, hint: str
):
    run, expected = alone
    with tei(refuses=status) as refusing, tei() as well, tei(refuses=status) as too:
        found = asked(rerank, run, refusing, well, more=("--concurrency", "1"))
        assert (found.code, found.out) == (0, expected), found.err
        told = f"rerank: {refusing.url}/rerank answered {status} (Invalid token): it is left out"
        assert found.err.splitlines().count(told) == 1 and found.err.count("left out") == 1
        assert f"rerank: {refusing.url}: 0 answers, 0 tokens, 1 failures\n" in found.err
        found = asked(rerank, run, refusing, too)
        assert (found.code, found.out) == (1, b"") and found.err.count("left out") == 1
        said, hinted = found.err.splitlines()[-2:]
        assert re.fullmatch(rf"rerank: error: http\S+/rerank answered {status} \(Invalid token\)", said)
        assert hint in hinted
        alone_too = asked(rerank, run, too)
        assert alone_too.code == 1 and "left out" not in alone_too.err
        told = r"rerank: the servers answered 0 of \d+ requests, 0 tokens read"
        assert re.search(told, alone_too.err), "what a run that failed has cost is told as well"
