"""What `rerank --ray local` costs beside the engine of one process, how much memory its driver takes, and what kills change.

`python benchmarks/cluster.py [--pairs 20000] [--turns 2] [--kills 10] [--full] [PART ...]` with the Python of the environment; Markdown tables.

- overhead: minilm over distinct texts, by one process and by one worker with the same cores, in turn;
- memory: the driver's peak at 10,000 and 100,000 pairs, with --full 1,000,000, of a few documents that a worker remembers;
- kills: a node killed at a random moment of 2,000 pairs, and the run compared with that of one process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RERANK = [sys.executable, "-P", "-m", "rerank_cli", "rerank"]
DEPTH = 100
_WORDS = [path.stem for path in (ROOT / "rerank_cli").rglob("*.py") if path.stem.isalpha()]


def written(folder: Path, pairs: int, documents: int) -> Path:
    """A collection of `documents` texts of random words, and a run of `pairs` pairs over it, 100 a query."""
    chance = random.Random(pairs)
    folder.mkdir()
    with (folder / "corpus.jsonl").open("w") as corpus:
        for number in range(documents):
            text = " ".join(chance.choices(_WORDS, k=chance.randint(20, 120)))
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


def kills(options: argparse.Namespace, folder: Path, environment: dict[str, str]) -> None:
    """A cluster of a head and two nodes of a core; one of these ends at a random moment, and another begins."""
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 150 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(**node), cluster.add_node(**node)]
    chance = random.Random(7)
    here, there = folder / "here.run", folder / "there.run"
    subprocess.run(command(folder, here), env=environment, check=True)
    line = command(folder, there, "--ray", cluster.address)
    whole = seconds_of(line, environment)
    print(f"\n| node killed after, s (of {whole:.0f}) | exit code | same run |\n|---|---|---|")
    for _ in range(options.kills):
        process = subprocess.Popen(line, env=environment)
        moment = chance.uniform(0, whole)
        time.sleep(moment)
        cluster.remove_node(nodes.pop(0), allow_graceful=False)
        nodes.append(cluster.add_node(**node))
        code = process.wait()
        print(f"| {moment:.1f} | {code} | {code == 0 and same(here, there)} |", flush=True)
    ray.shutdown()
    cluster.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="overhead, memory, kills; default: all")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--full", action="store_true", help="memory at 1,000,000 pairs too")
    options = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        environment.setdefault("RERANK_CACHE_DIR", str(place / "cache"))
        folder = written(place / "distinct", options.pairs, options.pairs)
        # The model is exported, and the texts are indexed, before anything is measured.
        small = written(place / "small", DEPTH, DEPTH)
        for one in (small, folder):
            subprocess.run(
                [*command(one, place / "warm.run"), "--dry-run"], env=environment, check=True, stdout=subprocess.DEVNULL
            )
        wanted = options.parts or ["overhead", "memory", "kills"]
        if "overhead" in wanted:
            overhead(options, folder, environment)
        if "memory" in wanted:
            memory(options, place, environment)
        if "kills" in wanted:
            kills(options, written(place / "killed", 2_000, 2_000), environment)


if __name__ == "__main__":
    main()
