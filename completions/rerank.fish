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

function __rerank_models
    printf '%s\n' minilm ms-marco-tinybert-l2 ms-marco-minilm-l2 ms-marco-minilm-l4 ms-marco-minilm-l6 ms-marco-minilm-l12 ms-marco-electra-base mmarco-minilm-l12 bge-reranker-base bge-reranker-large bge-reranker-v2-m3 mxbai-rerank-xsmall-v1 mxbai-rerank-base-v1 mxbai-rerank-large-v1 gte-reranker-modernbert granite-reranker monobert monoelectra monot5 monot5-small-10k monot5-small-100k monot5-base-10k monot5-base-100k monot5-large monot5-large-10k monot5-3b monot5-3b-10k monot5-base-med monot5-3b-med inranker-small inranker-base inranker-3b mt5-base-en-msmarco mt5-base-mmarco-v1 mt5-base-mmarco-v2 mt5-base-en-pt-msmarco-v1 mt5-base-en-pt-msmarco-v2 mt5-3b-mmarco-en-pt mt5-13b-mmarco-100k ptt5-base-pt-msmarco-10k-v1 ptt5-base-pt-msmarco-10k-v2 ptt5-base-pt-msmarco-100k-v1 ptt5-base-pt-msmarco-100k-v2 ptt5-base-en-pt-msmarco-10k-v1 ptt5-base-en-pt-msmarco-100k-v2 monoptt5-small monoptt5-base monoptt5-large monoptt5-3b
end

function __rerank_measures
    printf '%s\n' nDCG@10 nDCG@20 nDCG@100 nDCG AP AP@100 AP@1000 RR RR@10 RR@100 P@1 P@5 P@10 P@20 P@100 R@10 R@20 R@50 R@100 R@1000 Rprec Bpref Success@1 Success@5 Success@10 Judged@10 SetP SetR SetF NumQ NumRel NumRet
end

function __rerank_rules
    printf '%s\n' anz average borda bordafuse cc gmnz interleave isr log_isr logn_isr max med min mixed mnz rbc rrf sum w_bordafuse wmnz wsum
end

function __rerank_collections
    printf '%s\n' demo irds:
end

function __rerank_settings
    printf '%s\n' collection model retriever device cache_dir
end

function __rerank_commands
    printf '%s\n' retrieve rerank fuse eval export-onnx models doctor config man completions
end

complete -c rerank -f
complete -c rerank -n '__rerank_in ""' -l version -d 'Print the version and exit'
complete -c rerank -n '__rerank_in ""' -s h -l help -d 'Show this help and exit'
complete -c rerank -n '__rerank_in ""' -a retrieve -d 'Retrieve the best documents of a collection for each topic'
complete -c rerank -n '__rerank_in ""' -a rerank -d 'Rerank the first documents of every query of a run'
complete -c rerank -n '__rerank_in ""' -a fuse -d 'Fuse runs into one'
complete -c rerank -n '__rerank_in ""' -a eval -d 'Evaluate runs against judgements'
complete -c rerank -n '__rerank_in ""' -a export-onnx -d 'Export a model to one checked ONNX graph'
complete -c rerank -n '__rerank_in ""' -a models -d 'List the models that have a name, or show one'
complete -c rerank -n '__rerank_in ""' -a doctor -d 'Show versions, devices, working providers and caches'
complete -c rerank -n '__rerank_in ""' -a config -d 'Show each setting, its value and where it came from'
complete -c rerank -n '__rerank_in ""' -a man -d 'Show or install the manual'
complete -c rerank -n '__rerank_in ""' -a completions -d 'Print or install a completion script'

