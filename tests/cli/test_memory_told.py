"""What a user is told when a model has no memory for a batch, and when it has none for one pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_models
from scarce_room import room_for

from rerank_cli.cli.main import main

DOCUMENTS = {"short": "bees", "long": "glass rings turn a small flame into a beam " * 3, "other": "copper in a mine"}


@pytest.fixture
def command(tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    tiny_models.bert_like(tmp_path / "bert", "bert", 1)
    rows = [f"q7 Q0 {name} {rank} {9 - rank} x" for rank, name in enumerate(DOCUMENTS, 1)]
    (tmp_path / "one.run").write_text("\n".join(rows) + "\n")
    (tmp_path / "docs.tsv").write_text("".join(f"{name}\t{text}\n" for name, text in DOCUMENTS.items()))
    (tmp_path / "topics.tsv").write_text("q7\tlighthouse\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(tmp_path / "cache"))
    asked = "rerank one.run -m ./bert --engine torch --docs docs.tsv --topics topics.tsv --no-cache --threads 1"

    def run() -> tuple[int, list[str], str]:
        code = main(asked.split())
        said = capfd.readouterr()
        return code, said.out.splitlines(), said.err

    return run


def test_halved_batches_are_told_once_and_counted_at_the_end(command: Any) -> None:
    _, wanted, err = command()
    assert len(wanted) == 3 and "memory" not in err
    with room_for(lambda rows, _: rows < 2):
        code, lines, err = command()
    assert (code, [line.split()[2] for line in lines]) == (0, [line.split()[2] for line in wanted])
    assert err.count("there is no memory for a batch of") == 1
    assert "batches that had no room in memory and were halved: 1 (--batch-tokens" in err


def test_a_pair_without_room_is_named_with_what_to_do(command: Any) -> None:
    with room_for(lambda _, length: length < 20):
        code, lines, err = command()
    assert (code, lines) == (1, [])
    assert "rerank: error: query q7, document long: the model failed on a batch of 1 x " in err
    assert "rerank: hint: a smaller --max-length needs less memory" in err
