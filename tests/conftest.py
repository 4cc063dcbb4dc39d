"""What every test may ask for: the real program in a process of its own, real collections, one cache for the session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

#: The checkout under test: its program is run, not one that happens to be installed.
ROOT = Path(__file__).resolve().parent.parent
#: A test that hangs is a failure with what it had said so far.
TIME_LIMIT_SECONDS = 1800
# A machine that does other things too is slow for once, which is no failure; nor is it when an example takes long to draw. The
# examples are the same each time: `--hypothesis-profile search` draws others.
_PATIENT = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("patient", derandomize=True, **_PATIENT)
hypothesis.settings.register_profile("search", **_PATIENT)
hypothesis.settings.load_profile("patient")


@dataclass(frozen=True)
class Result:
    """What a process left: `out` as bytes (it is data), `err` as text (it is for people), `code` as a shell gives it."""

    out: bytes
    err: str
    code: int

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.out.decode("utf-8", "surrogateescape")

    @property
    def lines(self) -> list[str]:
        """stdout's lines as text."""
        return self.text.splitlines()


Runner = Callable[..., Result]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real collections; tests that ask for it are marked `data`."""
    named = os.environ.get("RERANK_TEST_DATA")
    if not named:
        pytest.skip("RERANK_TEST_DATA is not set: the real collections are not part of the project")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"RERANK_TEST_DATA={named} is not a folder")
    return folder.resolve()


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One RERANK_CACHE_DIR for the whole session: each index and each exported model is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def environment(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who has set nothing, with this checkout's `rerank` first on PATH."""
    home = tmp_path_factory.mktemp("home")
    commands = tmp_path_factory.mktemp("bin")
    launcher = commands / "rerank"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m rerank_cli "$@"\n')
    launcher.chmod(0o755)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RERANK_", "XDG_")) and name not in ("NO_COLOR", "PYTHONPATH", "COLUMNS")
    }
    return kept | {
        "HOME": str(home),
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RERANK_CACHE_DIR": str(cache_dir),
    }


def _finish(command: list[str], stdin: bytes, environment: Mapping[str, str], folder: Path) -> Result:
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        env=dict(environment),
        cwd=folder,
        timeout=TIME_LIMIT_SECONDS,
        check=False,
        # Python ignores SIGPIPE and children inherit that; the tools in a pipe must not.
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    )
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return Result(done.stdout, done.stderr.decode("utf-8", "replace"), code)


@pytest.fixture
def rerank(environment: dict[str, str], tmp_path: Path) -> Runner:
    """`rerank(*arguments, stdin=b"", env={}, cwd=None)` runs the real program in a fresh folder and returns a `Result`."""

    def run(
        *arguments: str | os.PathLike[str],
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        command = [sys.executable, "-P", "-m", "rerank_cli", *map(os.fspath, arguments)]
        return _finish(command, stdin, {**environment, **(env or {})}, cwd or tmp_path)

    return run


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Runner:
    """`shell(line, env={}, cwd=None)` runs a line in bash with `set -o pipefail`; `rerank` is this checkout's."""

    def run(line: str, *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Result:
        command = ["bash", "-c", f"set -o pipefail\n{line}"]
        return _finish(command, b"", {**environment, **(env or {})}, cwd or tmp_path)

    return run
