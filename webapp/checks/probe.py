"""Asks a service over HTTP, as its clients do, over a connection of its own."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from webapp.states import State

if TYPE_CHECKING:
    import aiohttp

SECONDS: Final = 3.0
"""Seconds that an answer may take: less than a check."""

_HEADERS: Final = {"User-Agent": "OakTree status page", "Connection": "close"}
"""Many a web application firewall refuses a request without a user agent."""


@dataclass(frozen=True)
class Answer:
    """What a probe got: a sentence, the state that follows, and the time it took in milliseconds.

    `status` is the HTTP status code, None if nothing answered or was asked; so is the time.
    """

    state: State
    message: str
    status: int | None
    latency_ms: float | None


async def ask(http: "aiohttp.ClientSession", url: str, statuses: str) -> Answer:
    """Sends one request, follows no redirect, and reads no content. Never raises for a failed request."""
    import aiohttp

    started = time.perf_counter()
    status = None
    try:
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        async with http.get(url, headers=_HEADERS, allow_redirects=False, timeout=timeout) as answer:
            status = answer.status
        good = accepts(statuses, status)
        message = f"It answers {status}." if good else f"It answers {status}, not {statuses}."
    except TimeoutError:
        good, message = False, f"It does not answer within {SECONDS:g} s."
    except aiohttp.ClientConnectorCertificateError:
        good, message = False, "Its certificate is not valid."
    except (aiohttp.ClientError, OSError):
        good, message = False, "It does not answer."
    latency_ms = round((time.perf_counter() - started) * 1000, 1)
    return Answer(State.OPERATIONAL if good else State.DOWN, message, status, latency_ms)


def accepts(statuses: str, status: int) -> bool:
    """Returns whether a status code is one of some: "200", "200,301" or "200-399"."""
    ranges = (item.partition("-") for item in statuses.split(","))
    return any(int(low) <= status <= int(high or low) for low, _, high in ranges)