complete -c rerank -n '__rerank_in retrieve' -s m -l model -r -F -a '(__rerank_models)' -d 'The first stage'
complete -c rerank -n '__rerank_in retrieve' -s k -x -d 'Write at most N documents a query'
complete -c rerank -n '__rerank_in retrieve' -l exclude-self -d 'Leave out the document whose id is the query\'s'
complete -c rerank -n '__rerank_in retrieve' -l index -x -a '(__fish_complete_directories)' -d 'Keep the index in this folder instead of the cache'
complete -c rerank -n '__rerank_in retrieve' -l k1 -x -d 'How slowly repeated terms saturate'
complete -c rerank -n '__rerank_in retrieve' -l b -x -d 'How much long documents lose, from 0 to 1'
complete -c rerank -n '__rerank_in retrieve' -l analyzer -x -d 'english (words, stop words, Porter stems, as Lucene\'s) or whitespace (text analysed before)'
complete -c rerank -n '__rerank_in retrieve' -s c -l collection -x -a '(__rerank_collections) (__fish_complete_directories)' -d 'Texts, topics and judgements: a BEIR folder, irds:ID, a name from rerank.toml, or demo'
complete -c rerank -n '__rerank_in retrieve' -l docs -r -F -d 'Documents (JSONL, TSV, TREC SGML)'
complete -c rerank -n '__rerank_in retrieve' -l topics -r -F -d 'Topics (JSONL, TSV, TREC SGML)'
complete -c rerank -n '__rerank_in retrieve' -l split -x -d 'Which qrels/NAME.tsv of a BEIR folder'
complete -c rerank -n '__rerank_in retrieve' -l all-topics -d 'All topics of a BEIR folder, not only those judged in the split'
complete -c rerank -n '__rerank_in retrieve' -l topic-fields -x -d 'Fields of a topic to use, joined by a blank: title,desc,narr'
complete -c rerank -n '__rerank_in retrieve' -l doc-template -x -d 'What the model sees of a document: {title} and {text} are filled in'
complete -c rerank -n '__rerank_in retrieve' -s o -l output -r -F -d 'Where the result goes'
complete -c rerank -n '__rerank_in retrieve' -l output-format -x -a 'trec msmarco jsonl' -d 'What the written lines look like'
complete -c rerank -n '__rerank_in retrieve' -l tag -x -d 'The run\'s tag, its last column'
complete -c rerank -n '__rerank_in retrieve' -l header -d 'Write provenance as \'# rerank: {json}\' lines before the run'
complete -c rerank -n '__rerank_in retrieve' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in retrieve' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in retrieve' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in retrieve' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in retrieve' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in retrieve' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in retrieve' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in retrieve' -s h -l help -d 'Show this help and exit'

complete -c rerank -n '__rerank_in rerank' -F
complete -c rerank -n '__rerank_in rerank' -s m -l model -r -F -a '(__rerank_models)' -d 'A name from \'rerank models\', a Hugging Face id (ID@REVISION), or a folder'
complete -c rerank -n '__rerank_in rerank' -l method -x -d 'How to use a checkpoint whose configuration does not tell'
complete -c rerank -n '__rerank_in rerank' -l max-length -x -d 'Tokens the model sees'
complete -c rerank -n '__rerank_in rerank' -l trust-remote-code -d 'Let a checkpoint run the code it ships'
complete -c rerank -n '__rerank_in rerank' -s k -l depth -x -d 'Rerank the first DEPTH of each query'
complete -c rerank -n '__rerank_in rerank' -l keep -x -d 'Write at most N documents a query'
complete -c rerank -n '__rerank_in rerank' -l tail -x -a 'keep drop' -d 'Documents below DEPTH: keep them, in their old order, or drop them'
complete -c rerank -n '__rerank_in rerank' -l interpolate -x -d 'Write A x model + (1-A) x first stage, both min-max scaled per query'
complete -c rerank -n '__rerank_in rerank' -l missing -x -a 'error tail drop' -d 'A document without text: stop, put it last, or leave it out'
complete -c rerank -n '__rerank_in rerank' -l exclude-self -d 'Leave out the document whose id is the query\'s'
complete -c rerank -n '__rerank_in rerank' -l require-topics -r -F -d 'Exit 6 when a topic of FILE is not in the run'
complete -c rerank -n '__rerank_in rerank' -s c -l collection -x -a '(__rerank_collections) (__fish_complete_directories)' -d 'Texts, topics and judgements: a BEIR folder, irds:ID, a name from rerank.toml, or demo'
complete -c rerank -n '__rerank_in rerank' -l docs -r -F -d 'Documents (JSONL, TSV, TREC SGML)'
complete -c rerank -n '__rerank_in rerank' -l topics -r -F -d 'Topics (JSONL, TSV, TREC SGML)'
complete -c rerank -n '__rerank_in rerank' -l topic-fields -x -d 'Fields of a topic to use, joined by a blank: title,desc,narr'
complete -c rerank -n '__rerank_in rerank' -l doc-template -x -d 'What the model sees of a document: {title} and {text} are filled in'
complete -c rerank -n '__rerank_in rerank' -l engine -x -a 'auto onnx torch' -d 'What computes the scores'
complete -c rerank -n '__rerank_in rerank' -l device -x -a 'auto cpu cuda' -d 'Where'
complete -c rerank -n '__rerank_in rerank' -l provider -x -a 'auto tensorrt cuda cpu' -d 'ONNX Runtime\'s execution provider'
complete -c rerank -n '__rerank_in rerank' -l batch-tokens -x -d 'Most tokens in a batch, padding included'
complete -c rerank -n '__rerank_in rerank' -l input-format -x -a 'auto trec msmarco top1000 jsonl' -d 'What the input run\'s lines look like'
complete -c rerank -n '__rerank_in rerank' -l lenient -d 'Keep the best of what is doubled or broken in a run instead of stopping'
complete -c rerank -n '__rerank_in rerank' -l unordered -d 'Let a query\'s lines stand apart'
complete -c rerank -n '__rerank_in rerank' -s o -l output -r -F -d 'Where the result goes'
complete -c rerank -n '__rerank_in rerank' -l output-format -x -a 'trec msmarco jsonl' -d 'What the written lines look like'
complete -c rerank -n '__rerank_in rerank' -l tag -x -d 'The run\'s tag, its last column'
complete -c rerank -n '__rerank_in rerank' -l header -d 'Write provenance as \'# rerank: {json}\' lines before the run'
complete -c rerank -n '__rerank_in rerank' -l stats -r -F -d 'Write a JSON line per query: calls, tokens, truncated, seconds, …'
complete -c rerank -n '__rerank_in rerank' -l dry-run -d 'Say what it would cost (pairs, tokens, truncation)'
complete -c rerank -n '__rerank_in rerank' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in rerank' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in rerank' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in rerank' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in rerank' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in rerank' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in rerank' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in rerank' -s h -l help -d 'Show this help and exit'

