"""docs/prompts.md: its prompt is one, its tables name what there is, and what it tells to copy is there."""

import re
from dataclasses import fields
from pathlib import Path

from conftest import ROOT, Runner
from written import rendered

from rerank_cli.methods.words.prompt import PromptFile
from rerank_cli.methods.words.prompt_files import load_prompt
from rerank_cli.methods.words.replies import PARSERS

PAGE = (ROOT / "docs" / "prompts.md").read_text(encoding="utf-8")


def named(heading: str) -> set[str]:
    """What stands in code in the first column of the table below a heading."""
    rows = re.findall(r"^\| (`.*?) \|", PAGE.split(f"## {heading}")[1].split("\n## ")[0], re.M)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_the_prompt_of_the_page_asks_about_every_document(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(re.search(r"```toml\n(.*?)```", PAGE, re.S)[1])
    (message,) = rendered(load_prompt(tmp_path / "mine.toml"), "why?", ["because", "so"]).messages
    assert 'answer "why?" best' in message.content
    assert "[1] because\n[2] so" in message.content and "Name all 2," in message.content


def test_the_tables_name_every_field_and_every_parser() -> None:
    assert named("What a file says") == {one.name for one in fields(PromptFile)} - {"name"} | {"default", "versions"}
    assert named("How a reply is read") == set(PARSERS)


def test_a_models_prompt_file_can_be_copied_and_asked_with(rerank: Runner, tmp_path: Path) -> None:
    for model in ("rankgpt", "setwise"):
        facts = dict(line.split("\t") for line in rerank("models", model).lines)
        (tmp_path / "mine.toml").write_bytes(Path(facts["prompt_file"]).read_bytes())
        assert load_prompt(tmp_path / "mine.toml").parser == load_prompt(model).parser
    assert "prompt_file" not in rerank("models", "minilm").text
