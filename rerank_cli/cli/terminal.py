"""What a command says while it works: notices, warnings and progress, all on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rerank_cli.cli.progress import Progress, progress_for
from rerank_cli.errors import WrongUsage


@dataclass(frozen=True)
class Terminal:
    """The options that every command has, and the voice they give it."""

    progress_style: str = "auto"
    quiet: bool = False
    verbose: bool = False
    seed: int = 0
    threads: int = 1
    offline: bool = False
    #: The options and arguments that stand on the command line: parameter -> how it is spelled.
    typed: Mapping[str, str] = field(default_factory=dict)

    def refuse(self, names: Iterable[str], why: str, hint: str = "leave it out") -> None:
        """Raise `WrongUsage` for the first of the parameters `names` that was typed, whatever its value: it would change nothing."""
        for name in names:
            if name in self.typed:
                raise WrongUsage(f"{self.typed[name]} {why}", hint)

    def note(self, text: str) -> None:
        """Something done that the user may want to know; silent under --quiet."""
        if not self.quiet:
            self._say(text)

    def detail(self, text: str) -> None:
        """Something for --verbose only."""
        if self.verbose:
            self._say(text)

    def warn(self, text: str) -> None:
        """Something that changed the result; --quiet does not hide it."""
        self._say(f"warning: {text}")

    @contextmanager
    def progress(self, total: int | None, unit: str) -> Iterator[Progress]:
        """A bar or a line a minute, as --progress says; `advance(n)` moves it."""
        style = "none" if self.quiet else self.progress_style
        progress = progress_for(style, total, unit)
        try:
            yield progress
        finally:
            progress.close()

    @staticmethod
    def _say(text: str) -> None:
        sys.stderr.write(f"rerank: {text}\n")
        sys.stderr.flush()


def bound_matrix_threads(threads: int, *, asked: bool) -> None:
    """Let the matrix products of numpy, which looks at these variables once when it is imported, use at most so many threads.

    What the user's environment says of them stays, unless a number was `asked` for.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        if "numpy" not in sys.modules and (asked or not {name, "OMP_NUM_THREADS"} & os.environ.keys()):
            os.environ[name] = str(threads)


def tell_nobody() -> None:
    """Keep libraries from telling their makers that they are used (ONNX Runtime does by itself), unless the user's environment lets them."""
    for name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")


def usable_cores() -> int:
    """The cores this process may use: its affinity, cut to the cgroup's CPU quota, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for quota_file, period_file in (
        ("/sys/fs/cgroup/cpu.max", None),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    ):
        try:
            words = Path(quota_file).read_text().split()
            if period_file:
                words.append(Path(period_file).read_text().strip())
            quota, period = words[0], float(words[1])
        except (OSError, IndexError, ValueError):
            continue
        if quota not in ("max", "-1"):
            cores = min(cores, max(1, int(float(quota) / period)))
    return cores
