"""`rerank bench --prompt`: which prompt makes a collection's queries likeliest, given their relevant documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rerank_cli.cli.tables import write_rows
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import Missing, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.core.protocols import Pair
    from rerank_cli.methods import LoadedScorer
    from rerank_cli.methods.likelihood import LikelihoodScorer

#: As many relevant pairs as Co-Prompt's authors take.
PAIRS = 1500


def compare_prompts(
    scorer: LoadedScorer, templates: Mapping[str, str], found: Collection, most: int, terminal: Terminal
) -> None:
    """Print the file of each template with its quality, the best first; `most` pairs at the most, one model call each for every file.

    Raises `WrongUsage` for a model that scores by no likelihood, `Missing` without pairs.
    """
    from rerank_cli.methods.co_prompt import quality
    from rerank_cli.methods.likelihood import LikelihoodScorer

    if not isinstance(scorer, LikelihoodScorer):
        raise WrongUsage(
            f"{scorer.checkpoint} does not score by the likelihood of the query, which is what a prompt is measured by",
            "name a T5 or a causal language model with --method co-prompt, upr or qlm",
        )
    asked = {file: _asked_by(scorer, file, template) for file, template in templates.items()}
    pairs = _relevant(found, most, terminal)
    calls = len(pairs) * len(asked)
    terminal.note(f"{len(pairs)} relevant pairs under {len(asked)} prompts: {calls} model calls")
    done = []
    with terminal.progress(len(asked), "prompts") as progress:
        for file, own in asked.items():
            done.append((file, quality(own, pairs)))
            progress.advance()
    for file, one in done:
        if one.truncated:
            terminal.note(f"{one.truncated} of {len(pairs)} documents were cut under {file} (see --max-length)")
    best_first = sorted(done, key=lambda row: -row[1].value)
    write_rows(("prompt", "quality"), [(file, f"{one.value:.6f}") for file, one in best_first])


def _asked_by(scorer: LikelihoodScorer, file: str, template: str) -> LikelihoodScorer:
    try:
        return scorer.asked_by(template)
    except WrongUsage as error:
        raise WrongUsage(f"--prompt {file}: {error.message}", error.hint) from error


def _relevant(found: Collection, most: int, terminal: Terminal) -> list[Pair]:
    """Relevant pairs of the collection in the order of its judgements; of more than `most`, some drawn by the seed."""
    import numpy as np

    from rerank_cli.core.protocols import Pair
    from rerank_cli.core.texts import rendered

    topics, least = found.topics(), found.rel or 1
    judged = [
        (qid, docid)
        for qid, grades in found.qrels().by_query.items()
        for docid, grade in grades.items()
        if grade >= least and qid in topics
    ]
    if len(judged) > most:
        terminal.note(f"{most} of {len(judged)} relevant pairs are read, drawn by --seed {terminal.seed} (see --pairs)")
        drawn = np.random.default_rng(terminal.seed).choice(len(judged), most, replace=False)
        judged = [judged[at] for at in sorted(drawn.tolist())]
    documents = found.documents().lookup([docid for _, docid in judged])
    pairs = [
        Pair(topics[qid], rendered(document, found.doc_template))
        for (qid, _), document in zip(judged, documents, strict=True)
        if document is not None
    ]
    if absent := len(judged) - len(pairs):
        terminal.warn(f"{absent} relevant documents have no text and were left out")
    if not pairs:
        raise Missing(
            f"{found.description()} has no relevant document of grade {least} or more with its text",
            "--split names other judgements of a BEIR folder, -c another collection",
        )
    return pairs
