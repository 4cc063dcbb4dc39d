"""The zsh script: `_arguments` specifications, one function a command."""

from __future__ import annotations

from collections.abc import Iterator

from rerank_cli.cli.completion.values import Values, first_sentence, values_of, word_lists
from rerank_cli.cli.spec import CommandSpec, OptionSpec, ProgramSpec

_HEAD = """#compdef rerank
# Completion of rerank for zsh. Written from the program by 'make gen'; edits are lost.

# _rerank_value files|folders|nothing WORD... : words, @LIST for a whole list, and paths.
_rerank_value() {
  local paths=$1 word
  local -a words open
  shift
  for word in "$@"; do
    case $word in
"""

_AFTER_LISTS = """      *) words+=("$word") ;;
    esac
  done
  # A word such as irds: is only a beginning.
  open=(${(M)words:#*:})
  words=(${words:#*:})
  (( $#words )) && compadd -- $words
  (( $#open )) && compadd -S '' -- $open
  case $paths in
    files) _files ;;
    folders) _files -/ ;;
  esac
}
"""

_TAIL = """
_rerank() {
  local context state state_descr line curcontext=$curcontext
  typeset -A opt_args
  _arguments -C \\
%(options)s
    '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands=(
%(commands)s
      )
      _describe -t commands 'rerank command' commands
      ;;
    argument)
      case $words[1] in
%(cases)s
      esac
      ;;
  esac
}

if [[ $funcstack[1] == _rerank ]]; then
  _rerank "$@"
else
  compdef _rerank rerank
fi
"""


def script(program: ProgramSpec) -> str:
    """The script that zsh reads from its `fpath`, or with `source`."""
    lists = "".join(f"      @{name}) words+=({' '.join(words)}) ;;\n" for name, words in word_lists(program).items())
    commands = "\n".join(_command(command) for command in program.commands)
    tail = _TAIL % {
        "options": "\n".join(f"    {spec} \\" for option in program.options for spec in _option(option)),
        "commands": "\n".join(
            f"        {_quoted(_no_colon(c.name) + ':' + first_sentence(c.summary))}" for c in program.commands
        ),
        "cases": "\n".join(f"        {c.name}) {_function(c)} ;;" for c in program.commands),
    }
    return _HEAD + lists + _AFTER_LISTS + commands + tail


def _function(command: CommandSpec) -> str:
    return f"_rerank_{command.name.replace('-', '_')}"


def _command(command: CommandSpec) -> str:
    specs = [spec for option in command.options for spec in _option(option)]
    for number, argument in enumerate(command.arguments, 1):
        place = "*" if argument.repeatable else f"{number}{'' if argument.required else ':'}"
        specs.append(_quoted(f"{place}:{_no_colon(argument.name)}:{_action(values_of(argument))}"))
    body = " \\\n".join(f"    {spec}" for spec in specs)
    return f"\n{_function(command)}() {{\n  _arguments -s -S \\\n{body}\n}}\n"


def _option(option: OptionSpec) -> Iterator[str]:
    names = (*option.names, *option.off)
    alone = "*" if option.repeatable else f"({' '.join(names)})" if len(names) > 1 else ""
    for name in names:
        takes = f":{_no_colon(option.metavar)}:{_action(values_of(option))}" if option.metavar else ""
        joined = ("=" if name.startswith("--") else "+") if option.metavar else ""
        yield _quoted(f"{alone}{name}{joined}[{_bracketed(first_sentence(option.help))}]{takes}")


def _action(values: Values) -> str:
    words = [*values.words, *(f"@{name}" for name in values.lists)]
    # The blank keeps _arguments from putting its own words before ours.
    return f" _rerank_value {' '.join([values.paths, *words])}" if values else " "


def _bracketed(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _no_colon(text: str) -> str:
    return text.replace(":", "\\:")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
