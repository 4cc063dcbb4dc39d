# Completion of rerank for bash 4.1 or later. Written from the program by 'make gen'; edits are lost.

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

    local models=''
    local measures='nDCG@10 nDCG@20 nDCG@100 nDCG AP AP@100 AP@1000 RR RR@10 RR@100 P@1 P@5 P@10 P@20 P@100 R@10 R@20 R@50 R@100 R@1000 Rprec Bpref Success@1 Success@5 Success@10 Judged@10 SetP SetR SetF NumQ NumRel NumRet'
    local collections='demo irds:'
    local settings='collection model retriever device cache_dir'
    local commands='config man completions'

    local words='' paths=nothing
    case $command:$previous in
        config:--progress) words="auto bar plain none" ;;
        config:--seed) : ;;
        config:--threads) : ;;
        man:--format) words="auto roff text" ;;
        man:--dir) paths=folders ;;
        man:--progress) words="auto bar plain none" ;;
        man:--seed) : ;;
        man:--threads) : ;;
        completions:--dir) paths=folders ;;
        completions:--progress) words="auto bar plain none" ;;
        completions:--seed) : ;;
        completions:--threads) : ;;
        *)
            case $command in
                "") words="$commands"; [[ $cur == -* ]] && words='--version -h --help' ;;
                config)
                    if [[ $cur == -* ]]; then
                        words='--progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        words="$settings"
                    fi
                    ;;
                man)
                    if [[ $cur == -* ]]; then
                        words='--format --install --dir --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        words="$commands"
                    fi
                    ;;
                completions)
                    if [[ $cur == -* ]]; then
                        words='--install --dir --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        words="bash zsh fish"
                    fi
                    ;;
            esac
            ;;
    esac

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
