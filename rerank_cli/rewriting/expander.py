"""Documents in, the same documents with the queries that they may be found by.

doc2query-T5 was trained to write such queries and reads nothing but the document; any other model is asked for them in
words. A document without any answer stays as it is, and is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rerank_cli.core.ids import shown
from rerank_cli.core.texts import Document, rendered
from rerank_cli.inference.writing import Writer
from rerank_cli.rewriting.asking import in_order
from rerank_cli.rewriting.rewriter import Asking

#: The prompt of a T5 that was trained for it, and how many queries of each are appended; the prompt of any other model.
TRAINED, ASKED = ("doc2query", 40), ("queries", 10)


class Expanded(NamedTuple):
    """A document, the other fields of its record, and its queries."""

    document: Document
    fields: Mapping[str, Any]
    queries: list[str]

    def record(self, field: str | None) -> dict[str, Any]:
        """The document as a record: its queries after the text, or in `field`; an id that is not UTF-8 keeps its bytes as surrogates."""
        document, said = self.document, " ".join(self.queries)
        text = document.text if field is not None else f"{document.text} {said}".rstrip() if said else document.text
        known = {"_id": document.docid.decode("utf-8", "surrogateescape"), "title": document.title, "text": text}
        return {**known, **self.fields, **({} if field is None else {field: said})}


def expanded(
    documents: Iterable[tuple[Document, Mapping[str, Any]]], writer: Writer, how: Asking, template: str
) -> Iterator[Expanded]:
    """Each document with its queries, in order, as soon as it and all before it are answered; `how.replies` calls each.

    The model sees `template` filled in. Documents are read as they are needed. Raises what the writer raises, and what `documents` raises.
    """
    asked = ((one, how.prompts("", [rendered(one[0], template)], writer)) for one in documents)
    done = in_order(writer, asked, how.decoding(writer), lambda one: f"document {shown(one[0].docid)}")
    for (document, fields), replies in done:
        yield Expanded(document, fields, how.texts(replies)[0])