complete -c rerank -n '__rerank_in fuse' -F
complete -c rerank -n '__rerank_in fuse' -s m -l method -x -a '(__rerank_rules)' -d 'The rule'
complete -c rerank -n '__rerank_in fuse' -l norm -x -a 'none min-max max sum z-score rank borda tmm' -d 'Normalise the scores of each list first'
complete -c rerank -n '__rerank_in fuse' -s w -l weights -x -d 'One weight a run'
complete -c rerank -n '__rerank_in fuse' -l rrf-k -x -d 'The constant of rrf, for all runs or one for each'
complete -c rerank -n '__rerank_in fuse' -s p -l param -x -d 'A parameter of the rule, as phi=0.9'
complete -c rerank -n '__rerank_in fuse' -l floor -x -d 'For --norm tmm: the lowest score a run\'s scorer can give (0 for BM25, -1 for a cosine)'
complete -c rerank -n '__rerank_in fuse' -l depth -x -d 'Read the first N documents of each list'
complete -c rerank -n '__rerank_in fuse' -s k -x -d 'Write at most N documents a query'
complete -c rerank -n '__rerank_in fuse' -l input-format -x -a 'auto trec msmarco top1000 jsonl' -d 'What the input run\'s lines look like'
complete -c rerank -n '__rerank_in fuse' -l lenient -d 'Keep the best of what is doubled or broken in a run instead of stopping'
complete -c rerank -n '__rerank_in fuse' -s o -l output -r -F -d 'Where the result goes'
complete -c rerank -n '__rerank_in fuse' -l output-format -x -a 'trec msmarco jsonl' -d 'What the written lines look like'
complete -c rerank -n '__rerank_in fuse' -l tag -x -d 'The run\'s tag, its last column'
complete -c rerank -n '__rerank_in fuse' -l header -d 'Write provenance as \'# rerank: {json}\' lines before the run'
complete -c rerank -n '__rerank_in fuse' -l list -d 'List the rules: name, what it looks at, formula, a missing document, paper'
complete -c rerank -n '__rerank_in fuse' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in fuse' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in fuse' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in fuse' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in fuse' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in fuse' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in fuse' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in fuse' -s h -l help -d 'Show this help and exit'

