"""Runs with their names and their judgements: what `eval` and `diff` begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData

if TYPE_CHECKING:
    from rerank_cli.collection import Collection
    from rerank_cli.core.qrels import Qrels
    from rerank_cli.core.run import Run
    from rerank_cli.evaluation.measures import Evaluation, Judge
    from rerank_cli.formats.runs import RunFile

#: Ends of run files' names that say nothing about the run.
_ENDS = frozenset([".gz", ".bz2", ".xz", ".zst", ".trec", ".run", ".res", ".txt", ".tsv", ".jsonl"])


def open_judged(
    qrels: str | None,
    collection: str | None,
    split: str,
    files: Sequence[RunFile],
    paths: Sequence[str | None],
    terminal: Terminal,
) -> Collection:
    """The collection whose judgements (and, where it has them, texts) go with these runs."""
    from rerank_cli.cli.settings import Settings
    from rerank_cli.cli.sources import collection_of, files_alone, overrides
    from rerank_cli.cli.whole_runs import agreed_header

    settings = Settings()
    named = overrides(qrels=qrels, split=split)
    if qrels is not None and collection is None:
        return files_alone(named, settings, terminal)
    return collection_of(collection, named, settings, terminal, header=agreed_header(files, paths))


def judgements(collection: Collection, qrels: str | None) -> Qrels:
    """The judgements, at least one; raises `BadData` when there is none."""
    judged = collection.qrels()
    if not len(judged):
        raise BadData(
            "there are no judgements in it", "name a file of judgements with -Q", where=qrels or collection.name
        )
    return judged


def say_unreached(measures: Sequence[Any], judged: Qrels, terminal: Terminal) -> None:
    """Warn of measures that count documents from a grade on which no judgement has: they are 0 whatever the run."""
    best = int(judged.grades.max())
    asked = [(measure, measure["rel"]) for measure in measures if "rel" in measure.SUPPORTED_PARAMS]
    # NumRet without a grade counts all.
    for least in sorted({rel for _, rel in asked if isinstance(rel, int) and rel > best}):
        named = ", ".join(str(measure) for measure, rel in asked if rel == least)
        terminal.warn(f"no judgement reaches grade {least} (the highest is {best}): nothing is relevant to {named}")


def of_shared_topics(judged: Qrels, files: Sequence[RunFile], terminal: Terminal) -> Qrels:
    """The judgements of the topics that every run has; says how many others there are, `BadData` when it is all."""
    from rerank_cli.evaluation import selection

    shared = selection.of_shared_topics(judged, [file.run for file in files])
    left_out = len(judged.topics) - len(shared.topics)
    if not len(shared):
        raise BadData(f"none of the {left_out} judged topics is in all runs", "see -Q and -c")
    if left_out:
        terminal.note(f"{left_out} of {len(judged.topics)} judged topics are not in all runs and were left out")
    return shared


def of_judged_documents(run: Run, judge: Judge, name: str, terminal: Terminal) -> Run:
    """The run without documents that nobody judged; says how many of the judged topics' documents they are."""
    from rerank_cli.evaluation import selection

    judged = selection.of_judged_documents(run, judge.judgements)
    rows = int(judge.judgements.find(run).length.sum())
    terminal.note(f"{name}: {rows - len(judged.docids):,} of {rows:,} documents are not judged and were left out")
    return judged


def run_names(paths: Sequence[str | None], files: Sequence[RunFile]) -> list[str]:
    """A name for each run: its file's, or the tag of one from a pipe; made distinct by folder, then by number."""
    plain = [_file_name(path) or file.run.tag for path, file in zip(paths, files, strict=True)]
    names = [
        name if path is None or plain.count(name) == 1 or not _file_name(path) else f"{Path(path).parent.name}/{name}"
        for name, path in zip(plain, paths, strict=True)
    ]
    return [name if names.count(name) == 1 else f"{name}#{n + 1}" for n, name in enumerate(names)]


def _file_name(path: str | None) -> str:
    """The name of a regular file without its known ends, in one line; "" for a pipe."""
    if path is None or path == "-" or not Path(path).is_file():
        return ""
    file = Path(path)
    while file.suffix.lower() in _ENDS:
        file = file.with_suffix("")
    return " ".join(file.name.split())


def evaluated(judge: Judge, run: Run, name: str, path: str, terminal: Terminal) -> Evaluation:
    """Judge one run; topics that it lacks or that nobody judged are said, and `BadData` when no topic is shared."""
    evaluation = judge.evaluate(run, name)
    topics = len(evaluation.topics)
    if len(run) and evaluation.lacking == topics:
        raise BadData(
            f"none of its {len(run)} queries is among the {topics} judged topics",
            "are these the judgements of another collection? See -Q and -c",
            where=path,
        )
    if evaluation.lacking:
        terminal.warn(f"{name}: {evaluation.lacking} of {topics} judged topics are not in the run and count as 0")
    if evaluation.unjudged:
        terminal.note(f"{name}: {evaluation.unjudged} queries of the run are not judged and were left out")
    return evaluation
