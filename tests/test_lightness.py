"""Light commands stay light: what each loads, seen from inside a fresh process, not by the clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

MODELS = {"torch", "transformers", "sentence_transformers", "onnxruntime", "onnx", "tokenizers", "ray"}
#: What a command that computes nothing has no use for.
COMPUTING = MODELS | {"numpy", "polars", "ir_measures", "pytrec_eval", "rich", "scipy", "pandas", "zstandard"}

_PROBE = """
import json, sys
from rerank_cli.cli.main import main
code = main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump([int(code), sorted({name.split(".")[0] for name in sys.modules})], file)
"""


def loaded(arguments: list[str], folder: Path, environment: dict[str, str]) -> set[str]:
    """Names of the packages in memory when a command is done; the command must succeed."""
    answer = folder / "loaded.json"
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE, str(answer), *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert answer.exists(), done.stderr.decode()
    code, names = json.loads(answer.read_text())
    assert code == 0, done.stderr.decode()
    return set(names)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "a.trec").write_text("1 Q0 d1 1 2.0 a\n1 Q0 d2 2 1.0 a\n")
    (tmp_path / "b.trec").write_text("1 Q0 d2 1 2.0 b\n1 Q0 d3 2 1.0 b\n")
    (tmp_path / "qrels.txt").write_text("1 0 d1 1\n")
    return ["a.trec", "b.trec", "qrels.txt"]


@pytest.mark.parametrize(
    "line",
    [
        "check --help",
        "--help",
        "--version",
        "retrieve --help",
        "rerank --help",
        "fuse --help",
        "eval --help",
        "config",
        "man",
        "models",
    ],
)
def test_what_computes_nothing_loads_nothing(line: str, tmp_path: Path, environment: dict[str, str]) -> None:
    assert not loaded(line.split(), tmp_path, environment) & COMPUTING


def test_fuse_eval_and_check_load_no_model_packages(
    tmp_path: Path, environment: dict[str, str], files: list[str]
) -> None:
    first, second, qrels = files
    assert not loaded(["fuse", first, second, "-o", "fused.trec"], tmp_path, environment) & MODELS
    assert not loaded(["eval", first, "-Q", qrels], tmp_path, environment) & MODELS
    assert not loaded(["check", first, "-Q", qrels], tmp_path, environment) & (MODELS | {"ir_measures", "rich"})


def test_the_probe_sees_what_is_loaded(tmp_path: Path, environment: dict[str, str], files: list[str]) -> None:
    assert "numpy" in loaded(["eval", files[0], "-Q", files[2]], tmp_path, environment)


def test_a_command_reads_the_options_of_no_other(tmp_path: Path, environment: dict[str, str]) -> None:
    code = (
        "import sys\nfrom rerank_cli.cli.main import main\nassert main(['check', '--help']) == 0\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, cwd=tmp_path, capture_output=True, check=True
    )
    read = set(done.stdout.decode().split())
    assert "rerank_cli.cli.check" in read
    assert not read & {f"rerank_cli.cli.{name}" for name in ("rerank", "eval", "retrieve", "rerank_options")}


def test_what_others_asked_for_at_exit_is_done(tmp_path: Path, environment: dict[str, str]) -> None:
    """The program ends without tidying its memory; files that a library writes at exit are whole all the same."""
    code = (
        "import atexit, sys\nfrom pathlib import Path\nfrom rerank_cli.cli.main import main\n"
        "atexit.register(Path('written').write_text, 'x')\nsys.argv = ['rerank', '--version']\nmain()\nPath('after').touch()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"rerank ")
    assert (tmp_path / "written").read_text() == "x" and not (tmp_path / "after").exists()


def test_scoring_by_a_graph_loads_what_it_needs_and_begins_with_the_graph(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "ten.run").write_text("".join(f"q01 Q0 {id} {n} {-n} a\n" for n, id in enumerate(["bm25", "bm25f"])))
    line = ["rerank", "ten.run", "-c", "demo", "-m", "minilm", "--no-cache", "-o", "out.run"]
    loaded(line, tmp_path, environment)  # exported, where no test has done that before
    code = f"import sys\nfrom rerank_cli.cli.main import main\nassert main({line!r}) == 0\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, cwd=tmp_path, capture_output=True, check=True
    )
    names = done.stdout.decode().split()
    assert not {name.split(".")[0] for name in names} & (COMPUTING - {"numpy", "onnxruntime", "tokenizers"})
    assert not {"numpy.ma", "http.client", "sqlite3", "rerank_cli.inference.torch", "rerank_cli.aggregation"} & set(
        names
    )
    # While ONNX Runtime opens the graph the interpreter is free for these.
    begun = names.index("onnxruntime")
    assert all(names.index(f"rerank_cli.{room}") > begun for room in ("pipeline", "collection", "strategies"))


def test_a_start_is_not_held_up_by_searches_for_garbage(
    tmp_path: Path, environment: dict[str, str], files: list[str]
) -> None:
    code = (
        "import atexit, gc, sys\nfrom pathlib import Path\nfrom rerank_cli.cli.main import main\nfound = []\n"
        "gc.callbacks.append(lambda phase, facts: found.append(phase))\n"
        "atexit.register(lambda: Path('searches').write_text(str(len(found))))\n"
        f"sys.argv = ['rerank', 'fuse', '{files[0]}', '{files[1]}']\nmain()"
    )
    subprocess.run([sys.executable, "-P", "-c", code], env=environment, cwd=tmp_path, capture_output=True, check=True)
    assert (tmp_path / "searches").read_text() == "0"


def test_no_heavy_package_comes_in_through_the_checkout(environment: dict[str, str]) -> None:
    """Every module of the package can be imported without loading what takes seconds."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "rerank_cli").rglob("*.py"))
        if path.stem != "__main__"
    ]
    code = f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], env=environment, capture_output=True, check=True)
    roots = {name.split(".")[0] for name in done.stdout.decode().split()}
    assert not roots & (COMPUTING - {"numpy"})
