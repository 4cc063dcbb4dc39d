"""The bash script: one function, two `case` tables.

Bash hands the line over split at its own word breaks, which include @ : and =, so `nDCG@10`, `irds:ID`
and `--opt=value` arrive in pieces. The function reads the line itself and gives back only what readline
will replace: the part behind the last break.
"""

from __future__ import annotations

from rerank_cli.cli.completion.values import Values, argument_values, values_of, word_lists
from rerank_cli.cli.spec import CommandSpec, OptionSpec, ProgramSpec

_BEFORE = r"""# Completion of rerank for bash 4.1 or later. Written from the program by 'make gen'; edits are lost.

_rerank() {
    local IFS=$' \t\n'
    local line=${COMP_LINE:0:COMP_POINT}
    local cur=${line##*[[:space:]]}
    local -a typed replies=()
    read -ra typed <<<"${line%"$cur"}"
    COMPREPLY=()

    local previous=${typed[${#typed[@]} - 1]} command='' word
    for word in "${typed[@]:1}"; do
        if [[ $word != -* ]]; then
            command=$word
            break
        fi
    done
    if [[ $cur == --*=* ]]; then
        previous=${cur%%=*}
        cur=${cur#*=}
    fi

"""

_AFTER = r"""
    for word in $words; do
        [[ $word == "$cur"* ]] && replies+=("$word")
    done
    if [[ -z $words && $paths == files ]]; then
        compopt -o default 2>/dev/null # readline completes paths itself, and quotes them
    elif [[ -z $words && $paths == folders ]]; then
        compopt -o dirnames 2>/dev/null
    elif [[ $paths != nothing ]]; then
        local kind=-f found=0
        [[ $paths == folders ]] && kind=-d
        while IFS= read -r word; do
            replies+=("$word")
            found=1
        done < <(compgen $kind -- "$cur")
        ((found)) && compopt -o filenames 2>/dev/null
    fi
    [[ ${#replies[@]} -eq 1 && ${replies[0]} == *: ]] && compopt -o nospace 2>/dev/null

    local breaks=${COMP_WORDBREAKS//[^@:=]/} head=''
    [[ -n $breaks && $cur == *["$breaks"]* ]] && head=${cur%"${cur##*["$breaks"]}"}
    for word in "${replies[@]}"; do
        COMPREPLY+=("${word#"$head"}")
    done
}

complete -F _rerank rerank
"""


def script(program: ProgramSpec) -> str:
    """The script that bash reads."""
    lists = word_lists(program)
    lines = [f"    local {name}={_quoted(' '.join(words))}" for name, words in lists.items() if name != "commands"]
    lines.append(f"    local commands={_quoted(' '.join(lists['commands']))}")
    lines += ["", "    local words='' paths=nothing", "    case $command:$previous in"]
    for command in program.commands:
        for option in command.options:
            if option.metavar:
                lines.append(f"        {_patterns(command, option)}) {_assignments(values_of(option))} ;;")
    lines += ["        *)", "            case $command in"]
    root = " ".join(name for option in program.options for name in option.names)
    lines.append(f'                "") words="$commands"; [[ $cur == -* ]] && words={_quoted(root)} ;;')
    for command in program.commands:
        names = " ".join(name for option in command.options for name in (*option.names, *option.off))
        lines += [
            f"                {command.name})",
            "                    if [[ $cur == -* ]]; then",
            f"                        words={_quoted(names)}",
            "                    else",
            f"                        {_assignments(argument_values(command))}",
            "                    fi",
            "                    ;;",
        ]
    lines += ["            esac", "            ;;", "    esac"]
    return _BEFORE + "\n".join(lines) + "\n" + _AFTER


def _patterns(command: CommandSpec, option: OptionSpec) -> str:
    return " | ".join(f"{command.name}:{name}" for name in option.names)


def _assignments(values: Values) -> str:
    words = [*values.words, *(f"${name}" for name in values.lists)]
    parts = [f'words="{" ".join(words)}"'] if words else []
    parts += [f"paths={values.paths}"] if values.paths != "nothing" else []
    return "; ".join(parts) or ":"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
