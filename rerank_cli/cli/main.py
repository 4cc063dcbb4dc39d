"""The program's edge: runs a command and turns whatever happens into an exit code and one clear line."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import re
import signal
import sys
import traceback
from typing import Any, NoReturn

from rerank_cli.errors import ExitCode, RerankError, WrongUsage

#: What a shell reports of a program that a signal ended.
INTERRUPTED, CLOSED_PIPE, TERMINATED = 130, 141, 143
#: New objects, less those that are gone, between two searches for garbage. A start with a model makes 57,000 that all stay;
#: at Python's own 700 they are looked through eighty times, which takes 20 to 40 ms.
_BETWEEN_SEARCHES = 100_000
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class _Signalled(BaseException):
    """SIGINT or SIGTERM came; unwinds the stack so that half-written files are removed.

    Not KeyboardInterrupt, which click turns into a return value.
    """

    def __init__(self, signum: int) -> None:
        self.exit_code = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}[signal.Signals(signum)]


def _stand_in_for_closed() -> None:
    """Give closed streams (`<&-`, `>&-`) something that fails when used, before a file gets their number; stderr goes nowhere.

    Python itself leaves None, which is no stream to fail with.
    """
    for number, name, wrong_way, mode in ((0, "stdin", os.O_WRONLY, "r"), (1, "stdout", os.O_RDONLY, "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, wrong_way)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 (the process's own)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def _on_signal(signum: int, frame: Any) -> NoReturn:
    # A second one does not wait for the cleaning up.
    signal.signal(signum, signal.SIG_DFL)
    raise _Signalled(signum)


def main(argv: list[str] | None = None) -> int:
    """Run `rerank ARGV` and return its exit code.

    Without ARGV it is the program itself, and the process ends here: a thread still at work (waiting for input, or in the
    middle of a model's batch) is not waited for, and memory that goes with the process is not tidied first, which takes a tenth
    of a second after a model. What others asked for at exit is done.
    """
    if argv is None:
        gc.set_threshold(_BETWEEN_SEARCHES)
    code = _exit_code(argv)
    if argv is None:
        atexit._run_exitfuncs()
        _forget_stdout()
        os._exit(code)
    return code


def _exit_code(argv: list[str] | None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments
    _stand_in_for_closed()
    for signum in (signal.SIGINT, signal.SIGTERM):
        # What our parent ignores (nohup, a script's background job) stays ignored.
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _on_signal)
    try:
        if not arguments:
            return _help_for_nothing()
        _run(arguments)
        sys.stdout.flush()
    except RerankError as error:
        if debug:
            traceback.print_exc()
        return _fail(error.message, error.hint, error.exit_code)
    except BrokenPipeError:
        return _closed_pipe()
    except _Signalled as caught:
        return caught.exit_code
    except OSError as error:
        if debug:
            traceback.print_exc()
        return _fail(_os_message(error), "", ExitCode.FAILED)
    except MemoryError:
        return _fail("not enough memory", "give the process more memory, or the input in parts", ExitCode.FAILED)
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(
            f"unexpected {type(error).__name__}: {error}",
            "this is a bug in rerank; run again with --debug and report what it shows",
            ExitCode.FAILED,
        )
    return ExitCode.DONE


def _run(arguments: list[str]) -> None:
    from typer import TyperException

    from rerank_cli.cli.app import build_app

    try:
        build_app(arguments[0])(args=arguments, prog_name="rerank", standalone_mode=False)
    except TyperException as error:
        raise _wrong_usage(error, arguments[0]) from error
    except SystemExit as error:
        # typer makes exit 1 of a closed pipe; what it caught is what we want.
        if isinstance(error.__context__, BrokenPipeError):
            raise error.__context__ from None
        raise


def _wrong_usage(error: Any, typed: str) -> WrongUsage:
    """What typer found wrong, with the command's help as the hint, or what an option of other programs is called here."""
    from rerank_cli.cli.app import COMMANDS

    context = getattr(error, "ctx", None)
    # An option at the end that lacks its value comes without a context.
    command = context.info_name if context and context.parent else typed if typed in COMMANDS.values() else ""
    see = f"see rerank {command} --help" if command else "see rerank --help"
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities") and context:
        from rerank_cli.cli.guesses import meant

        own = {name for parameter in context.command.params for name in parameter.opts}
        advice = meant(option, command, own)
        if advice is not None:
            return WrongUsage(f"No such option: {option}", f"{advice}; {see}")
    return WrongUsage(error.format_message().rstrip("."), see)


def _help_for_nothing() -> int:
    with contextlib.redirect_stdout(sys.stderr):
        _run(["--help"])
    return ExitCode.USAGE


def _fail(message: str, hint: str, code: int) -> int:
    # A file's name may hold a line end or a terminal's controls; an error is one line.
    message, hint = (_CONTROLS.sub(lambda c: c[0].encode("unicode_escape").decode(), text) for text in (message, hint))
    with contextlib.suppress(OSError):
        sys.stderr.write(f"rerank: error: {message}\n" + (f"rerank: hint: {hint}\n" if hint else ""))
    _forget_stdout()
    return int(code)


def _closed_pipe() -> int:
    _forget_stdout()
    return CLOSED_PIPE


def _forget_stdout() -> None:
    """Point stdout at nowhere, so that the interpreter's last flush cannot fail."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _os_message(error: OSError) -> str:
    what = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        what = "no space left on the disk"
    elif error.errno == errno.EBADF and error.filename is None:
        what = "stdin or stdout is closed"
    return f"{error.filename}: {what}" if error.filename else what
