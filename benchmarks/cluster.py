"""What `rerank --ray local` costs beside the engine of one process, how much memory its driver takes, and what kills change.

`python benchmarks/cluster.py [--pairs 20000] [--turns 2] [--kills 10] [--full] [--data DIR] [PART ...]` with the Python of the
environment; Markdown tables.

- overhead: minilm over distinct texts, by one process and by one worker with the same cores, in turn;
- memory: the driver's peak at 10,000 and 100,000 pairs, with --full 1,000,000, of a few documents that a worker remembers;
- dl19: TREC DL 2019's 43 topics x 100 documents of BM25, by one process and by two nodes of a core: same run, same nDCG@10;
- kills: a node killed at a random moment of 3,600 pairs of short texts, the run compared with that of one process, and what
  the kill cost: pairs of the block that died, those of them that had been kept, and the rest, the most that was scored twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RERANK = [sys.executable, "-P", "-m", "rerank_cli", "rerank"]
DEPTH = 100
_WORDS = [path.stem for path in (ROOT / "rerank_cli").rglob("*.py") if path.stem.isalpha()]


def written(folder: Path, pairs: int, documents: int, longest: int = 120) -> Path:
    """A collection of `documents` texts of up to `longest` random words, and a run of `pairs` pairs over it, 100 a query."""
    chance = random.Random(pairs)
    folder.mkdir()
    with (folder / "corpus.jsonl").open("w") as corpus:
        for number in range(documents):
            text = " ".join(chance.choices(_WORDS, k=chance.randint(longest // 6, longest)))
            corpus.write(json.dumps({"_id": f"d{number}", "title": "", "text": text}) + "\n")
    with (folder / "queries.jsonl").open("w") as topics, (folder / "first.run").open("w") as run:
        for number in range(pairs // DEPTH):
            topics.write(json.dumps({"_id": f"q{number}", "text": " ".join(chance.choices(_WORDS, k=4))}) + "\n")
            for rank in range(DEPTH):
                docid = (number * DEPTH + rank) % documents
                run.write(f"q{number} Q0 d{docid} {rank + 1} {DEPTH - rank} first\n")
    return folder


def command(folder: Path, out: Path, *more: str) -> list[str]:
    own = ["-c", str(folder), "-m", "minilm", "--no-cache", "--progress", "none", "-q", "-o", str(out)]
    return [*RERANK, str(folder / "first.run"), *own, *more]


def seconds_of(line: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(line, env=environment, check=True)
    return time.perf_counter() - began


def same(one: Path, other: Path) -> bool:
    """Whether two runs agree in order, but for scores that are equal to 1e-5."""
    mine, theirs = ([line.split() for line in path.read_text().splitlines()] for path in (one, other))
    scores = [{(row[0], row[2]): float(row[4]) for row in rows} for rows in (mine, theirs)]
    if scores[0].keys() != scores[1].keys() or any(abs(v - scores[1][k]) > 1e-5 for k, v in scores[0].items()):
        return False
    return all(a[2] == b[2] or abs(float(a[4]) - float(b[4])) <= 1e-5 for a, b in zip(mine, theirs))


def overhead(options: argparse.Namespace, folder: Path, environment: dict[str, str]) -> None:
    here, there = folder / "here.run", folder / "there.run"
    print("| pairs | one process, s | --ray local, s | ratio | same run |\n|---|---|---|---|---|")
    for _ in range(options.turns):
        alone = seconds_of(command(folder, here), environment)
        on_ray = seconds_of(command(folder, there, "--ray", "local"), environment)
        print(
            f"| {options.pairs} | {alone:.1f} | {on_ray:.1f} | {on_ray / alone:.3f} | {same(here, there)} |", flush=True
        )


def peak(line: list[str], environment: dict[str, str]) -> float:
    """Megabytes that the process itself held at most; its workers are others."""
    process = subprocess.Popen(line, env=environment)
    most = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max(most, int(status.partition("VmHWM:")[2].split()[0]))
        except (OSError, IndexError):
            pass
        time.sleep(0.2)
    assert process.returncode == 0
    return most / 1024


def memory(options: argparse.Namespace, place: Path, environment: dict[str, str]) -> None:
    """Print a line for each number of pairs."""
    print("\n| pairs | driver's peak, MB |\n|---|---|")
    for pairs in (10_000, 100_000, *([1_000_000] if options.full else [])):
        few = written(place / f"few{pairs}", pairs, 500)
        print(f"| {pairs} | {peak(command(few, place / 'few.run', '--ray', 'local'), environment):.0f} |", flush=True)


@contextmanager
def nodes_of_a_core() -> Iterator[tuple[Any, list[Any], dict[str, Any]]]:
    """A cluster of a head without cores and two nodes of one; yields it, these nodes, and what another one is begun with."""
    import ray
    from ray.cluster_utils import Cluster

    # As urgent as the process that they are compared with.
    os.environ.update(RAY_worker_niceness="0")
    node = {"num_cpus": 1, "object_store_memory": 150 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 0, "include_dashboard": False})
    try:
        yield cluster, [cluster.add_node(**node), cluster.add_node(**node)], node
    finally:
        ray.shutdown()
        cluster.shutdown()


def dl19(options: argparse.Namespace, place: Path, environment: dict[str, str]) -> None:
    if not options.data:
        print(
            "\ndl19 was left out: neither --data nor RERANK_TEST_DATA names the folder of real collections", flush=True
        )
        return
    folder = Path(options.data) / "dl19-passage"
    line = [*RERANK, str(folder / "runs/BM25.trec"), "-c", str(folder), "-m", "minilm", "--device", "cpu", "--no-cache"]
    here, there = place / "here.run", place / "there.run"
    own = ["--progress", "none", "-q", "-o"]
    subprocess.run([*line, "--dry-run"], env=environment, check=True, stdout=subprocess.DEVNULL)
    with nodes_of_a_core() as (cluster, _, _):
        ways = {"one process": (here, ["--threads", "2"]), "two nodes": (there, ["--ray", cluster.address])}
        print("\n| 43 x 100 by | s | nDCG@10 | same run |\n|---|---|---|---|")
        for name, (path, how) in ways.items():
            took = seconds_of([*line, *how, *own, str(path)], environment)
            judge = [*RERANK[:-1], "eval", str(path), "-Q", str(folder / "qrels.trec"), "-m", "nDCG@10", "-q"]
            judged = subprocess.run(judge, env=environment, check=True, capture_output=True, text=True).stdout
            print(f"| {name} | {took:.1f} | {judged.split()[-1]} | {same(here, path)} |", flush=True)


def cost_of(said: str, stats: Path) -> tuple[int, int]:
    """Of a run with one kill: pairs of the blocks that workers died on, and pairs that were found kept."""
    begun = re.findall(r"a worker is gone; put again: (?:query|the (\d+) queries)", said)
    kept = sum(json.loads(line)["cached"] for line in stats.read_text().splitlines()) if stats.exists() else 0
    return sum(int(queries or 1) for queries in begun) * DEPTH, kept


def kills(options: argparse.Namespace, folder: Path, environment: dict[str, str]) -> None:
    """One of two nodes ends at a random moment, and another begins; answers are kept, in a store of the run's own."""
    chance = random.Random(7)
    here, there, stats = (folder / name for name in ("here.run", "there.run", "stats.jsonl"))
    subprocess.run(command(folder, here), env=environment, check=True)

    def begun(number: int, address: str) -> subprocess.Popen[str]:
        cache = folder / f"cache{number}"
        cache.mkdir()
        for path in Path(environment["RERANK_CACHE_DIR"]).iterdir():
            if path.name != "answers":
                (cache / path.name).symlink_to(path)
        line = [*RERANK, str(folder / "first.run"), "-c", str(folder), "-m", "minilm", "--progress", "none"]
        line += ["-o", str(there), "--stats", str(stats), "--ray", address]
        own = {**environment, "RERANK_CACHE_DIR": str(cache)}
        return subprocess.Popen(line, env=own, stderr=subprocess.PIPE, text=True)

    with nodes_of_a_core() as (cluster, nodes, node):
        began = time.perf_counter()
        begun(0, cluster.address).communicate()
        whole = time.perf_counter() - began
        titles = ["exit code", "same run", "pairs put again", "of them kept", "scored twice at most"]
        print(f"\n| node killed after, s (of {whole:.0f}) | {' | '.join(titles)} |\n|{'---|' * 6}")
        for number in range(options.kills):
            stats.unlink(missing_ok=True)
            process = begun(number + 1, cluster.address)
            moment = chance.uniform(0, whole)
            time.sleep(moment)
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
            nodes.append(cluster.add_node(**node))
            said = process.communicate()[1]
            again, kept = cost_of(said, stats)
            equal = process.returncode == 0 and same(here, there)
            print(f"| {moment:.1f} | {process.returncode} | {equal} | {again} | {kept} | {again - kept} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="overhead, memory, dl19, kills; default: all")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--data", default=os.environ.get("RERANK_TEST_DATA"), metavar="DIR", help="real collections")
    parser.add_argument("--full", action="store_true", help="memory at 1,000,000 pairs too")
    options = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        environment["RERANK_CACHE_DIR"] = str(place / "cache")

        def ready(name: str, pairs: int, longest: int = 120) -> Path:
            """A collection of distinct texts; the model is exported, and they are indexed, before anything is measured."""
            folder = written(place / name, pairs, pairs, longest)
            warm = [*command(folder, place / "warm.run"), "--dry-run"]
            subprocess.run(warm, env=environment, check=True, stdout=subprocess.DEVNULL)
            return folder

        wanted = options.parts or ["overhead", "memory", "dl19", "kills"]
        if "overhead" in wanted:
            overhead(options, ready("distinct", options.pairs), environment)
        if "memory" in wanted:
            ready("small", DEPTH)
            memory(options, place, environment)
        if "dl19" in wanted:
            dl19(options, place, environment)
        if "kills" in wanted:
            kills(options, ready("killed", 3_600, 24), environment)


if __name__ == "__main__":
    main()
