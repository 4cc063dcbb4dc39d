"""`--shard I/N` through the real program: the parts of any cut, merged, are the run that one process writes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Result, Runner
from waiting import PATIENCE, give, until

from rerank_cli.cli.main import main

RERANK = ("rerank", "first.run", "-c", "demo", "-m", "minilm", "-q")
HEAPSORT = ("--strategy", "heapsort", "--top", "3", "-k", "8")

Here = Callable[..., None]
Popen = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def first_run(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """BM25's ten best of the first five topics."""
    made = subprocess.run(
        [sys.executable, "-P", "-m", "rerank_cli", "retrieve", "-c", "demo", "-k", "10"],
        env=environment,
        cwd=tmp_path_factory.mktemp("first"),
        capture_output=True,
        check=True,
    ).stdout.splitlines(keepends=True)
    wanted = list(dict.fromkeys(line.split()[0] for line in made))[:5]
    return b"".join(line for line in made if line.split()[0] in wanted)


@pytest.fixture
def here(first_run: bytes, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """`here(*arguments)` runs the program in this process, in a folder with `first.run`; it must succeed."""
    (tmp_path / "first.run").write_bytes(first_run)
    monkeypatch.chdir(tmp_path)
    for name in ("RERANK_CACHE_DIR", "HOME"):
        monkeypatch.setenv(name, environment[name])
    # main() takes the signals over; the test run keeps its own.
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: str) -> None:
        assert main(list(arguments)) == 0

    return run


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("cut", [(), ("--shard-by", "tokens")])
def test_the_merged_parts_are_the_run_of_one_process(here: Here, n: int, cut: tuple[str, ...]) -> None:
    here(*RERANK, "-o", "whole.run")
    for number in range(1, n + 1):
        here(*RERANK, "--shard", f"{number}/{n}", *cut, "-o", f"part.{number}")
        assert Path(f"part.{number}").read_bytes().startswith(b'# rerank: {"stage": "rerank", ')
        assert json.loads(Path(f"part.{number}.json").read_text())["shard"]["number"] == number
    here("merge", "-q", "-o", "merged.run", *(f"part.{number}" for number in range(n, 0, -1)))
    assert Path("merged.run").read_bytes() == Path("whole.run").read_bytes()
    told, whole = (json.loads(Path(name).read_text()) for name in ("merged.run.json", "whole.run.json"))
    assert told.pop("shards") == {"of": n, "by": cut[1] if cut else "queries"}
    assert told == whole


def test_a_strategy_in_parts(here: Here) -> None:
    here(*RERANK, *HEAPSORT, "-o", "whole.run")
    for number in (1, 2):
        here(*RERANK, *HEAPSORT, "--shard", f"{number}/2", "-o", f"part.{number}")
    here("merge", "-q", "part.1", "part.2", "-o", "merged.run")
    assert Path("merged.run").read_bytes() == Path("whole.run").read_bytes()


def test_each_shard_may_read_the_run_from_a_pipe_of_its_own(shell: Runner, tmp_path: Path, first_run: bytes) -> None:
    """Without the answers that others kept, batches of other shapes may differ in the last bits, not in the order."""
    (tmp_path / "first.run").write_bytes(first_run)
    rerank = "rerank rerank -q -c demo -m minilm --no-cache"
    done = shell(
        f"{rerank} first.run -o whole.run; {rerank} first.run --shard 1/2 -o part.1\n"
        f"cat first.run | {rerank} --shard 2/2 | rerank merge -q - part.1"
    )
    assert done.code == 0, done.err
    whole = (tmp_path / "whole.run").read_text().splitlines()
    assert [line.split()[:4] for line in done.lines] == [line.split()[:4] for line in whole]
    for one, other in zip(done.lines, whole, strict=True):
        assert float(one.split()[4]) == pytest.approx(float(other.split()[4]), abs=1e-5)


