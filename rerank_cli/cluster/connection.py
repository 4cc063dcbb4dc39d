"""Ray begun here or joined, quietly: nothing of its own on stderr, no usage report, nothing left behind.

Ray waits minutes for an address where nobody answers and takes over SIGTERM; the first is found out before it is
asked, the second is given back.
"""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rerank_cli.errors import WorkFailed, WrongUsage, missing_extra

#: The address of a cluster of this machine alone, which ends with the program.
LOCAL = "local"
#: Seconds that a cluster has to take a connection.
_PATIENCE = 5.0
#: Of Ray's own words.
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
#: Bytes that a local cluster may hold of blocks and answers under way.
_OBJECTS = 200 * 2**20
#: What Ray makes of a folder for its sockets is this much longer, and a socket's path holds 107 bytes.
_LONGEST = 107 - 70


def installed() -> None:
    """Raise `Missing` when there is no Ray."""
    from importlib.util import find_spec

    if find_spec("ray") is None:
        raise missing_extra("ray", "ray", "work on a cluster")


@contextmanager
def connected(address: str, cores: int) -> Iterator[Any]:
    """Ray, connected to the cluster at `address` (HOST:PORT or auto), or begun on `cores` of this machine for `local`; yields its module.

    Raises `Missing` without Ray, `WrongUsage` for an address of another form, `WorkFailed` where no cluster answers.
    """
    installed()
    if address not in (LOCAL, "auto"):
        _reachable(address)
    import ray
    from ray._private import worker

    # Ray tells of every death on stderr, in colours; who watches the workers tells it in a line.
    worker._worker_logs_enabled = False
    folder = None
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        try:
            if address == LOCAL:
                folder = tempfile.mkdtemp(prefix="ray-", dir=None if len(tempfile.gettempdir()) < _LONGEST else "/tmp")
                own: dict[str, Any] = {"num_cpus": cores, "object_store_memory": _OBJECTS, "_temp_dir": folder}
                ray.init(address=LOCAL, include_dashboard=False, **own, **_QUIET)
            else:
                ray.init(address=_found(address), **_QUIET)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise _not_begun(address, error) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_terminate)
        yield ray
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _found(address: str) -> str:
    """The address that auto stands for: what Ray was told, or left behind of a cluster that may be long gone."""
    if address != "auto":
        return address
    from ray._private.services import canonicalize_bootstrap_address

    found = canonicalize_bootstrap_address(address) or address
    _reachable(found)
    return found


def _not_begun(address: str, error: Exception) -> WorkFailed:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    if address == LOCAL:
        return WorkFailed(f"Ray could not begin on this machine: {reason}", "is there room in /tmp and /dev/shm?")
    return WorkFailed(
        f"no Ray cluster could be joined at {address}: {reason}",
        "run this on a machine of the cluster, with the RAY_AUTH_MODE that it was begun with; ray status shows it",
    )


def _reachable(address: str) -> None:
    """Raise `WorkFailed` when nobody takes a connection at HOST:PORT."""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) < 1 << 16) or "/" in host:
        raise WrongUsage(f"there is no cluster {address!r}", "a cluster is local, auto or HOST:PORT of its head")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except OSError as error:
        raise WorkFailed(
            f"no Ray cluster answers at {address}: {error.strerror or error}",
            "ray start --head begins one, and --ray local needs none",
        ) from error
