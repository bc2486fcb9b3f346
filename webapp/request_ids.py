"""Gives each request an id that its answer, its problem details and its lines in the log share."""

import os
import re
from contextvars import ContextVar
from typing import Final

from starlette.types import Scope

HEADER: Final = b"x-request-id"
_ACCEPTED: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str | None:
    """The id of the request that is being answered; None outside of one."""
    return _current.get()


def begin(scope: Scope) -> str:
    """Takes over the caller's id if it is 8 to 64 harmless characters, else makes one."""
    identifier = ""
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTED.fullmatch(value):
            identifier = value.decode()
    identifier = identifier or os.urandom(16).hex()
    _current.set(identifier)
    return identifier
