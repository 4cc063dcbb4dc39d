"""The real program with a model that takes its time and counts what it is asked; run as a script, in a clean process.

`python counted_model.py LOG KILLS rerank-arguments…`: KILLS times the program is started and killed with SIGKILL
at a random moment after a random one of its first batches; then it runs to its end. LOG gets a line per batch: its
number of pairs.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rerank_cli.core.protocols import Answers, Lengths, Pair, Scores, gathered
from rerank_cli.methods.pointwise import Description

BATCH = 16
SECONDS = 0.004
#: Batches after one of which it is killed, and how many more there are at most, however late the killer is.
BEFORE_A_KILL, AFTER_IT = (2, 6), 3
DESCRIPTION = Description(
    name="counted",
    method="counted",
    score="logit",
    max_length=64,
    engine="onnx",
    provider="cpu",
    device="cpu",
    precision="fp32",
    template="",
    source="",
    revision=None,
    model_hash="0",
    batch_tokens=1024,
)


class CountedModel:
    """A complete scorer whose answer is a hash of the pair: slow, the same everywhere, and it says what it was asked."""

    checkpoint = "counted"
    tokenizer = None

    def __init__(
        self,
        log: Path | None = None,
        *,
        batch: int = BATCH,
        seconds: float = 0.0,
        most: float = float("inf"),
        **described: object,
    ) -> None:
        """`most`: batches that it answers; the next one takes for ever."""
        self.description = replace(DESCRIPTION, **described)
        self.asked: list[Pair] = []
        self.measured: list[Pair] = []
        self._log, self._batch, self._seconds, self._left = log, batch, seconds, most

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        self.measured += pairs
        tokens = np.array([len(f"{query} {document}".split()) for query, document in pairs], np.int64)
        return Lengths(tokens, tokens > self.description.max_length)

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        # The longest first, as the real engines do.
        lengths = self.measure(pairs)
        order = np.argsort(-lengths.tokens, kind="stable")
        for start in range(0, len(order), self._batch):
            if not self._left:
                threading.Event().wait()
            self._left -= 1
            at = order[start : start + self._batch]
            time.sleep(self._seconds)
            self.asked += [pairs[i] for i in at]
            if self._log is not None:
                with open(self._log, "a") as log:
                    log.write(f"{len(at)}\n")
            yield Answers(at, self.answers([pairs[i] for i in at]), lengths.tokens[at], lengths.truncated[at], 1)

    def score(self, pairs: Sequence[Pair]) -> Scores:
        return gathered(self.stream(pairs), len(pairs))

    def answers(self, pairs: Sequence[Pair]) -> np.ndarray:
        """What the model says, (n,) float32."""
        hashes = [zlib.crc32(repr((self.description.model_hash, *pair)).encode()) for pair in pairs]
        return (np.array(hashes, np.float64) / 2**31 - 1).astype(np.float32)


def run(log: Path, arguments: Sequence[str], most: float = float("inf")) -> int:
    """The program with a `CountedModel` for whatever -m names, that answers so many batches."""
    from rerank_cli.cli import scorer
    from rerank_cli.cli.main import main

    scorer.open_scorer = lambda *_, **__: CountedModel(log, seconds=SECONDS, most=most)
    return main(list(arguments))


def kill_one(log: Path, arguments: Sequence[str], batches: int, moment: float) -> None:
    """Start the program and kill it `moment` seconds after it has begun so many batches."""
    wanted = len(log.read_text().splitlines()) + batches
    child = os.fork()
    if child == 0:
        os._exit(run(log, arguments, batches + AFTER_IT))
    while len(log.read_text().splitlines()) < wanted:
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "it ended before it could be killed"
        time.sleep(0.001)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    said, kills, *wanted = sys.argv[1:]
    Path(said).touch()
    chance = random.Random(4)
    for _ in range(int(kills)):
        kill_one(Path(said), wanted, chance.randint(*BEFORE_A_KILL), chance.uniform(0, 0.03))
    sys.exit(run(Path(said), wanted))
