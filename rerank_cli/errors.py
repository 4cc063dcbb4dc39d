"""What can go wrong, by kind; each kind is one exit code of the command line.

Raised anywhere, printed once (in `cli.main`) as `rerank: error: …` and `rerank: hint: …`.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """The exit codes of the contract that are not signals."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BAD_DATA = 3
    MISSING = 4
    NO_DEVICE = 5
    UNMET = 6


class RerankError(Exception):
    """Something the user must know: one line saying what, one saying what to do about it."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class WorkFailed(RerankError):
    """The work itself failed: a backend, a server, a full disk (exit 1)."""


class OutOfMemory(WorkFailed):
    """There is no memory to ask a model about one thing, though it is asked about nothing else.

    It rises through those who know ever more of what was asked: `row` is its number (from 0) among what was asked
    together, `texts` the query and the documents, or the one text, that the row was made of; who knows their ids calls `about`.
    """

    row = 0
    texts: tuple[str, ...] = ()

    def about(self, what: str) -> None:
        """Put before the message what it is about."""
        self.message = f"{what}: {self.message}"
        self.args = (self.message,)


class BudgetSpent(WorkFailed):
    """A budget in calls, tokens or money is used up: nothing more is asked, and what is known so far is the answer."""


class WrongUsage(RerankError):
    """The command line or the settings make no sense (exit 2)."""

    exit_code = ExitCode.USAGE


class BadData(RerankError):
    """Input that is not what it says it is (exit 3); `where` is FILE or FILE:LINE."""

    exit_code = ExitCode.BAD_DATA

    def __init__(self, message: str, hint: str = "", *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message, hint)


class BadRow(BadData):
    """Bad data in one row (from 0) of columns whose source the raiser does not know.

    The reader that does know catches it and raises `BadData` with FILE:LINE.
    """

    def __init__(self, row: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.row = row


class Missing(RerankError):
    """A file, package extra, model, collection or text is not there (exit 4)."""

    exit_code = ExitCode.MISSING


class DeviceUnavailable(RerankError):
    """The device or execution provider asked for by name cannot be had (exit 5)."""

    exit_code = ExitCode.NO_DEVICE


class Unmet(RerankError):
    """An `--assert` or a `--require-topics` did not hold (exit 6)."""

    exit_code = ExitCode.UNMET


def missing_extra(package: str, extra: str, what_for: str) -> Missing:
    """The error for an optional package that is not installed, with the pip line that mends it."""
    return Missing(
        f"{what_for} needs the package {package}, which is not installed", f"pip install 'rerank-cli[{extra}]'"
    )


def first_line(error: BaseException) -> str:
    """What another package's error says, in one line; its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
