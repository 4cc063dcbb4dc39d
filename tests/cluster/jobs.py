"""What workers of the tests are told to do; a module of its own, so that their processes can import it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rerank_cli.errors import Missing


class Job:
    """Doubles numbers, and does to itself what a block's name says; each block leaves a line in `log`.

    On a block of `dying` its process dies the first time. An answer waits until `among` processes have begun a block, and
    from block 20 on until there is a file `gate`. A process (the only one) that dies waits until `arrived` has a line for
    each block before.
    """

    def __init__(
        self,
        log: Path,
        seconds: float = 0.0,
        opening: str = "",
        dying=(),
        among: int = 1,
        gate: Path | None = None,
        arrived: Path | None = None,
    ) -> None:
        self.log, self.seconds, self.opening = log, seconds, opening
        self.dying, self.among, self.gate, self.arrived = dying, among, gate, arrived

    def __call__(self, place):
        if self.opening == "die":
            os.kill(os.getpid(), 9)
        if self.opening == "missing":
            raise Missing("no such model", "look elsewhere")
        place.note(f"here with {place.cores} cores")

        def answer(block):
            with self.log.open("a") as log:
                log.write(f"{block} {os.getpid()}\n")
            time.sleep(self.seconds)
            if block == "poison" or (
                block in self.dying and sum(one == str(block) for one, _ in log_of(self.log)) == 1
            ):
                before = {one for one, _ in log_of(self.log)} - {str(block)}
                while self.arrived is not None and len(lines_of(self.arrived)) < len(before):
                    time.sleep(0.01)
                os.kill(os.getpid(), 9)
            while self.gate is not None and block >= 20 and not self.gate.exists():
                time.sleep(0.01)
            while len({process for _, process in log_of(self.log)}) < self.among:
                time.sleep(0.01)
            if block == "ill" or (block == "once" and sum(one == block for one, _ in log_of(self.log)) == 1):
                raise ValueError(f"no shape for {block}")
            if block == "missing":
                raise Missing("no text", "name another collection")
            if place.cache is not None:
                place.cache.put([(str(block).encode(), b"kept")])
                assert place.cache.get([str(block).encode(), b"never"]) == [b"kept", None]
            return block * 2

        return answer, "double"


class FileCache:
    """A cache in a folder; says one thing when it is opened."""

    def __init__(self, folder: Path, note) -> None:
        self.folder = folder
        note("the cache is open")

    def get(self, keys):
        paths = [self.folder / key.decode() for key in keys]
        return [path.read_bytes() if path.exists() else None for path in paths]

    def put(self, items):
        for key, value in items:
            (self.folder / key.decode()).write_bytes(value)


def log_of(path: Path) -> list[tuple[str, int]]:
    """(block, process) of every block that was begun."""
    return [(line.split()[0], int(line.split()[1])) for line in lines_of(path)]


def lines_of(path: Path) -> list[str]:
    """The lines of a file, none where there is no file."""
    return path.read_text().splitlines() if path.exists() else []
