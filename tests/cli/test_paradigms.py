"""Every paradigm through the real program: strategies with a real model, words from a server, limits, a kill in the middle."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import Runner
from inference.loopback import Loopback, Reply, chat_reply, models
from waiting import until

from rerank_cli.strategies import strategies

#: Strategies that put the same ten first as scores do, where a model's answers agree with each other.
EXACT = {"allpairs", "bubblesort", "drop", "heapsort", "single", "sliding", "topdown", "tournament"}


@pytest.fixture(scope="module")
def first_stage(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BM25's first 20 documents of the demo's topics."""
    path = tmp_path_factory.mktemp("paradigms") / "bm25.run"
    command = [sys.executable, "-P", "-m", "rerank_cli", "retrieve", "-c", "demo", "-k", "20", "-q", "-o", str(path)]
    subprocess.run(command, env=environment, check=True)
    return path


def order(text: str) -> dict[str, list[str]]:
    """Query -> its documents as they are ranked."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        qid, _, docid, *_ = line.split()
        found.setdefault(qid, []).append(docid)
    return found


def told(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def talker(answer, served: str = "talker"):
    """A chat server: `answer(text of the prompt, its numbers)` says what the model says."""

    def reply(seen):
        if seen.path == "/v1/models":
            return models(served, max_model_len=32768)
        text = "\n".join(message["content"] for message in seen.json["messages"])
        numbers = sorted({int(found) for found in re.findall(r"^\[(\d+)\]", text, re.M)})
        said = answer(text, numbers)
        return said if isinstance(said, Reply) else chat_reply(said)

    return Loopback(reply)


def cost_of(done) -> dict[str, str]:
    assert done.code == 0, done.err
    return dict(line.split("\t") for line in done.lines)


def last_first(text: str, numbers: list[int]) -> str:
    return " > ".join(f"[{number}]" for number in reversed(numbers))


@pytest.fixture(scope="module")
def by_score(first_stage: Path, environment: dict[str, str]) -> dict[str, list[str]]:
    command = [sys.executable, "-P", "-m", "rerank_cli", "rerank", str(first_stage), "-c", "demo", "-m", "minilm", "-q"]
    return order(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("name", sorted(strategies()))
def test_every_strategy_with_minilm(name: str, rerank: Runner, first_stage: Path, by_score, tmp_path: Path) -> None:
    done = rerank("rerank", first_stage, "-c", "demo", "-m", "minilm", "--strategy", name, "--stats", "stats")
    assert done.code == 0, done.err
    found = order(done.text)
    assert {qid: sorted(ids) for qid, ids in found.items()} == {qid: sorted(ids) for qid, ids in by_score.items()}
    if name in EXACT:
        assert {qid: ids[:10] for qid, ids in found.items()} == {qid: ids[:10] for qid, ids in by_score.items()}
    assert all(line["questions"] > 0 and line["told"]["rounds"] > 0 for line in told(tmp_path / "stats"))


def test_a_listwise_model_at_a_server_orders_each_list(rerank: Runner, first_stage: Path, tmp_path: Path) -> None:
    with talker(last_first) as server:
        done = rerank(
            *("rerank", first_stage, "-c", "demo", "-m", "rankgpt", "--endpoint", server.url, "--no-cache"),
            *("-k", "8", "--stats", "stats"),
        )
    assert done.code == 0, done.err
    before = order(first_stage.read_text())
    assert order(done.text) == {qid: ids[:8][::-1] + ids[8:] for qid, ids in before.items()}
    assert [line.split()[4] for line in done.lines[:3]] == ["20.0", "19.0", "18.0"]
    assert sum(line["calls"] for line in told(tmp_path / "stats")) == len(server.posts) == 40
    assert re.search(r"the servers answered 40 requests, 440 tokens read, 120 written", done.err)


def test_replies_that_cannot_be_read_keep_the_order_and_end_in_exit_1(
    rerank: Runner, first_stage: Path, tmp_path: Path
) -> None:
    with talker(lambda text, numbers: "I would rather not say.") as server:
        ask = ("rerank", first_stage, "-c", "demo", "-m", "rankgpt", "--endpoint", server.url, "--no-cache")
        done = rerank(*ask, "-k", "8", "--stats", "stats")
        assert done.code == 1
        assert order(done.text) == order(first_stage.read_text())
        assert "error: 40 of 40 replies had to be mended, more than 50 per cent" in done.err
        assert {line["told"]["repaired"]["wrong_format"] for line in told(tmp_path / "stats")} == {1}
        assert rerank(*ask, "-k", "8", "--max-repaired", "100").code == 0


def test_reasons_are_kept_for_who_asks(rerank: Runner, first_stage: Path, tmp_path: Path) -> None:
    with talker(lambda text, numbers: f"<think>the last is best</think>{last_first(text, numbers)}") as server:
        ask = ("rerank", first_stage, "-c", "demo", "-m", "rankgpt", "--endpoint", server.url, "-k", "4", "--no-cache")
        assert rerank(*ask, "--stats", "stats", "--explain").code == 0
        assert rerank(*ask, "--explain").code == 2
    for line, ids in zip(told(tmp_path / "stats"), order(first_stage.read_text()).values()):
        assert line["told"]["reasons"] == [{"documents": ids[:4], "reason": "the last is best"}]


def test_a_budget_of_money_ends_with_the_best_order_so_far(rerank: Runner, first_stage: Path) -> None:
    with talker(last_first) as server:
        done = rerank(
            *("rerank", first_stage, "-c", "demo", "-m", "rankzephyr", "--endpoint", server.url, "--no-cache"),
            *("--window", "4", "--step", "2", "--concurrency", "2", "--price", "1000,1000", "--max-cost", "0.5"),
        )
    assert done.code == 0, done.err
    assert re.search(r"warning: \d+ lists were stopped by budget, in the best order so far", done.err)
    assert 30 <= len(server.posts) <= 40  # 14 thousandths each
    assert {q: sorted(ids) for q, ids in order(done.text).items()} == {
        q: sorted(ids) for q, ids in order(first_stage.read_text()).items()
    }


def test_the_key_is_nowhere_but_in_the_request(
    rerank: Runner, first_stage: Path, tmp_path: Path, cache_dir: Path
) -> None:
    with talker(last_first) as server:
        done = rerank(
            *(
                "rerank",
                first_stage,
                "-c",
                "demo",
                "-m",
                "rankgpt",
                "--endpoint",
                server.url,
                "-k",
                "3",
                "-v",
                "--header",
            ),
            *("--api-key-env", "MY_KEY", "-o", "out.run", "--stats", "stats"),
            env={"MY_KEY": "sk-very-secret"},
        )
    assert done.code == 0, done.err
    assert all(seen.headers["Authorization"] == "Bearer sk-very-secret" for seen in server.posts)
    written = [path for folder in (tmp_path, cache_dir / "answers") for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 3
    assert not [path for path in written if b"very-secret" in path.read_bytes()]
    assert "very-secret" not in done.err + done.text


def test_a_killed_run_pays_again_only_for_what_was_on_its_way(
    first_stage: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """40 queries x 9 windows, killed in the middle by a server that never answers again; then once more, to the end."""
    enough, again, asks = threading.Event(), threading.Event(), itertools.count()

    def answer(text, numbers):
        if next(asks) >= 150 and not again.is_set():
            enough.set()
            again.wait()
        return last_first(text, numbers)

    with talker(answer) as server:
        command = [sys.executable, "-P", "-m", "rerank_cli", "rerank", str(first_stage), "-c", "demo", "-m", "rankgpt"]
        command += ["--endpoint", server.url, "--window", "4", "--step", "2", "--concurrency", "8", "-o", "out.run"]
        where = {"cwd": tmp_path, "env": environment | {"RERANK_CACHE_DIR": str(tmp_path / "cache")}}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, **where)
        until(enough.is_set, process)
        process.kill()
        process.communicate()
        assert not (tmp_path / "out.run").exists()
        first = len(server.posts)
        again.set()
        done = subprocess.run(command, capture_output=True, text=True, check=True, **where)
        asked = [seen.body for seen in server.posts]
    needed = len(set(asked))
    assert len(asked) - needed <= 8, "what had arrived was asked again"
    assert first - 8 <= int(re.search(r"(\d+) of \d+ questions were answered from the cache", done.stderr)[1])
    assert order((tmp_path / "out.run").read_text()).keys() == order(first_stage.read_text()).keys()


def test_a_model_that_selects_leaves_the_others_out(rerank: Runner, first_stage: Path) -> None:
    with talker(lambda text, numbers: "[3], [1]") as server:
        ask = ("rerank", first_stage, "-c", "demo", "-m", "dynamicrag-8b", "--endpoint", server.url, "-k", "5")
        chosen, whole = rerank(*ask, "--select"), rerank(*ask)
    assert (chosen.code, whole.code) == (0, 0), chosen.err + whole.err
    before = order(first_stage.read_text())
    assert order(chosen.text) == {qid: [ids[2], ids[0]] for qid, ids in before.items() if len(ids) > 2}
    assert order(whole.text) == {qid: [ids[2], ids[0], ids[1], *ids[3:]] for qid, ids in before.items()}


def test_a_prompt_without_a_checkpoint_says_what_to_do(rerank: Runner, first_stage: Path) -> None:
    done = rerank("rerank", first_stage, "-c", "demo", "-m", "rankgpt")
    assert done.code == 4
    assert "rankgpt is a prompt, and no checkpoint goes with it" in done.err
    assert "--endpoint" in done.err


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--strategy", "slidding"], "there is no strategy 'slidding'"),
        (["--strategy", "allpairs", "--aggregate-by", "bord"], "there is no aggregation rule 'bord'"),
        (["--strategy", "sliding", "--explain"], "--stats"),
    ],
)
def test_a_slip_of_the_pen_is_told_before_a_model_is_opened(
    wrong: list[str], says: str, rerank: Runner, first_stage: Path
) -> None:
    done = rerank("rerank", first_stage, "-c", "demo", "-m", "minilm", *wrong)
    assert done.code == 2
    assert says in done.err
    assert done.err.startswith("rerank: error: ")


def test_the_cost_of_a_strategy_is_told_before(rerank: Runner, first_stage: Path) -> None:
    done = rerank(
        "rerank",
        first_stage,
        "-c",
        "demo",
        "-m",
        "minilm",
        "--strategy",
        "sliding",
        "--window",
        "8",
        "--step",
        "4",
        "--dry-run",
    )
    assert done.code == 0, done.err
    cost = dict(line.split("\t") for line in done.lines)
    lengths = [len(ids) for ids in order(first_stage.read_text()).values()]
    assert int(cost["calls"]) == int(cost["calls_at_most"]) == sum(1 + -(-max(n - 8, 0) // 4) for n in lengths)
    assert cost["strategy"] == "sliding"


def test_what_servers_would_be_paid_is_told_before(rerank: Runner, first_stage: Path) -> None:
    with talker(last_first) as server:
        said = ("rerank", first_stage, "-c", "demo", "-m", "rankgpt", "--endpoint", server.url, "--dry-run")
        cost = dict(line.split("\t") for line in rerank(*said, "--price", "150,600").lines)
        assert float(cost["cost_read"]) == pytest.approx(int(cost["tokens"]) * 150 / 1e6, rel=1e-5)
        assert "cost_read" not in rerank(*said).text
        assert not server.posts


@pytest.mark.parametrize("model", ["rankgpt", "minilm-blend"])
def test_what_is_paid_for_already_is_told_before(model: str, rerank: Runner, first_stage: Path, tmp_path: Path) -> None:
    few = [line for line in first_stage.read_text().splitlines(True) if line.split()[0] in ("q01", "q02", "q03")]
    (tmp_path / "few.run").write_text("".join(few))
    with talker(last_first) as server:
        at = ["--endpoint", server.url] if model == "rankgpt" else []
        said = ["rerank", "few.run", "-c", "demo", "-m", model, *at, "--strategy", "single", "-k", "4"]
        assert rerank(*said).code == 0
        cost = cost_of(rerank(*said, "--dry-run"))
        assert int(cost["cached"]) == int(cost["calls"]) == 3


def test_who_names_the_served_model_with_m_is_told_of_the_other_option(rerank: Runner, first_stage: Path) -> None:
    done = rerank("rerank", first_stage, "-c", "demo", "-m", "gpt-4o", "--endpoint", "http://127.0.0.1:9")
    assert done.code == 4
    assert "--served-model" in done.err
