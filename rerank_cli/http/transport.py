"""One HTTP request and its reply, with a clock for the whole of it, a limit on its size, and a key that nobody sees.

The key is a part of a request's header and of nothing else: no cookies are taken, no redirection is followed, no other
password is looked for, and what a server says is shown only after the key is struck out of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rerank_cli.errors import WorkFailed, WrongUsage

#: Seconds to wait for a connection; bytes of the longest reply that is read.
_CONNECT, _LARGEST = 10.0, 1 << 26


class Passing(Exception):
    """A failure that may be gone when the request is sent again; `wait`: the seconds that the server asked for."""

    def __init__(self, what: str, status: int = 0, wait: float = 0.0) -> None:
        super().__init__(what)
        self.what, self.status, self.wait = what, status, wait


class Refused(WorkFailed):
    """A server refuses, and would refuse whatever it is asked; others may answer."""


class TooLong(WorkFailed):
    """A reply is longer than what is read."""


def bearer(key: str) -> str:
    """The Authorization header of most servers."""
    return f"Bearer {key}"


class Transport:
    """Connections to the servers at `roots`, kept open between requests and shared by `threads` threads.

    `signed(key)` is every request's Authorization header; `timeout` is the seconds from the request to the end of its reply.
    """

    def __init__(
        self, roots: Sequence[str], key: str, threads: int, timeout: float, signed: Callable[[str], str] = bearer
    ) -> None:
        if not (key.isascii() and key.isprintable()):
            raise WrongUsage("the API key holds characters that no request can carry", "was it copied with a line end?")
        self._timeout = timeout
        self._authorization = signed(key) if key else ""
        # A password may be a part of the key, and what is sent may be the key in other letters.
        self._secrets = [key, self._authorization.partition(" ")[2], key.partition(":")[2]] if key else []
        self._session = _session(len(roots), threads)
        # Proxies and certificates, looked up once: for each request anew it would be a sixth of the work.
        self._routes = {root: self._session.merge_environment_settings(root, {}, True, None, None) for root in roots}
        self._session.trust_env = False

    def send(
        self,
        root: str,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> tuple[int, str | None, bytes]:
        """Status, Retry-After and body of the reply; raises `Passing` when the connection or the clock fails.

        `timeout` stands in for the transport's own.
        Raises `Refused` for a certificate that is not trusted and where no TLS is spoken, and `TooLong` for a reply of more than 64 MiB.
        """
        import requests
        import urllib3

        timeout = self._timeout if timeout is None else timeout
        deadline = time.monotonic() + timeout
        try:
            with self._session.request(
                method,
                root + path,
                data=body,
                headers={"Content-Type": content_type},
                auth=self._authorised,
                timeout=(min(_CONNECT, timeout), timeout),
                allow_redirects=False,
                **self._routes[root],
            ) as response:
                reply = bytearray()
                while some := response.raw.read1(1 << 20, decode_content=True):
                    reply += some
                    if len(reply) > _LARGEST:
                        raise TooLong(f"{root}{path} sends a reply of more than {_LARGEST >> 20} MiB")
                    if time.monotonic() > deadline:
                        raise Passing(f"was not done in {timeout:g} seconds")
                return response.status_code, response.headers.get("Retry-After"), bytes(reply)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise Passing(f"did not answer in {timeout:g} seconds") from None
        except requests.exceptions.SSLError as error:
            raise _not_secure(root, getattr(_reason(error), "args", None)) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            never = isinstance(_reason(error), urllib3.exceptions.NewConnectionError)
            raise Passing("cannot be reached" if never else "dropped the connection") from None

    def _authorised(self, request: Any) -> Any:
        """Give the request its key."""
        if self._authorization:
            request.headers["Authorization"] = self._authorization
        return request

    def without_key(self, text: str) -> str:
        """A text that may be shown."""
        for secret in filter(None, self._secrets):
            text = text.replace(secret, "***")
        return text


def _reason(error: Exception) -> Any:
    """What went wrong below the last attempt that requests tells of; None where it tells of nothing."""
    return getattr(error.args and error.args[0], "reason", None)


def _not_secure(root: str, causes: Any) -> Passing | Refused:
    """What it means that no secure connection was made: a line that went dead is back before long, all else stays so."""
    import ssl

    cause = causes[0] if causes else None
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Passing("dropped the connection")
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLCertVerificationError):
        return Refused(f"{root} makes no secure connection ({cause.reason})", "does it answer to http:// instead?")
    return Refused(f"{root} shows no certificate that is trusted here")


def _session(servers: int, concurrency: int) -> Any:
    """Connections for all threads, kept open between requests; no cookies are taken."""
    from http.cookiejar import DefaultCookiePolicy

    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=servers, pool_maxsize=concurrency))
    return session
