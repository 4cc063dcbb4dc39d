"""`--help`: every command with its whole summary, options under their headings, on stdout."""

from __future__ import annotations

import re

import pytest
from conftest import Runner

from rerank_cli.cli.app import COMMANDS, build_app
from rerank_cli.cli.spec import read_program

PROGRAM = read_program(build_app())


def test_help_lists_the_commands_in_order_each_on_one_line(rerank: Runner) -> None:
    done = rerank("--help", env={"COLUMNS": "80"})
    assert (done.code, done.err) == (0, "")
    listed = re.findall(r"^  ([a-z-]+) +(\S.*)$", done.text.split("Commands:")[1], re.M)
    assert [name for name, _ in listed] == list(COMMANDS.values())
    assert not [summary for _, summary in listed if summary.endswith("...")], "a summary is too long for one line"


def test_rerank_alone_says_how_to_use_it_on_stderr(rerank: Runner) -> None:
    done = rerank()
    assert (done.code, done.out) == (2, b"")
    assert "Commands:" in done.err


@pytest.mark.parametrize("command", PROGRAM.commands, ids=lambda command: command.name)
def test_help_of_a_command_shows_all_its_options(command, rerank: Runner) -> None:  # type: ignore[no-untyped-def]
    shown = rerank(command.name, "--help", env={"COLUMNS": "100"}).text
    assert shown.startswith("Usage: rerank " + command.name)
    for option in command.options:
        assert all(name in shown for name in (*option.names, *option.off))
        assert option.help, f"{option.names} has no help"
    for group in command.groups:
        assert f"{group or 'Options'}:" in shown


def test_defaults_choices_and_bounds_are_told(rerank: Runner) -> None:
    shown = rerank("config", "--help", env={"COLUMNS": "120"}).text
    assert re.search(r"--progress auto\|bar\|plain\|none .*\[default: auto\]", " ".join(shown.split()))
    assert "[N >= 1]" in shown
    assert "[default: 0; N >= 0]" in " ".join(shown.split())
