"""`rerank index`: what `rerank retrieve` would build when it needs it, built now; and what an index says of itself."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli import options, ray_options, retrieve_options
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from pathlib import Path


EXAMPLES = [
    ("Build the BM25 index of a collection before anybody searches", "rerank index -c demo"),
    ("In a folder of yours, with another analyzer", "rerank index -c demo --index words.index --analyzer whitespace"),
    ("What is in that folder?", "rerank index words.index --info"),
    ("Is every file of it what was written?", "rerank index words.index --check"),
]


def index(
    terminal: Terminal,
    folder: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The index that --info and --check look at.")
    ] = None,
    info: Annotated[bool, typer.Option("--info", help="Show what the index in DIR is; build nothing.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare every file of the index with its size and its checksum.")
    ] = False,
    model: retrieve_options.Retriever = None,
    place: retrieve_options.IndexFolder = None,
    analyzer: retrieve_options.AnalyzerName = "english",
    field_weights: retrieve_options.FieldWeights = None,
    ray: ray_options.Ray = None,
    workers: ray_options.WorkerCount = None,
    gpus_per_worker: ray_options.GpusPerWorker = None,
    collection: options.Collection = None,
    docs: options.Docs = None,
    doc_template: options.DocTemplate = None,
) -> None:
    """Build the index of a collection now, and say what it is.

    It is the index that rerank retrieve with the same options would build when it needs it, in the cache directory or
    where --index says; with --field-weights, one of fields, which serves any weights. One that is there already is not
    built again. Of a sum (-m bm25+minilm) each is built. With --ray the workers of a cluster count and encode the
    documents, and the index is written here.

    Prints one fact a line, the name and the value separated by a tab: where the index is and the facts of its manifest,
    with its size in bytes and the seconds that it took. --check reads all of it and fails with exit code 3, naming the
    file, when one is not what was written.
    """
    #: Everything that was typed, for who takes a group of it.
    typed = dict(locals())
    from pathlib import Path

    from rerank_cli.cli.crew import cluster_for, crew_of
    from rerank_cli.cli.idle import refuse_for_index
    from rerank_cli.cli.retrievers import Given, Scoring, needs_models, open_retriever, parts_of
    from rerank_cli.cli.settings import Setting, Settings
    from rerank_cli.cli.sources import collection_of, overrides
    from rerank_cli.retrieval.retriever import Indexed

    settings = Settings()
    chosen = settings.resolve("retriever", model, flag_name="-m")
    refuse_for_index(terminal, parts_of(chosen), looked_at=folder)
    if folder is not None:
        if not (info or check):
            raise WrongUsage(f"{folder}: what is to be done with it?", "--info, --check, or --index DIR to build there")
        _show(Path(folder), check, terminal)
        return
    if info:
        raise WrongUsage("--info looks at an index", "name its folder: rerank index DIR --info")
    given = Given(index=place, scoring=Scoring(analyzer=analyzer, field_weights=field_weights))
    given.check(chosen)
    cluster = cluster_for(typed, needs_models(chosen), settings)
    found = collection_of(collection, overrides(docs, doc_template=doc_template), settings, terminal)
    workers_of = nullcontext() if cluster is None else crew_of(cluster, settings, terminal)
    with workers_of as crew:
        for part in parts_of(chosen):
            opened = open_retriever(Setting(part, chosen.origin), found, given, settings, terminal, crew=crew)
            assert isinstance(opened, Indexed)
            _show(opened.folder, check, terminal)


def _show(folder: Path, check: bool, terminal: Terminal) -> None:
    """Print what an index is, verified first where that was asked for."""
    from rerank_cli.core.ids import one_line
    from rerank_cli.retrieval.manifest import CHECKSUMS, FILES, check_files, manifest_of

    manifest = manifest_of(folder)
    files = manifest[FILES]
    if check:
        read = check_files(folder, manifest)
        terminal.note(f"all {len(files)} files are as long as they were written; of {read} the checksum is the same")
    facts = {name: value for name, value in manifest.items() if name not in (FILES, CHECKSUMS)}
    for name, value in {"index": folder, **facts, "size": sum(files.values())}.items():
        for inner, one in value.items() if isinstance(value, dict) else [("", value)]:
            shown = one_line(one) if isinstance(one, str) else one
            line = f"{name}{'.' if inner else ''}{inner}\t{shown}"
            # Paths are bytes: what is not UTF-8 comes out as it is.
            typer.echo(line.encode("utf-8", "surrogateescape"))
