"""Tables for a terminal, or for a file in which a table is wanted: rows of text, evaluations."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rerank_cli.evaluation.report import Cell, Grid, Report


def write_rows(header: Sequence[str], rows: Sequence[Sequence[str]], *, as_table: bool | None = None) -> None:
    """Print rows of text: a table on a terminal (`as_table` None: told by stdout), else separated by tabs without the header."""
    import sys

    if not (sys.stdout.isatty() if as_table is None else as_table):
        sys.stdout.writelines("\t".join(row) + "\n" for row in rows)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in header:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)


def drawn(report: Report, on_terminal: bool) -> str:
    """Evaluations as a table; measures run downwards where there is one run."""
    from rerank_cli.evaluation.report import grid

    return drawn_grid(grid(report), on_terminal, downwards=len(report.evaluations) == 1 and not report.per_query)


def drawn_grid(values: Grid, on_terminal: bool, downwards: bool = False) -> str:
    """The table as text: what is marked bold on a terminal, else followed by `*`; never cut to a width.

    `downwards` turns a grid of one row, so that a long list of measures stays readable.
    """
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    labels = len(values.rows[0][0])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if not downwards:
        for number, name in enumerate(values.header):
            table.add_column(Text(name), justify="left" if number < labels else "right", no_wrap=True)
        for names, cells in values.rows:
            table.add_row(*map(Text, names), *(Text(*_text(cell, on_terminal)) for cell in cells))
    else:
        names, cells = values.rows[0]
        table.add_column(Text("Measure"), no_wrap=True)
        table.add_column(Text(" ".join(names)), justify="right", no_wrap=True)
        for measure, cell in zip(values.header[labels:], cells, strict=True):
            table.add_row(Text(measure), Text(*_text(cell, on_terminal)))
    out = io.StringIO()
    width = shutil.get_terminal_size().columns
    console = Console(file=out, force_terminal=on_terminal, width=width, highlight=False)
    console.width = max(width, Measurement.get(console, console.options, table).maximum) if on_terminal else 10_000
    console.print(table)
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines() if line.strip())


def _text(cell: Cell, on_terminal: bool) -> tuple[str, str]:
    difference = f" ({cell.difference})" if cell.difference else ""
    if on_terminal:
        return cell.text + difference, "bold" if cell.best else ""
    return cell.text + ("*" if cell.best else "") + difference, ""
