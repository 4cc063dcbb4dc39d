"""Which engine an address means: `opensearch+http://HOST:PORT/INDEX`, and so on for the others."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from rerank_cli.errors import WrongUsage

#: Engine -> what stands behind host and port.
SHAPES = {"elastic": "/INDEX", "opensearch": "/INDEX", "vespa": "[/SCHEMA]", "qdrant": "/COLLECTION"}
_FORMS = ", ".join(f"{name}+http://HOST:PORT{shape}" for name, shape in SHAPES.items())
#: Vespa's schema goes into a query, the others' names into a path.
_NAME = {"vespa": re.compile(r"[A-Za-z_]\w*", re.A)}
_IN_A_PATH = re.compile(r"[^/?#\s]+")


class Address(NamedTuple):
    """An engine's kind, the server's `root` (http://HOST:PORT), the path before the index, and what is searched (index, schema, collection), empty where none is named."""

    kind: str
    root: str
    path: str
    target: str


def read_address(text: str) -> Address:
    """Take an address apart; raises `WrongUsage` that shows nothing that may be secret."""
    kind, plus, url = text.partition("+")
    if not plus or kind not in SHAPES or not url.startswith(("http://", "https://")):
        raise WrongUsage("--from names no engine that is known", f"write it as {_FORMS}; https works as well")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise WrongUsage("--from is no address of a server", f"write it as {_FORMS}") from None
    if parts.query or parts.fragment or parts.username is not None:
        raise WrongUsage("--from was given more than host and path", "a key goes into --api-key-env")
    path, _, target = parts.path.rstrip("/").rpartition("/")
    if not target and "[" not in SHAPES[kind]:
        raise WrongUsage(f"--from {text} names no index", f"write it as {kind}+http://HOST:PORT{SHAPES[kind]}")
    if target and not _NAME.get(kind, _IN_A_PATH).fullmatch(target):
        raise WrongUsage(f"--from {text}: {target!r} is no name of a schema", f"write it as {_FORMS}")
    return Address(kind, f"{parts.scheme}://{parts.netloc}", path, target)
