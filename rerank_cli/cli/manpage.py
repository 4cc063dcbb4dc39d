"""A page of the manual as roff, which `man` and `mandoc` read, or as plain text for where there is neither.

Roff gives a meaning to hyphens (they may become typographic ones that cannot be pasted into a shell),
to backslashes, to some quotes, and to a dot or an apostrophe that begins a line: all are escaped, and
everything beyond ASCII is written by its code point.
"""

from __future__ import annotations

import re
import textwrap

from rerank_cli.cli.manual import BOLD, ITALIC, ROMAN, Entry, Heading, Page, Paragraph, Spans, Verbatim

#: Columns of the source lines (before escaping) and of the plain text.
SOURCE_WIDTH, TEXT_WIDTH = 72, 80

_ESCAPES = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
_FONTS = {BOLD: "\\fB{}\\fR", ITALIC: "\\fI{}\\fR", ROMAN: "{}"}


def roff(page: Page) -> str:
    """The page in roff's man macros; the same bytes every day, since the version stands where others put a date."""
    lines = [
        ".\\\" Written from the program by 'make gen'; edits are lost.",
        f'.TH {escape(page.name.upper())} 1 "" "{escape(page.source)}" "User Commands"',
    ]
    for title, blocks in page.sections:
        lines.append(f".SH {title}")
        fresh = True
        for block in blocks:
            match block:
                case Heading(text):
                    lines.append(f".SS {escape(text)}")
                case Entry(term, text):
                    lines += [".TP", _inline(term), *_filled(text)]
                case Verbatim(text):
                    lines += [*([] if fresh else [".PP"]), ".RS 4", ".nf", *_verbatim(text), ".fi", ".RE"]
                case Paragraph(spans):
                    lines += ([] if fresh else [".PP"]) + _paragraph(title, spans)
            fresh = isinstance(block, Heading)
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text as roff reads it back: every character means itself, at the start of a line too."""
    escaped = "".join(
        _ESCAPES.get(character) or (character if ord(character) < 128 else f"\\[u{ord(character):04X}]")
        for character in text
    )
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def _inline(spans: Spans) -> str:
    parts = []
    for style, text in spans:
        blank = text[: len(text) - len(text.lstrip(" "))]
        parts.append(blank + _FONTS[style].format(escape(text[len(blank) :])))
    return "".join(parts)


def _paragraph(title: str, spans: Spans) -> list[str]:
    if title == "NAME":
        # whatis databases look for this very line: "name \- summary".
        name, _, summary = spans[0][1].partition(" - ")
        return [f"{escape(name)} \\- {escape(summary)}"]
    if all(style == ROMAN for style, _ in spans):
        return _filled("".join(text for _, text in spans))
    return [_inline(spans)]


def _filled(text: str) -> list[str]:
    return [escape(line) for line in textwrap.wrap(text, SOURCE_WIDTH, break_long_words=False, break_on_hyphens=False)]


def _verbatim(text: str) -> list[str]:
    return [escape(line) if line else "\\&" for line in text.splitlines()]


def plain_text(page: Page) -> str:
    """The page as `man` would lay it out, without fonts."""
    lines = [f"{page.name.upper()}(1)".ljust(TEXT_WIDTH - len(page.source)) + page.source]
    for title, blocks in page.sections:
        lines += ["", title]
        for number, block in enumerate(blocks):
            match block:
                case Heading(text):
                    lines += [*([""] if number else []), f"   {text}"]
                case Entry(term, text):
                    lines += ["       " + "".join(part for _, part in term), *_wrapped(text, 14), ""]
                case Verbatim(text):
                    lines += [*textwrap.indent(text, " " * 11).splitlines(), ""]
                case Paragraph(spans):
                    lines += [*_wrapped("".join(part for _, part in spans), 7), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).rstrip()) + "\n"


def _wrapped(text: str, indent: int) -> list[str]:
    blank = " " * indent
    return textwrap.wrap(
        text, TEXT_WIDTH, initial_indent=blank, subsequent_indent=blank, break_long_words=False, break_on_hyphens=False
    )
