"""Which collection a command uses, found once for all of them and said on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData

if TYPE_CHECKING:
    from rerank_cli.collection import Collection, Overrides


def overrides(
    docs: list[str] | None = None,
    topics: str | None = None,
    qrels: str | None = None,
    split: str = "test",
    all_topics: bool = False,
    topic_fields: str = "title",
    doc_template: str | None = None,
) -> Overrides:
    """The collection options as typed, as the record that `collection` takes."""
    from rerank_cli.collection import Overrides

    fields = tuple(field.strip() for field in topic_fields.split(",") if field.strip())
    places = tuple("/dev/stdin" if path == "-" else path for path in docs or ())
    return Overrides(places, topics, qrels, split, all_topics, fields, doc_template)


def collection_of(
    flag: str | None,
    named: Overrides,
    settings: Settings,
    terminal: Terminal,
    *,
    header: dict[str, Any] | None = None,
) -> Collection:
    """Open the collection that a command is to use, and say which.

    A run's header is believed when nothing else is typed, but only for what is already on this machine; a
    collection whose documents are not those of the header's fingerprint is `BadData`.
    """
    from rerank_cli.collection import open_collection

    told = (header or {}).get("collection")
    setting = settings.resolve("collection", flag, flag_name="-c", header=told if isinstance(told, str) else None)
    found = open_collection(
        setting.value,
        named,
        registered={
            name: (toml.tables["collections"][name], toml.path.parent) for name, toml in settings.collections.items()
        },
        cache_dir=settings.cache_dir,
        note=terminal.note,
        offline=terminal.offline or setting.origin == "header",
    )
    terminal.note(f"{found.description()} ({setting.origin})")
    if not found.has_splits:
        terminal.refuse(["split", "all_topics"], "is for a folder in BEIR layout, and this collection is none")
    fingerprint = (header or {}).get("fingerprint")
    if fingerprint is not None and fingerprint != found.fingerprint():
        raise BadData(
            f"the run was made from other documents (fingerprint {fingerprint}) than {found.name} has now ({found.fingerprint()})",
            "name the collection that it was made from with -c, or strip the run's header lines",
            where="header",
        )
    return found


def files_alone(named: Overrides, settings: Settings, terminal: Terminal) -> Collection:
    """What files of documents, topics and judgements say by themselves: no setting and no header has a say."""
    from rerank_cli.collection import open_collection

    return open_collection(
        None, named, registered={}, cache_dir=settings.cache_dir, note=terminal.note, offline=terminal.offline
    )


def texts_of(
    flag: str | None,
    named: Overrides,
    settings: Settings,
    terminal: Terminal,
    *,
    header: dict[str, Any] | None,
    carried: bool,
) -> Collection | None:
    """As `collection_of`, for a run whose texts may be `carried` by it: then only what a flag names is opened."""
    if carried and flag is None and not (named.docs or named.topics):
        return None
    return collection_of(flag, named, settings, terminal, header=header)
