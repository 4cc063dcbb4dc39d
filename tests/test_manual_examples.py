"""Every example of every man page does what it says: run in bash, in order, against the demo collection."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Runner

from rerank_cli.cli.app import build_app
from rerank_cli.cli.manual import EXAMPLES
from rerank_cli.cli.spec import read_program

PAGES = {"rerank": tuple(EXAMPLES)} | {f"rerank-{c.name}": c.examples for c in read_program(build_app()).commands}


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_work(page: str, shell: Runner, tmp_path: Path) -> None:
    """One folder a page: an example may use what one above it has written, as a reader's would."""
    assert PAGES[page], f"{page}(1) has no examples"
    for what, line in PAGES[page]:
        done = shell(line, env={"RERANK_COLLECTION": "demo"})
        assert done.code == 0, f"{what}\n$ {line}\nexit {done.code}\n{done.err}"


@pytest.mark.parametrize("page", PAGES)
def test_examples_ask_only_for_the_model_that_ships(page: str) -> None:
    """A test may download nothing, and a reader's first try should not either."""
    from rerank_cli.cli.completion.values import model_names

    for _, line in PAGES[page]:
        named = set(line.replace("|", " ").split()) & set(model_names())
        assert all(name.startswith("minilm") for name in named), line
