# Completion of rerank for fish. Written from the program by 'make gen'; edits are lost.

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


function __rerank_measures
    printf '%s\n' nDCG@10 nDCG@20 nDCG@100 nDCG AP AP@100 AP@1000 RR RR@10 RR@100 P@1 P@5 P@10 P@20 P@100 R@10 R@20 R@50 R@100 R@1000 Rprec Bpref Success@1 Success@5 Success@10 Judged@10 SetP SetR SetF NumQ NumRel NumRet
end

function __rerank_collections
    printf '%s\n' demo irds:
end

function __rerank_settings
    printf '%s\n' collection model retriever device cache_dir
end

function __rerank_commands
    printf '%s\n' config man completions
end

complete -c rerank -f
complete -c rerank -n '__rerank_in ""' -l version -d 'Print the version and exit'
complete -c rerank -n '__rerank_in ""' -s h -l help -d 'Show this help and exit'
complete -c rerank -n '__rerank_in ""' -a config -d 'Show each setting, its value and where it came from'
complete -c rerank -n '__rerank_in ""' -a man -d 'Show or install the manual'
complete -c rerank -n '__rerank_in ""' -a completions -d 'Print or install a completion script'

complete -c rerank -n '__rerank_in config' -a '(__rerank_settings)'
complete -c rerank -n '__rerank_in config' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in config' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in config' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in config' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in config' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in config' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in config' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in config' -s h -l help -d 'Show this help and exit'

complete -c rerank -n '__rerank_in man' -a '(__rerank_commands)'
complete -c rerank -n '__rerank_in man' -l format -x -a 'auto roff text' -d 'auto: opened with man on a terminal, else roff, as man -l - reads it'
complete -c rerank -n '__rerank_in man' -l install -d 'Write the page, or all pages, where man looks'
complete -c rerank -n '__rerank_in man' -l dir -x -a '(__fish_complete_directories)' -d 'With --install: the folder'
complete -c rerank -n '__rerank_in man' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in man' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in man' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in man' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in man' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in man' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in man' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in man' -s h -l help -d 'Show this help and exit'

complete -c rerank -n '__rerank_in completions' -a 'bash zsh fish'
complete -c rerank -n '__rerank_in completions' -l install -d 'Write the script where the shell looks for it'
complete -c rerank -n '__rerank_in completions' -l dir -x -a '(__fish_complete_directories)' -d 'With --install: the folder'
complete -c rerank -n '__rerank_in completions' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in completions' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in completions' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in completions' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in completions' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in completions' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in completions' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in completions' -s h -l help -d 'Show this help and exit'