complete -c rerank -n '__rerank_in eval' -F
complete -c rerank -n '__rerank_in eval' -s m -l measure -x -a '(__rerank_measures)' -d 'A measure, as nDCG@10, AP(rel=2), ndcg_cut_10 or mrr@10'
complete -c rerank -n '__rerank_in eval' -l rel -x -d 'The least relevant grade, for binary measures that name none'
complete -c rerank -n '__rerank_in eval' -s Q -l qrels -r -F -d 'Judgements: a TREC or BEIR file, or irds:ID'
complete -c rerank -n '__rerank_in eval' -s c -l collection -x -a '(__rerank_collections) (__fish_complete_directories)' -d 'Texts, topics and judgements: a BEIR folder, irds:ID, a name from rerank.toml, or demo'
complete -c rerank -n '__rerank_in eval' -l split -x -d 'Which qrels/NAME.tsv of a BEIR folder'
complete -c rerank -n '__rerank_in eval' -l depth -x -d 'Look at the first N documents of each list only'
complete -c rerank -n '__rerank_in eval' -l per-query -d 'The values of each query too, before `all`'
complete -c rerank -n '__rerank_in eval' -l format -x -a 'auto table trec tsv json csv latex markdown' -d 'How values are written'
complete -c rerank -n '__rerank_in eval' -l digits -x -d 'Decimals'
complete -c rerank -n '__rerank_in eval' -l baseline -r -F -d 'The run that differences and assertions refer to'
complete -c rerank -n '__rerank_in eval' -l assert -x -d 'Exit 6 unless every run satisfies it: \'nDCG@10>=0.30\', \'AP>=baseline-0.005\' (>= > <= < ==)'
complete -c rerank -n '__rerank_in eval' -l input-format -x -a 'auto trec msmarco top1000 jsonl' -d 'What the input run\'s lines look like'
complete -c rerank -n '__rerank_in eval' -l lenient -d 'Keep the best of what is doubled or broken in a run instead of stopping'
complete -c rerank -n '__rerank_in eval' -s o -l output -r -F -d 'Where the result goes'
complete -c rerank -n '__rerank_in eval' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in eval' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in eval' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in eval' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in eval' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in eval' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in eval' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in eval' -s h -l help -d 'Show this help and exit'

complete -c rerank -n '__rerank_in export-onnx' -F -a '(__rerank_models)'
complete -c rerank -n '__rerank_in export-onnx' -s o -l output -x -a '(__fish_complete_directories)' -d 'The folder to write'
complete -c rerank -n '__rerank_in export-onnx' -l precision -x -a 'fp32' -d 'The numbers the graph computes with'
complete -c rerank -n '__rerank_in export-onnx' -l device -x -a 'auto cpu cuda' -d 'Where the graph is compared with PyTorch'
complete -c rerank -n '__rerank_in export-onnx' -l atol -x -d 'Fail when a score differs by more'
complete -c rerank -n '__rerank_in export-onnx' -l method -x -d 'How to use a checkpoint whose configuration does not tell'
complete -c rerank -n '__rerank_in export-onnx' -l max-length -x -d 'The length that scoring with the folder will use'
complete -c rerank -n '__rerank_in export-onnx' -l trust-remote-code -d 'Let a checkpoint run the code it ships'
complete -c rerank -n '__rerank_in export-onnx' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in export-onnx' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in export-onnx' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in export-onnx' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in export-onnx' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in export-onnx' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in export-onnx' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in export-onnx' -s h -l help -d 'Show this help and exit'

complete -c rerank -n '__rerank_in models' -F -a '(__rerank_models)'
complete -c rerank -n '__rerank_in models' -l format -x -a 'auto table tsv json' -d 'How it is written'
complete -c rerank -n '__rerank_in models' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in models' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in models' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in models' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in models' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in models' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in models' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in models' -s h -l help -d 'Show this help and exit'

complete -c rerank -n '__rerank_in doctor' -l progress -x -a 'auto bar plain none' -d 'How progress is shown on stderr'
complete -c rerank -n '__rerank_in doctor' -s q -l quiet -d 'No notices and no progress'
complete -c rerank -n '__rerank_in doctor' -s v -l verbose -d 'Say more about what is done'
complete -c rerank -n '__rerank_in doctor' -l debug -d 'Show the traceback of an error'
complete -c rerank -n '__rerank_in doctor' -l seed -x -d 'Seed of everything random'
complete -c rerank -n '__rerank_in doctor' -l threads -x -d 'Processor threads'
complete -c rerank -n '__rerank_in doctor' -l offline -d 'Download nothing'
complete -c rerank -n '__rerank_in doctor' -s h -l help -d 'Show this help and exit'

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
