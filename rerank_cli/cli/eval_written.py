"""What `eval` writes, in the form that was asked for or that suits who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rerank_cli.cli.eval_options import Format
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.evaluation.report import Report
    from rerank_cli.evaluation.report_comparison import ComparisonReport


def values(report: Report, style: Format, runs: int, output: str) -> list[bytes]:
    """The values of runs as lines; `WrongUsage` for trec lines of several runs."""
    from rerank_cli.evaluation.report import lines

    on_terminal = _on_terminal(output)
    if style is Format.auto:
        style = Format.table if on_terminal else Format.trec if runs == 1 else Format.tsv
    if style is Format.trec and runs > 1:
        raise WrongUsage(f"--format trec has no column for the run, and there are {runs}", "use --format tsv")
    if style is Format.table:
        from rerank_cli.cli.tables import drawn

        return [drawn(report, on_terminal).encode("utf-8", "surrogateescape")]
    return [f"{line}\n".encode("utf-8", "surrogateescape") for line in lines(report, style.value)]


def comparison(report: ComparisonReport, style: Format, output: str) -> list[bytes]:
    """A comparison as lines."""
    from rerank_cli.evaluation.report_comparison import lines, table

    on_terminal = _on_terminal(output)
    if style is Format.table or (style is Format.auto and on_terminal):
        from rerank_cli.cli.tables import drawn_grid

        return [drawn_grid(table(report), on_terminal).encode("utf-8", "surrogateescape")]
    style = Format.tsv if style is Format.auto else style
    return [f"{line}\n".encode("utf-8", "surrogateescape") for line in lines(report, style.value)]


def _on_terminal(output: str) -> bool:
    import sys

    return output == "-" and sys.stdout.isatty()
