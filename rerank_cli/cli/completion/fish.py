"""The fish script: one `complete` line for every option of every command."""

from __future__ import annotations

from rerank_cli.cli.completion.values import Values, argument_values, first_sentence, values_of, word_lists
from rerank_cli.cli.spec import OptionSpec, ProgramSpec

_HEAD = """# Completion of rerank for fish. Written from the program by 'make gen'; edits are lost.

# True where the command line's first word that is no option is $argv[1] (empty: none yet).
function __rerank_in
    set -l found ''
    for word in (commandline -opc)[2..-1]
        if not string match -q -- '-*' $word
            set found $word
            break
        end
    end
    test "$found" = "$argv[1]"
end

"""


def script(program: ProgramSpec) -> str:
    """The script that fish reads."""
    lines = [
        f"function __rerank_{name}\n    printf '%s\\n' {' '.join(words)}\nend\n" if words else ""
        for name, words in word_lists(program).items()
        if name != "commands"
    ]
    lines.append(f"function __rerank_commands\n    printf '%s\\n' {' '.join(c.name for c in program.commands)}\nend\n")
    lines.append("complete -c rerank -f")
    lines += [_option("", option) for option in program.options]
    lines += [
        f"complete -c rerank -n '__rerank_in \"\"' -a {c.name} -d {_quoted(first_sentence(c.summary))}"
        for c in program.commands
    ]
    for command in program.commands:
        lines.append("")
        values = argument_values(command)
        if values:
            lines.append(f"complete -c rerank -n '__rerank_in {command.name}'{_offer(values, exclusive='')}")
        lines += [_option(command.name, option) for option in command.options]
    return _HEAD + "\n".join(lines) + "\n"


def _option(command: str, option: OptionSpec) -> str:
    where = f"complete -c rerank -n '__rerank_in {command or chr(34) * 2}'"
    names = "".join(
        f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in (*option.names, *option.off)
    )
    takes = (_offer(values_of(option), exclusive=" -x") or " -x") if option.metavar else ""
    return f"{where}{names}{takes} -d {_quoted(first_sentence(option.help))}"


def _offer(values: Values, exclusive: str) -> str:
    """The part of a `complete` line that offers values; `exclusive` is what an option adds where only words will do."""
    words = [*values.words, *(f"(__rerank_{name})" for name in values.lists)]
    if values.folders and not values.files:
        words.append("(__fish_complete_directories)")
    paths = (" -r -F" if exclusive else " -F") if values.files else exclusive if values else ""
    return paths + (f" -a {_quoted(' '.join(words))}" if words else "")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
