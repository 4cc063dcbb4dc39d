"""What a server's refusal means: whether to ask again, what it said, and what the user can do about it."""

from __future__ import annotations

import json
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

#: A server that is busy, starting, or lost its own connection; the same request may be answered a moment later.
PASSING = frozenset({408, 429, 500, 502, 503, 504, 529})
#: Of those, the ones by which a server asks everybody to wait.
BUSY = frozenset({429, 503, 529})
#: OpenAI's way to say with 429 that there is no money left; waiting does not help.
_NO_MONEY = "insufficient_quota"
#: By these a server refuses whatever it is asked: a key, an account, a model or an address that it does not take.
_WHATEVER = frozenset({401, 402, 403, 404, 405, 429})
_TOO_LONG = re.compile(r"context.{0,20}(length|window|size)|maximum context|max_model_len|too (long|many tokens)", re.I)
_LONGEST = 300
#: Where what went wrong is said, the first that is there; the last are those of search engines.
_NAMES = ("error", "errors", "message", "detail", "msg", "root_cause", "reason", "root", "status")


def is_passing(status: int, body: bytes) -> bool:
    """Whether the same request is worth sending again."""
    return status in PASSING and not (status == 429 and _NO_MONEY.encode() in body)


def is_for_good(status: int) -> bool:
    """Whether a refusal that does not pass is of this server rather than of this request: another may answer."""
    return 300 <= status < 400 or status in _WHATEVER


def said(body: bytes) -> str:
    """The first line of what a server says of its own error, from any of the shapes in use; empty when it says nothing."""
    text = body[: 64 * _LONGEST].decode("utf-8", "replace").strip()
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = text
    while isinstance(found, dict):
        found = next((found[name] for name in _NAMES if found.get(name)), "")
        if isinstance(found, list):
            # One error of several; what it says stands under a name of its own, or it is told as it is.
            found = next((one if {"message", "reason"} & set(one) else json.dumps(one) for one in found), "")
    lines = str(found).strip().splitlines()
    return lines[0][:_LONGEST] if lines and not lines[0].startswith("<") else ""


def hint(status: int, message: str) -> str:
    """What the user can do about a refusal."""
    if status in (400, 413, 422) and _TOO_LONG.search(message):
        return "the prompt is longer than the server's model takes: fewer documents at a time (--window), or shorter ones (--max-length)"
    if 300 <= status < 400:
        return "the server sends elsewhere: name that address as --endpoint"
    return {
        200: "something else answers there: does the server speak this interface (--api), and what -m asks for?",
        401: "--api-key-env NAME says which environment variable holds the key",
        402: "the account has no credit left",
        403: "the key is not allowed to use this model, or this address",
        404: "does the server offer this model (--served-model) and this interface (--api)?",
        429: "fewer requests at a time (--concurrency), or a larger quota",
    }.get(status, "")


def seconds_asked(header: str | None) -> float:
    """The seconds that a Retry-After header asks to wait, given as a number or as a date; 0 without one."""
    if not header:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0
