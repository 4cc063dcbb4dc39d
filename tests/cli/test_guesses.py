"""Who types the option of another program is told what it is called here, and never sent to a wrong one."""

import pytest

from rerank_cli.cli import guesses
from rerank_cli.cli.app import build_app
from rerank_cli.cli.spec import read_program


@pytest.fixture(scope="module")
def options():
    """Each command's options, by its name."""
    program = read_program(build_app())
    return {c.name.split()[-1]: {name for option in c.options for name in option.names} for c in program.commands}


@pytest.mark.parametrize(
    ("command", "typed", "ours"),
    [
        ("rerank", "--hits", "-k"),
        ("rerank", "--model_name_or_path", "-m"),
        ("rerank", "--alpha", "--interpolate"),
        ("fuse", "--alpha", "--weights"),
        ("retrieve", "--depth", "-k"),
        ("eval", "--cutoff", "--depth"),
        ("eval", "-l", "--rel"),
        ("rerank", "--FP16", "--precision fp16"),
        ("rerank", "--resume", "same command again"),
        ("eval", "--run", "rerank eval RUN"),
    ],
)
def test_a_guess_is_answered_with_what_the_command_has(options, command, typed, ours):
    assert ours in guesses.meant(typed, command, options[command])


def test_every_answer_names_an_option_and_no_guess_is_one_already(options):
    for answer, names in guesses._OPTIONS.items():
        having = [own for own in options.values() if answer.split()[0] in own]
        assert having, f"no command has {answer}"
        for name in names.split():
            assert any(f"--{name}" not in own for own in having), f"--{name} needs no guess for {answer}"


def test_the_hint_stands_in_the_error_and_names_the_commands_help(rerank):
    done = rerank("rerank", "run.trec", "--top-k", "50")
    assert done.code == 2
    assert done.err == (
        "rerank: error: No such option: --top-k\nrerank: hint: here it is -k; see rerank rerank --help\n"
    )
    unknown = rerank("eval", "--frobnicate")
    assert (unknown.code, "see rerank eval --help" in unknown.err) == (2, True)


def test_an_option_without_its_value_points_to_its_commands_help(rerank):
    done = rerank("fuse", "a.run", "b.run", "--tag")
    assert done.code == 2
    assert "see rerank fuse --help" in done.err
