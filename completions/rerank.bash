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

    local models='minilm minilm-blend colbertv2 answerai-colbert-small gte-moderncolbert splade-cocondenser splade-v3 ms-marco-tinybert-l2 ms-marco-minilm-l2 ms-marco-minilm-l4 ms-marco-minilm-l6 ms-marco-minilm-l12 ms-marco-electra-base mmarco-minilm-l12 bge-reranker-base bge-reranker-large bge-reranker-v2-m3 mxbai-rerank-xsmall-v1 mxbai-rerank-base-v1 mxbai-rerank-large-v1 gte-reranker-modernbert granite-reranker trecdl22-electra trecdl22-debertav3 camembert-mmarco-fr bce-reranker-base gte-multilingual-reranker jina-reranker-v1-tiny-en jina-reranker-v1-turbo-en jina-reranker-v2 polish-reranker-base-ranknet polish-reranker-base-mse polish-reranker-large-ranknet polish-reranker-large-mse polish-reranker-bge-v2 polish-reranker-roberta-v2 polish-reranker-roberta-v3 ettin-reranker-17m ettin-reranker-32m ettin-reranker-68m ettin-reranker-150m ettin-reranker-400m ettin-reranker-1b monobert monoelectra monobert-finetune-only rankllama rankllama-13b dear-3b-ce dear-3b-ranknet dear-8b-ce dear-8b-ranknet qwen3-reranker-0.6b-seq-cls qwen3-reranker-4b-seq-cls qwen3-reranker-8b-seq-cls mxbai-rerank-base-v2-seq mxbai-rerank-large-v2-seq nemotron-rerank-1b monot5 monot5-small-10k monot5-small-100k monot5-base-10k monot5-base-100k monot5-large monot5-large-10k monot5-3b monot5-3b-10k monot5-base-med monot5-3b-med inranker-small inranker-base inranker-3b mt5-base-en-msmarco mt5-base-mmarco-v1 mt5-base-mmarco-v2 mt5-base-en-pt-msmarco-v1 mt5-base-en-pt-msmarco-v2 mt5-3b-mmarco-en-pt mt5-13b-mmarco-100k ptt5-base-pt-msmarco-10k-v1 ptt5-base-pt-msmarco-10k-v2 ptt5-base-pt-msmarco-100k-v1 ptt5-base-pt-msmarco-100k-v2 ptt5-base-en-pt-msmarco-10k-v1 ptt5-base-en-pt-msmarco-100k-v2 monoptt5-small monoptt5-base monoptt5-large monoptt5-3b qwen3-reranker-0.6b qwen3-reranker-4b qwen3-reranker-8b mxbai-rerank-base-v2 mxbai-rerank-large-v2 bge-reranker-v2-gemma zerank-2 tfrank-0.6b-yes-no rank1-7b-noreason rank1-0.5b rank1-1.5b rank1-3b rank1-7b rank1-14b rank1-32b rank1-mistral-2501-24b rank1-llama3-8b erank-4b erank-14b erank-32b tfrank-0.6b tfrank-1.7b tfrank-4b tfrank-8b twolar-large twolar-xl rankt5 rankt5-large rankt5-3b rankt5-encoder-3b instupr duot5 duot5-base-10k duot5-3b instupr-pairs pairdistill pairdistill-duot5-3b prp prp-flan-t5-large prp-flan-t5-xxl prp-flan-ul2 prp-chat setwise setwise-flan-t5-xl setwise-flan-t5-xxl setwise-chat first first-mistral upr upr-t0 upr-t5-small upr-t5-base upr-t5-large upr-t5-xl upr-flan-t5-xl qlm qlm-xl qlm-xxl doc2query-t5-base doc2query-t5-large rankgpt rankgpt-apeer lrl rank-without-gpt insertrank jointrank ract rankvicuna rankzephyr reasonrank-7b reasonrank-32b rearank-7b rank-k-32b dear-8b-listwise coderanker rank-r1-3b rank-r1-7b rank-r1-14b setwise-sft-3b setwise-sft-7b setwise-sft-14b rank-r1-32b grouprank-7b grouprank-32b tourrank rebel dynamicrag-7b dynamicrag-8b dps minilm-rocchio minilm-knn e2rank-0.6b e2rank-4b e2rank-8b jina-reranker-v3 icr icr-mistral lit5-distill-base lit5-distill-large lit5-distill-xl lit5-distill-base-v2 lit5-distill-large-v2 lit5-distill-xl-v2 listt5 listt5-3b lit5-score-base lit5-score-large lit5-score-xl mvp mvp-3b fit5'
    local measures='nDCG@10 nDCG@20 nDCG@100 nDCG AP AP@100 AP@1000 RR RR@10 RR@100 P@1 P@5 P@10 P@20 P@100 R@10 R@20 R@50 R@100 R@1000 Rprec Bpref Success@1 Success@5 Success@10 Judged@10 SetP SetR SetF NumQ NumRel NumRet'
    local rules='anz average bayesfuse borda bordafuse bradley_terry cc condorcet dowdall elo footrule gmnz interleave isr kemeny log_isr logn_isr mapfuse max mc4 mean_rank med median_rank min mixed mnz newman norm_rrf pagerank posfuse probfuse rank_centrality rbc rrf segfuse slidefuse sum w_bordafuse w_condorcet winrate wmnz wsum'
    local collections='demo irds:'
    local settings='collection model retriever device cache_dir endpoint'
    local strategies='allpairs blocks blocks-latin blocks-random blocks-triangular bubblesort drop groups heapsort neighbourhood sampled single skip-window sliding topdown tour tournament'
    local aggregations='sum sym-sum log-sum sym-log-sum binary min max mean consistent bradley-terry newman greedy pagerank kwiksort win-rate copeland elo rank-centrality'
    local prompts='coderanker@docstring coderanker@issue dear dps dynamicrag erank first@paper first@head grouprank insertrank instupr-pairs jointrank lrl pairdistill prp@chat prp@llama prp@likelihood ract rank-k rank-r1@v0.1 rank-r1@sft rank-r1@v0.2 rank1 rankgpt@paper rankgpt@head rankgpt@apeer rankvicuna@head rankvicuna@paper rankzephyr@head rankzephyr@paper rearank reasonrank@qwen2.5 reasonrank@qwen3 rebel setwise@chat setwise@llama tfrank@no-think tfrank@think tourrank'
    local commands='retrieve rerank select fuse rewrite expand eval diff check merge export-onnx index models bench doctor config cache man completions'

    local words='' paths=nothing
    case $command:$previous in
        retrieve:-m | retrieve:--model) words="$models"; paths=files ;;
        retrieve:-k) : ;;
        retrieve:--filter) : ;;
        retrieve:--index) paths=folders ;;
        retrieve:--k1) : ;;
        retrieve:--b) : ;;
        retrieve:--variant) : ;;
        retrieve:--delta) : ;;
        retrieve:--analyzer) : ;;
        retrieve:--field-weights) : ;;
        retrieve:--field-b) : ;;
        retrieve:--fields-by) words="bm25f sum" ;;
        retrieve:--prf) words="concatenate each windows average rocchio" ;;
        retrieve:--feedback) paths=files ;;
        retrieve:--fb-docs) : ;;
        retrieve:--fb-terms) : ;;
        retrieve:--fb-weight) : ;;
        retrieve:--prf-aggregate) words="mean max borda" ;;
        retrieve:--prf-alpha) : ;;
        retrieve:--prf-beta) : ;;
        retrieve:--fuse) words="$rules" ;;
        retrieve:--norm) words="none min-max min-max-inverted max sum z-score dbsf l2 sigmoid rank borda tmm" ;;
        retrieve:--weights) : ;;
        retrieve:--method) : ;;
        retrieve:--max-length) : ;;
        retrieve:--device) words="auto cpu cuda" ;;
        retrieve:--precision) words="fp32 fp16 bf16 int8 fast" ;;
        retrieve:--batch-tokens) : ;;
        retrieve:--from) : ;;
        retrieve:--engine-fields) : ;;
        retrieve:--engine-id) : ;;
        retrieve:--rank-profile) : ;;
        retrieve:--vector-name) : ;;
        retrieve:--concurrency) : ;;
        retrieve:--timeout) : ;;
        retrieve:--api-key-env) : ;;
        retrieve:--ray) words="local" ;;
        retrieve:--workers) : ;;
        retrieve:--gpus-per-worker) : ;;
        retrieve:-c | retrieve:--collection) words="$collections"; paths=folders ;;
        retrieve:--docs) paths=files ;;
        retrieve:--topics) paths=files ;;
        retrieve:--split) : ;;
        retrieve:--topic-fields) : ;;
        retrieve:--doc-template) : ;;
        retrieve:-o | retrieve:--output) paths=files ;;
        retrieve:--output-format) words="trec msmarco jsonl" ;;
        retrieve:--tag) : ;;
        retrieve:--shard) : ;;
        retrieve:--progress) words="auto bar plain none" ;;
        retrieve:--seed) : ;;
        retrieve:--threads) : ;;
        rerank:-m | rerank:--model) words="$models"; paths=files ;;
        rerank:--method) : ;;
        rerank:--max-length) : ;;
        rerank:--instruction) : ;;
        rerank:-k | rerank:--depth) : ;;
        rerank:--keep) : ;;
        rerank:--tail) words="keep drop" ;;
        rerank:--interpolate) : ;;
        rerank:--missing) words="error tail drop" ;;
        rerank:--passages) : ;;
        rerank:--aggregate) words="max mean first sum" ;;
        rerank:--score-as) words="logit margin logprob prob" ;;
        rerank:--require-topics) paths=files ;;
        rerank:-c | rerank:--collection) words="$collections"; paths=folders ;;
        rerank:--docs) paths=files ;;
        rerank:--topics) paths=files ;;
        rerank:--topic-fields) : ;;
        rerank:--doc-template) : ;;
        rerank:--prompt) words="$prompts"; paths=files ;;
        rerank:--endpoint) : ;;
        rerank:--served-model) : ;;
        rerank:--api) words="auto chat completions rerank score" ;;
        rerank:--concurrency) : ;;
        rerank:--timeout) : ;;
        rerank:--hedge-delay) : ;;
        rerank:--api-key-env) : ;;
        rerank:--max-cost) : ;;
        rerank:--price) : ;;
        rerank:--engine) words="auto onnx torch" ;;
        rerank:--device) words="auto cpu cuda" ;;
        rerank:--provider) words="auto tensorrt cuda cpu" ;;
        rerank:--precision) words="fp32 fp16 bf16 int8 fast" ;;
        rerank:--batch-tokens) : ;;
        rerank:--ray) words="local" ;;
        rerank:--workers) : ;;
        rerank:--gpus-per-worker) : ;;
        rerank:--cache-size) : ;;
        rerank:--input-format) words="auto trec msmarco top1000 jsonl" ;;
        rerank:-o | rerank:--output) paths=files ;;
        rerank:--output-format) words="trec msmarco jsonl" ;;
        rerank:--tag) : ;;
        rerank:--strategy) words="$strategies" ;;
        rerank:--top) : ;;
        rerank:--window) : ;;
        rerank:--step) : ;;
        rerank:--passes) : ;;
        rerank:--fanout) : ;;
        rerank:--pairs) : ;;
        rerank:--winners) : ;;
        rerank:--aggregate-by) words="$aggregations" ;;
        rerank:--orders) words="once both calibrated" ;;
        rerank:--compat) : ;;
        rerank:--max-calls) : ;;
        rerank:--deadline) : ;;
        rerank:--max-repaired) : ;;
        rerank:--stats) paths=files ;;
        rerank:--shard) : ;;
        rerank:--shard-by) words="queries tokens" ;;
        rerank:--progress) words="auto bar plain none" ;;
        rerank:--seed) : ;;
        rerank:--threads) : ;;
        select:--depth) : ;;
        select:--min-score) : ;;
        select:--ratio) : ;;
        select:--margin) : ;;
        select:--near-duplicates) : ;;
        select:--mmr) : ;;
        select:-k) : ;;
        select:-m | select:--model) words="$models"; paths=files ;;
        select:--method) : ;;
        select:--max-length) : ;;
        select:--device) words="auto cpu cuda" ;;
        select:--cache-size) : ;;
        select:-c | select:--collection) words="$collections"; paths=folders ;;
        select:--docs) paths=files ;;
        select:--doc-template) : ;;
        select:--input-format) words="auto trec msmarco top1000 jsonl" ;;
        select:-o | select:--output) paths=files ;;
        select:--output-format) words="trec msmarco jsonl" ;;
        select:--tag) : ;;
        select:--stats) paths=files ;;
        select:--progress) words="auto bar plain none" ;;
        select:--seed) : ;;
        select:--threads) : ;;
        fuse:-m | fuse:--method) words="$rules" ;;
        fuse:--norm) words="none min-max min-max-inverted max sum z-score dbsf l2 sigmoid rank borda tmm" ;;
        fuse:-w | fuse:--weights) : ;;
        fuse:--rrf-k) : ;;
        fuse:-p | fuse:--param) : ;;
        fuse:--floor) : ;;
        fuse:--tune) words="$measures" ;;
        fuse:--folds) : ;;
        fuse:--grid) : ;;
        fuse:--params-out) paths=files ;;
        fuse:--params) paths=files ;;
        fuse:-Q | fuse:--qrels) paths=files ;;
        fuse:-c | fuse:--collection) words="$collections"; paths=folders ;;
        fuse:--split) : ;;
        fuse:--separator) : ;;
        fuse:--depth) : ;;
        fuse:-k) : ;;
        fuse:--input-format) words="auto trec msmarco top1000 jsonl" ;;
        fuse:-o | fuse:--output) paths=files ;;
        fuse:--output-format) words="trec msmarco jsonl" ;;
        fuse:--tag) : ;;
        fuse:--progress) words="auto bar plain none" ;;
        fuse:--seed) : ;;
        fuse:--threads) : ;;
        rewrite:--how) words="rewrite decompose hyde aspects keywords filters" ;;
        rewrite:-n) : ;;
        rewrite:--fields) : ;;
        rewrite:--context) paths=files ;;
        rewrite:--context-depth) : ;;
        rewrite:-m | rewrite:--model) words="$models"; paths=files ;;
        rewrite:--prompt) paths=files ;;
        rewrite:--instruction) : ;;
        rewrite:--endpoint) : ;;
        rewrite:--served-model) : ;;
        rewrite:--api) words="auto chat completions rerank score" ;;
        rewrite:--concurrency) : ;;
        rewrite:--timeout) : ;;
        rewrite:--hedge-delay) : ;;
        rewrite:--api-key-env) : ;;
        rewrite:--max-cost) : ;;
        rewrite:--price) : ;;
        rewrite:--device) words="auto cpu cuda" ;;
        rewrite:--precision) words="fp32 fp16 bf16 int8 fast" ;;
        rewrite:--batch-tokens) : ;;
        rewrite:--cache-size) : ;;
        rewrite:-c | rewrite:--collection) words="$collections"; paths=folders ;;
        rewrite:--docs) paths=files ;;
        rewrite:--split) : ;;
        rewrite:--topic-fields) : ;;
        rewrite:--doc-template) : ;;
        rewrite:--max-calls) : ;;
        rewrite:--max-repaired) : ;;
        rewrite:-o | rewrite:--output) paths=files ;;
        rewrite:--output-format) words="auto tsv jsonl" ;;
        rewrite:--progress) words="auto bar plain none" ;;
        rewrite:--seed) : ;;
        rewrite:--threads) : ;;
        expand:-n) : ;;
        expand:--field) : ;;
        expand:-m | expand:--model) words="$models"; paths=files ;;
        expand:--prompt) paths=files ;;
        expand:--instruction) : ;;
        expand:--endpoint) : ;;
        expand:--served-model) : ;;
        expand:--api) words="auto chat completions rerank score" ;;
        expand:--concurrency) : ;;
        expand:--timeout) : ;;
        expand:--hedge-delay) : ;;
        expand:--api-key-env) : ;;
        expand:--max-cost) : ;;
        expand:--price) : ;;
        expand:--device) words="auto cpu cuda" ;;
        expand:--precision) words="fp32 fp16 bf16 int8 fast" ;;
        expand:--batch-tokens) : ;;
        expand:--cache-size) : ;;
        expand:-c | expand:--collection) words="$collections"; paths=folders ;;
        expand:--docs) paths=files ;;
        expand:--doc-template) : ;;
        expand:--max-calls) : ;;
        expand:--max-repaired) : ;;
        expand:-o | expand:--output) paths=files ;;
        expand:--progress) words="auto bar plain none" ;;
        expand:--seed) : ;;
        expand:--threads) : ;;
        eval:-m | eval:--measure) words="$measures" ;;
        eval:--rel) : ;;
        eval:-Q | eval:--qrels) paths=files ;;
        eval:-c | eval:--collection) words="$collections"; paths=folders ;;
        eval:--split) : ;;
        eval:--depth) : ;;
        eval:--compat) words="trec_eval9" ;;
        eval:--format) words="auto table trec tsv json csv latex markdown" ;;
        eval:--digits) : ;;
        eval:--baseline) paths=files ;;
        eval:--test) words="t wilcoxon randomization tukey" ;;
        eval:--correct) words="holm bonferroni holm-sidak benjamini-hochberg none" ;;
        eval:--alpha) : ;;
        eval:--eps) : ;;
        eval:--plot) paths=files ;;
        eval:--depth-curve) : ;;
        eval:--base) paths=files ;;
        eval:--shape) words="$models"; paths=files ;;
        eval:--stats) paths=files ;;
        eval:--tokens) : ;;
        eval:--calls) : ;;
        eval:--flops) words="exact paper" ;;
        eval:--assert) : ;;
        eval:--input-format) words="auto trec msmarco top1000 jsonl" ;;
        eval:-o | eval:--output) paths=files ;;
        eval:--progress) words="auto bar plain none" ;;
        eval:--seed) : ;;
        eval:--threads) : ;;
        diff:-m | diff:--measure) words="$measures" ;;
        diff:--rel) : ;;
        diff:-Q | diff:--qrels) paths=files ;;
        diff:-c | diff:--collection) words="$collections"; paths=folders ;;
        diff:--split) : ;;
        diff:-k | diff:--depth) : ;;
        diff:--rbo-p) : ;;
        diff:--show) : ;;
        diff:--format) words="text tsv" ;;
        diff:--digits) : ;;
        diff:--input-format) words="auto trec msmarco top1000 jsonl" ;;
        diff:-o | diff:--output) paths=files ;;
        diff:--progress) words="auto bar plain none" ;;
        diff:--seed) : ;;
        diff:--threads) : ;;
        check:-Q | check:--qrels) paths=files ;;
        check:-c | check:--collection) words="$collections"; paths=folders ;;
        check:--docs) paths=files ;;
        check:--topics) paths=files ;;
        check:--split) : ;;
        check:--ignore) : ;;
        check:--format) words="auto text tsv json" ;;
        check:--input-format) words="auto trec msmarco top1000 jsonl" ;;
        check:-o | check:--output) paths=files ;;
        check:--progress) words="auto bar plain none" ;;
        check:--seed) : ;;
        check:--threads) : ;;
        merge:--by-doc) : ;;
        merge:--aggregate) words="max mean first sum" ;;
        merge:--input-format) words="auto trec msmarco top1000 jsonl" ;;
        merge:-o | merge:--output) paths=files ;;
        merge:--output-format) words="trec msmarco jsonl" ;;
        merge:--tag) : ;;
        merge:--progress) words="auto bar plain none" ;;
        merge:--seed) : ;;
        merge:--threads) : ;;
        export-onnx:-o | export-onnx:--output) paths=folders ;;
        export-onnx:--precision) words="fp32 fp16 int8" ;;
        export-onnx:--device) words="auto cpu cuda" ;;
        export-onnx:--atol) : ;;
        export-onnx:--method) : ;;
        export-onnx:--max-length) : ;;
        export-onnx:--progress) words="auto bar plain none" ;;
        export-onnx:--seed) : ;;
        export-onnx:--threads) : ;;
        index:-m | index:--model) words="$models"; paths=files ;;
        index:--index) paths=folders ;;
        index:--analyzer) : ;;
        index:--field-weights) : ;;
        index:--ray) words="local" ;;
        index:--workers) : ;;
        index:--gpus-per-worker) : ;;
        index:-c | index:--collection) words="$collections"; paths=folders ;;
        index:--docs) paths=files ;;
        index:--doc-template) : ;;
        index:--progress) words="auto bar plain none" ;;
        index:--seed) : ;;
        index:--threads) : ;;
        models:--format) words="auto table tsv json" ;;
        models:--progress) words="auto bar plain none" ;;
        models:--seed) : ;;
        models:--threads) : ;;
        bench:--prompt) paths=files ;;
        bench:--pairs) : ;;
        bench:--words) : ;;
        bench:-c | bench:--collection) words="$collections"; paths=folders ;;
        bench:--split) : ;;
        bench:--method) : ;;
        bench:--max-length) : ;;
        bench:--engine) words="auto onnx torch" ;;
        bench:--device) words="auto cpu cuda" ;;
        bench:--provider) words="auto tensorrt cuda cpu" ;;
        bench:--batch-tokens) : ;;
        bench:--progress) words="auto bar plain none" ;;
        bench:--seed) : ;;
        bench:--threads) : ;;
        doctor:--progress) words="auto bar plain none" ;;
        doctor:--seed) : ;;
        doctor:--threads) : ;;
        config:--progress) words="auto bar plain none" ;;
        config:--seed) : ;;
        config:--threads) : ;;
        cache:--older-than) : ;;
        cache:--max-size) : ;;
        cache:--progress) words="auto bar plain none" ;;
        cache:--seed) : ;;
        cache:--threads) : ;;
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
                retrieve)
                    if [[ $cur == -* ]]; then
                        words='-m --model -k --exclude-self --filter --topic-filters --index --k1 --b --variant --delta --exact-lengths --analyzer --field-weights --field-b --fields-by --rm3 --rocchio --prf --feedback --fb-docs --fb-terms --fb-weight --prf-aggregate --prf-alpha --prf-beta --fuse --norm --weights --ann --method --max-length --device --precision --batch-tokens --from --engine-fields --engine-id --rank-profile --vector-name --concurrency --timeout --api-key-env --ray --workers --gpus-per-worker -c --collection --docs --topics --split --all-topics --topic-fields --doc-template -o --output --output-format --tag --header --shard --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        :
                    fi
                    ;;
                rerank)
                    if [[ $cur == -* ]]; then
                        words='-m --model --method --max-length --instruction --trust-remote-code -k --depth --keep --tail --interpolate --missing --passages --aggregate --score-as --exclude-self --require-topics -c --collection --docs --topics --topic-fields --doc-template --prompt --endpoint --served-model --api --concurrency --timeout --hedge-delay --api-key-env --max-cost --price --engine --device --provider --precision --batch-tokens --ray --workers --gpus-per-worker --cache --no-cache --cache-size --input-format --lenient --unordered -o --output --output-format --tag --header --strategy --top --window --step --passes --fanout --pairs --winners --aggregate-by --orders --compat --select --explain --max-calls --deadline --max-repaired --stats --dry-run --shard --shard-by --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                select)
                    if [[ $cur == -* ]]; then
                        words='--depth --min-score --ratio --margin --near-duplicates --mmr -k -m --model --method --max-length --device --cache --no-cache --cache-size -c --collection --docs --doc-template --input-format --lenient --unordered -o --output --output-format --tag --header --stats --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                fuse)
                    if [[ $cur == -* ]]; then
                        words='-m --method --norm -w --weights --rrf-k -p --param --floor --tune --folds --grid --params-out --params -Q --qrels -c --collection --split --by-parent --separator --depth -k --input-format --lenient -o --output --output-format --tag --header --list --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                rewrite)
                    if [[ $cur == -* ]]; then
                        words='--how -n --join --keep-query --fields --context --context-depth -m --model --prompt --instruction --trust-remote-code --endpoint --served-model --api --concurrency --timeout --hedge-delay --api-key-env --max-cost --price --device --precision --batch-tokens --cache --no-cache --cache-size -c --collection --docs --split --all-topics --topic-fields --doc-template --max-calls --max-repaired -o --output --output-format --dry-run --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                expand)
                    if [[ $cur == -* ]]; then
                        words='-n --field -m --model --prompt --instruction --trust-remote-code --endpoint --served-model --api --concurrency --timeout --hedge-delay --api-key-env --max-cost --price --device --precision --batch-tokens --cache --no-cache --cache-size -c --collection --docs --doc-template --max-calls --max-repaired -o --output --dry-run --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                eval)
                    if [[ $cur == -* ]]; then
                        words='-m --measure --rel -Q --qrels -c --collection --split --depth --compat --judged-only --intersection --per-query --format --digits --baseline --compare --test --correct --alpha --eps --plot --depth-curve --base --phantoms --separation --shape --stats --tokens --calls --flops --assert --input-format --lenient -o --output --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                diff)
                    if [[ $cur == -* ]]; then
                        words='-m --measure --rel -Q --qrels -c --collection --split -k --depth --rbo-p --show --documents --format --digits --input-format --lenient -o --output --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                check)
                    if [[ $cur == -* ]]; then
                        words='-Q --qrels -c --collection --docs --topics --split --strict --ignore --format --input-format -o --output --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                merge)
                    if [[ $cur == -* ]]; then
                        words='--by-doc --aggregate --input-format --lenient --unordered -o --output --output-format --tag --header --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=files
                    fi
                    ;;
                export-onnx)
                    if [[ $cur == -* ]]; then
                        words='-o --output --precision --device --atol --force --method --max-length --trust-remote-code --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        words="$models"; paths=files
                    fi
                    ;;
                index)
                    if [[ $cur == -* ]]; then
                        words='--info --check -m --model --index --analyzer --field-weights --ray --workers --gpus-per-worker -c --collection --docs --doc-template --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        paths=folders
                    fi
                    ;;
                models)
                    if [[ $cur == -* ]]; then
                        words='--format --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        words="$models"; paths=files
                    fi
                    ;;
                bench)
                    if [[ $cur == -* ]]; then
                        words='--prompt --pairs --words -c --collection --split --method --max-length --trust-remote-code --engine --device --provider --batch-tokens --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        words="$models"; paths=files
                    fi
                    ;;
                doctor)
                    if [[ $cur == -* ]]; then
                        words='--progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        :
                    fi
                    ;;
                config)
                    if [[ $cur == -* ]]; then
                        words='--progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        words="$settings"
                    fi
                    ;;
                cache)
                    if [[ $cur == -* ]]; then
                        words='--prune --older-than --max-size --progress -q --quiet -v --verbose --debug --seed --threads --offline -h --help'
                    else
                        words="answers bm25 dense impact texts fields onnx hashes tensorrt irds all"
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