def test_a_first_stage_in_parts_keeps_the_place_of_topics_without_documents(rerank: Runner, tmp_path: Path) -> None:
    topics = ["lists", "xyzzy", "xyzzy", "rank", "xyzzy", "sort lists", "xyzzy"]
    (tmp_path / "topics.tsv").write_text("".join(f"q{at}\t{text}\n" for at, text in enumerate(topics)))
    command = ("retrieve", "-q", "-c", "demo", "--topics", "topics.tsv")
    whole = rerank(*command).out
    for number in (1, 2, 3):
        done = rerank(*command, "--shard", f"{number}/3", "-o", f"part.{number}")
        assert done.code == 0, done.err
    merged = rerank("merge", "-q", "part.3", "part.1", "part.2")
    assert merged.out == whole
    assert list(dict.fromkeys(line.split()[0] for line in merged.lines)) == ["q0", "q3", "q5"]


def test_parts_whose_topics_or_feedback_differ_are_not_joined(rerank: Runner, tmp_path: Path) -> None:
    """Neither stands in the run that the shards read, and both change what is written."""
    (tmp_path / "two.run").write_text("q01 Q0 bm25 1 2.0 x\nq02 Q0 bm25-b 1 2.0 x\n")
    for name, text in (("one", "stop a process"), ("other", "ships at sea")):
        (tmp_path / f"{name}.tsv").write_text(f"q01\t{text}\nq02\tsort lists\n")
    (tmp_path / "one.run").write_text("q01 Q0 bm25-b 1 2.0 x\n")
    (tmp_path / "other.run").write_text("q01 Q0 bm25 1 2.0 x\n")
    again = ["rerank", "two.run", "-q", "-c", "demo", "-m", "minilm", "--topics"]
    first = ["retrieve", "-q", "-c", "demo", "--topics", "one.tsv", "--rm3", "--feedback"]
    for command, ending, says in ((again, "tsv", "topics_fingerprint"), (first, "run", "feedback_run")):
        for number, name in ((1, "one"), (2, "one"), (2, "other")):
            done = rerank(*command, f"{name}.{ending}", "--shard", f"{number}/2", "-o", f"{name}.{number}")
            assert done.code == 0, done.err
        assert rerank("merge", "one.1", "one.2", "-q").code == 0
        merged = rerank("merge", "one.1", "other.2", "-q", "-o", "merged.run")
        assert merged.code == 3 and f"other.2: {says} is " in merged.err
    assert not (tmp_path / "merged.run").exists()


def test_a_shard_without_queries_is_a_part(rerank: Runner, tmp_path: Path, first_run: bytes) -> None:
    done = rerank("rerank", "-c", "demo", "-m", "minilm", "--shard", "9/9", stdin=first_run)
    assert done.code == 0, done.err
    assert len(done.lines) == 2
    assert all(line.startswith("# rerank: {") for line in done.lines)
    (tmp_path / "part").write_bytes(done.out)
    checked = rerank("check", "part", "--strict", "--ignore", "empty")
    assert checked.code == 0, checked.err


def test_an_empty_run_has_empty_parts(rerank: Runner, tmp_path: Path) -> None:
    for number in (1, 2):
        assert (
            rerank("rerank", "-c", "demo", "-m", "minilm", "--shard", f"{number}/2", "-o", f"part.{number}").code == 0
        )
    merged = rerank("merge", "part.1", "part.2")
    assert (merged.code, merged.out) == (0, b""), merged.err


def estimate(done: Result) -> dict[str, int]:
    assert done.code == 0, done.err
    return {name: int(value) for name, value in (line.split("\t") for line in done.lines)}


def test_a_dry_run_tells_the_cost_of_one_shard(rerank: Runner, tmp_path: Path, first_run: bytes) -> None:
    (tmp_path / "first.run").write_bytes(first_run)
    whole = estimate(rerank(*RERANK, "--no-cache", "--dry-run"))
    shards = [estimate(rerank(*RERANK, "--no-cache", "--dry-run", "--shard", f"{i}/2")) for i in (1, 2)]
    assert [shard["queries"] for shard in shards] == [3, 2]
    assert all(whole[name] == sum(shard[name] for shard in shards) for name in ("pairs", "tokens"))


