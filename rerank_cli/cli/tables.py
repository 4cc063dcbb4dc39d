"""Evaluations as a table for a terminal, or for a file in which a table is wanted."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rerank_cli.evaluation.report import Cell, Report


def drawn(report: Report, on_terminal: bool) -> str:
    """The table as text: the best of several runs bold on a terminal, else marked `*`; never cut to a width."""
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    from rerank_cli.evaluation.report import grid

    values = grid(report)
    labels = len(values.rows[0][0])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    several = len(values.rows) > 1
    if several:
        for number, name in enumerate(values.header):
            table.add_column(Text(name), justify="left" if number < labels else "right", no_wrap=True)
        for names, cells in values.rows:
            table.add_row(*map(Text, names), *(Text(*_text(cell, on_terminal)) for cell in cells))
    else:
        # One run: measures downwards, so that a long list of them stays readable.
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
