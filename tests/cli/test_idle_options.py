"""An option that was typed and could change nothing is refused: for every option of seven commands, where that can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Runner

from rerank_cli.cli.app import build_app
from rerank_cli.cli.main import main
from rerank_cli.cli.spec import read_program

ELASTIC, QDRANT = "--from elastic+http://127.0.0.1:9/x", "--from qdrant+http://127.0.0.1:9/x"
VESPA = "--from vespa+http://127.0.0.1:9"
#: What a command is typed with; what it names is not there, so that nothing ever runs.
BASES = {
    "retrieve": "-c nowhere",
    "select": "nowhere.run",
    "rewrite": "topics.tsv",
    "expand": "documents.jsonl",
    "index": "",
    "fuse": "nowhere.run nowhere-else.run",
    "rerank": "one.run",
}
SERVED = "--served-model m|--api chat|--concurrency 16|--timeout 120|--hedge-delay 1|--api-key-env K|--max-cost 1|--price 1,2"
HERE = "--device cpu|--precision fp32|--batch-tokens 99|--trust-remote-code"
#: Command, options (parted by |), what they are idle with, and what they are not idle with (None: that would take a model or a server).
TABLE = [
    (
        "retrieve",
        "--k1 0.9|--b 0.4|--variant lucene|--exact-lengths|--analyzer english|--field-weights title=1",
        ["-m minilm", "-m impact", ELASTIC],
        ["", "-m bm25+minilm"],
    ),
    ("retrieve", "--delta 1", ["-m minilm", ELASTIC], ["--variant bm25+"]),
    (
        "retrieve",
        "--field-b title=.5|--fields-by bm25f",
        ["", "-m minilm", ELASTIC],
        ["--field-weights title=2,text=1"],
    ),
    ("retrieve", "--fuse rrf|--norm none", ["", "-m minilm", ELASTIC], ["-m bm25+minilm"]),
    ("retrieve", "--weights 1,2", ["", "-m minilm", ELASTIC], ["-m bm25+minilm --fuse wsum"]),
    ("retrieve", "--method bi-encoder|--max-length 99|" + HERE.rpartition("|")[0], ["", ELASTIC], ["-m minilm"]),
    ("retrieve", "--ann", ["", ELASTIC], None),
    ("retrieve", "--engine-fields text|--engine-id x|--concurrency 16|--timeout 120", ["", "-m minilm"], [ELASTIC]),
    ("retrieve", "--api-key-env HOME", [""], [ELASTIC]),
    ("retrieve", "--rank-profile x", ["", ELASTIC], [VESPA]),
    ("retrieve", "--vector-name x", ["", ELASTIC, VESPA], None),
    ("retrieve", "--rm3|--rocchio|--prf each|--filter a=1|--topic-filters|--index x|--docs x", [ELASTIC, QDRANT], [""]),
    ("retrieve", "--feedback x|--fb-docs 10", ["", ELASTIC], None),
    ("retrieve", "--fb-terms 10|--fb-weight .5", ["", "--prf each", ELASTIC], ["--rm3"]),
    ("retrieve", "--prf-aggregate mean", ["", "--prf concatenate"], ["--prf each"]),
    ("retrieve", "--prf-alpha .9|--prf-beta .1", ["", "-m minilm --prf average"], ["-m minilm --prf rocchio"]),
    ("retrieve", "--ray local", [ELASTIC], None),
    *((command, "--workers 2|--gpus-per-worker 0", [""], None) for command in ("retrieve", "index", "rerank")),
    ("rerank", "--shard-by queries", [""], ["--shard 1/2 -m nowhere"]),
    ("rerank", "--ray local", ["--endpoint http://127.0.0.1:9"], None),
    ("retrieve", "--split test|--all-topics", ["--topics t.tsv"], [""]),
    (
        "retrieve",
        "--doc-template {text}",
        ["-m impact", "--field-weights title", ELASTIC],
        ["", "--prf each -m impact"],
    ),
    ("select", "--model minilm|--method bi-encoder|--max-length 99|--device cpu", ["--ratio .5"], ["--mmr .5"]),
    ("select", "--cache|--no-cache", ["--ratio .5"], ["--mmr .5"]),
    ("select", "--cache-size 20G", ["--ratio .5", "--mmr .5 --no-cache"], ["--mmr .5"]),
    ("select", "--docs x|--doc-template {text}", ["--ratio .5", "-k 3"], ["--mmr .5", "--near-duplicates .9"]),
    ("rewrite", "--context-depth 3|--docs x|--doc-template {text}", ["--dry-run"], ["--context nowhere.run"]),
    ("rewrite", "--split test|--all-topics", ["--dry-run", "-c demo --dry-run"], None),
    ("rewrite", "--keep-query", ["--join --dry-run"], ["--dry-run"]),
    ("rewrite", "--fields year|--instruction x", ["--dry-run"], ["--how filters --dry-run"]),
    ("rewrite", "--context nowhere.run", ["--how hyde"], [""]),
    ("rewrite", "--join", ["--how filters"], ["--dry-run"]),
    *(
        row
        for command in ("rewrite", "expand")
        for row in (
            (command, SERVED, ["-m nowhere"], None),
            (command, HERE, ["--endpoint http://127.0.0.1:9"], ["-m nowhere"]),
            (command, "--cache-size 20G", ["-m nowhere --no-cache"], ["-m nowhere"]),
        )
    ),
    ("expand", "--collection demo|--docs x", ["--dry-run"], None),
    ("index", "--analyzer english|--field-weights title", ["-m minilm", "nowhere --info"], ["-c nowhere"]),
    ("index", "--doc-template {text}", ["--field-weights title", "nowhere --check"], ["-c nowhere"]),
    ("index", "--model bm25|--index x|--collection demo|--docs x", ["nowhere --info"], None),
    ("index", "--ray local", ["nowhere --info"], None),
    ("index", "--info", [""], ["nowhere"]),
    ("fuse", "--separator #", ["", "-m rrf"], ["--by-parent"]),
    ("fuse", "--folds 5|--grid k=1|--qrels x|--collection demo", [""], ["--tune AP"]),
    ("fuse", "--split test", ["", "--tune AP --qrels x"], ["--tune AP"]),
    ("fuse", "--rrf-k 60", ["-m isr"], [""]),
    ("fuse", "--floor 1", [""], ["--norm tmm"]),
    ("rerank", SERVED, [""], None),
    (
        "rerank",
        f"{HERE}|--engine auto|--provider auto",
        ["--endpoint http://127.0.0.1:9"],
        ["-m nowhere"],
    ),
    ("rerank", "--cache-size 20G", ["--no-cache"], ["-m nowhere"]),
    ("rerank", "--aggregate max", [""], ["--passages 9 -m nowhere"]),
    ("rerank", "--explain", [""], ["--stats x -m nowhere"]),
]
CASES = [
    pytest.param(command, option, idle, used, id=f"{command} {option}")
    for command, several, idle, used in TABLE
    for option in several.split("|")
]
#: Options that always do something, or whose place only the model or the files can tell (`strategy_options` refuses those).
# fmt: off
FREE = {
    "--check", "--index", "-k", "--exclude-self", "--topics", "--topic-fields", "--output", "--output-format",
    "--tag", "--header", "--from", "--model", "--how", "-n", "--prompt", "--endpoint", "--max-calls",
    "--max-repaired", "--dry-run", "--no-cache", "--cache", "--price", "--stats", "--depth", "--min-score",
    "--ratio", "--margin", "--near-duplicates", "--mmr", "--input-format", "--lenient", "--unordered", "--field",
    "--method", "--norm", "--weights", "--param", "--tune", "--params-out", "--params", "--by-parent", "--list",
    "--max-length", "--instruction", "--keep", "--tail", "--interpolate", "--missing", "--passages", "--score-as",
    "--require-topics", "--strategy", "--top", "--window", "--step", "--passes", "--fanout", "--pairs",
    "--winners", "--aggregate-by", "--orders", "--compat", "--select", "--deadline", "--doc-template", "--docs",
    "--collection", "--shard",
}
# fmt: on


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("ENDPOINT", "MODEL", "RETRIEVER", "COLLECTION"):
        monkeypatch.delenv(f"RERANK_{name}", raising=False)
    Path("topics.tsv").write_text("1\tship\n")
    Path("documents.jsonl").write_text('{"_id": "d", "text": "ship"}\n')
    Path("one.run").write_text("1 Q0 d 1 1.0 t\n")


@pytest.mark.parametrize(("command", "option", "idle", "used"), CASES)
def test_idle_options_are_refused(
    command: str, option: str, idle: list[str], used: list[str] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, *BASES[command].split(), *option.split()]
    for more in idle:
        assert main([*words, *more.split()]) == 2, more
        said = capsys.readouterr()
        assert option.split()[0] in said.err and not said.out, said.err
    for more in used or []:
        code = main([*words, *more.split()])
        assert code != 2, (more, capsys.readouterr().err)
        assert "unexpected" not in capsys.readouterr().err


def test_every_option_is_in_the_table_or_always_does_something() -> None:
    tested = {(command, option.split()[0]) for command, several, _, _ in TABLE for option in several.split("|")}
    commands = {one.name: one for one in read_program(build_app()).commands}
    for name in BASES:
        for option in commands[name].options:
            if option.group != "Options of every command":
                assert any((name, spelled) in tested or spelled in FREE for spelled in option.names), (
                    name,
                    option.names,
                )


def test_a_tag_that_has_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    shorter = ["select", "one.run", "--ratio", ".5", "--tag", "x", "--output-format"]
    assert (main([*shorter, "msmarco"]), main([*shorter, "jsonl"])) == (2, 0)
    assert "--tag has no column" in capsys.readouterr().err


def test_what_a_pipe_names_all_along_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["select", "one.run", "--ratio", ".5", "-c", "nowhere", "-o", "out.run"]) == 0
    assert "-c is not used" in capsys.readouterr().err
    assert main(["rewrite", "topics.tsv", "-c", "demo", "--dry-run"]) == 0
    assert "-c is not used" in capsys.readouterr().err


def test_a_collection_without_splits(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rerank.toml").write_text('[collections.water]\ndocs = "documents.jsonl"\ntopics = "topics.tsv"\n')
    for option in (["--split", "dev"], ["--all-topics"]):
        assert main(["retrieve", "-c", "water", *option]) == 2
        assert "this collection is none" in capsys.readouterr().err


def test_a_run_with_texts_and_a_template_for_none(rerank: Runner, tmp_path: Path) -> None:
    record = {
        "query": {"qid": "1", "text": "ship"},
        "candidates": [{"docid": "d", "score": 1, "doc": {"text": "ship"}}],
    }
    (tmp_path / "texts.jsonl").write_text(json.dumps(record) + "\n")
    done = rerank("rerank", "texts.jsonl", "-m", "minilm", "--doc-template", "{text}")
    assert done.code == 2 and "--doc-template is for a collection" in done.err