def test_required_topics_are_looked_for_in_the_whole_run(shell: Runner, tmp_path: Path, first_run: bytes) -> None:
    (tmp_path / "first.run").write_bytes(first_run)
    (tmp_path / "need.tsv").write_text("q01\tx\nq05\tx\n")
    for run in ("first.run", "- < <(cat first.run)"):
        done = shell(f"rerank rerank {run} -q -c demo -m minilm --shard 2/5 --require-topics need.tsv")
        assert done.code == 0, done.err
    (tmp_path / "need.tsv").write_text("q01\tx\nnone\tx\n")
    done = shell("cat first.run | rerank rerank -q -c demo -m minilm --shard 2/5 --require-topics need.tsv")
    assert done.code == 6 and "1 of 2 required topics are not in the run: none" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--shard", "0/4"], "--shard 0/4: I goes from 1 to N"),
        (["--shard", "5/4"], "--shard 5/4: I goes from 1 to N"),
        (["--shard", "/4"], "--shard /4: a shard is I/N"),
        (["--shard-by", "queries"], "--shard was not given"),
        (["--shard", "1/4", "--shard-by", "tokens"], "read only once"),
    ],
)
def test_what_makes_no_sense_is_exit_2(rerank: Runner, arguments: list[str], says: str) -> None:
    done = rerank("rerank", "-c", "demo", *arguments, stdin=b"q01 Q0 sigpipe 1 2.0 t\n")
    assert (done.code, done.out) == (2, b"")
    assert says in done.err


def started(command: list[str], stdin: bytes, folder: Path, environment: dict[str, str], waits_for: str) -> Popen:
    """The program with half of its input, once a file of that name is there and it waits for the rest."""
    whole = [sys.executable, "-P", "-m", "rerank_cli", *command]
    process = subprocess.Popen(whole, cwd=folder, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    give(process, stdin)
    until(lambda: list(folder.glob(waits_for)), process)
    return process


def test_a_killed_shard_leaves_no_part_and_its_rerun_completes_the_run(
    shell: Runner, tmp_path: Path, environment: dict[str, str], first_run: bytes
) -> None:
    (tmp_path / "first.run").write_bytes(first_run)
    command = ["rerank", "-c", "demo", "-m", "minilm", "--shard", "1/2", "-o", "part.1"]
    process = started(command, first_run[:-20], tmp_path, environment, ".part.1.*.part")
    process.kill()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert shell("rerank rerank -q first.run -c demo -m minilm --shard 2/2 -o part.2").code == 0
    lacking = shell("rerank merge part.? -o merged.run")
    assert lacking.code == 3 and "part 1 of 2 missing" in lacking.err
    assert not (tmp_path / "merged.run").exists()
    again = "rerank rerank -q first.run -c demo -m minilm --shard 1/2 -o part.1 && rerank merge -q part.?"
    done = shell(f"{again} | cut -d' ' -f1 | uniq")
    assert done.lines == ["q01", "q02", "q03", "q04", "q05"], done.err


def test_merge_ended_while_it_writes_leaves_the_old_run(
    rerank: Runner, tmp_path: Path, environment: dict[str, str]
) -> None:
    for number in (1, 2):
        done = rerank("retrieve", "-q", "-c", "demo", "--shard", f"{number}/2", "-o", f"part.{number}")
        assert done.code == 0, done.err
    (tmp_path / "merged.run").write_bytes(b"old\n")
    command = ["merge", "part.1", "-", "-o", "merged.run"]
    process = started(command, (tmp_path / "part.2").read_bytes()[:-200], tmp_path, environment, ".merged.run.*.part")
    process.terminate()
    err = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == 143, err
    assert (tmp_path / "merged.run").read_bytes() == b"old\n"
    assert not list(tmp_path.glob(".merged.run.*"))
