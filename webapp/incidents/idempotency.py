"""Idempotency keys: a request that is sent again, as its answer was lost, makes nothing twice.

Source: the IETF draft "The Idempotency-Key HTTP Header Field"; the key is taken as it is, quotes included.
"""

import hashlib
import re
from http import HTTPStatus
from typing import Final

from pydantic import BaseModel
from starlette.requests import Request

from webapp.answers import Refusal
from webapp.incidents.store import Claim
from webapp.resources import Resources
from webapp.table import Keys

HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def read_key(request: Request[Resources]) -> str | None:
    """The request's key, None when it has none. Raises `Refusal`, 400, when it cannot be one."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        detail = f"{HEADER} must be 1 to 255 visible ASCII characters, given once."
        raise Refusal(HTTPStatus.BAD_REQUEST, detail)
    return given[0]


def claim_of(keys: Keys, key: str, body: BaseModel) -> Claim:
    """What a key claims: that it comes with this body, however that was written down."""
    return Claim(keys.idempotency(key), hashlib.sha256(body.model_dump_json().encode()).hexdigest())
