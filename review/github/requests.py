"""Requests to GitHub's REST API: retried, within its rate limits, with errors in words.

The token is read from the environment, goes into one request header and nowhere else.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from secrets import SystemRandom
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from review.github.errors import GitHubError, UnconfirmedError, refusal

ATTEMPTS: Final = 5
_PUBLIC_API: Final = "https://api.github.com"
_FIRST_PAUSE: Final = 1.0
_SECONDARY_LIMIT_PAUSE: Final = 60.0
_RANDOM: Final = SystemRandom()
_TRANSIENT: Final = frozenset({500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `purpose` completes "GitHub refuses to ..."; `permission` is what it takes."""

    method: str
    path: str
    purpose: str
    permission: str
    content: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the JSON of the body and the address of the next page."""

    content: Any
    next: str | None


class Requests:
    """Sends calls, one after the other, on one connection.

    Transient errors are retried with exponential backoff and jitter, and rate limits are waited
    for, `patience` seconds in all. A POST is only repeated when GitHub cannot have done it.
    Source: GitHub's documentation, "Best practices for using the REST API" and "Rate limits for
    the REST API".
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        patience: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = _RANDOM.random,
    ) -> None:
        base = _api_address(environ)
        self._token = _token(environ)
        self._patience = patience
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._http = httpx.Client(
            base_url=base,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "User-Agent": "oaktree-review",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            timeout=httpx.Timeout(20.0, connect=10.0),
            # A proxy must not get to see what was meant for this machine.
            trust_env=base.startswith("https:"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def send(self, call: Call) -> Answer:
        """Send a call until it is answered; GitHubError in words when it is refused or nobody answers."""
        attempt = 1
        while True:
            try:
                response = self._http.request(call.method, call.path, json=call.content)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                # Nothing was sent, so even a POST may be repeated.
                failure: GitHubError = GitHubError(f"cannot reach GitHub to {call.purpose}: {_reason(error)}")
            except httpx.HTTPError as error:
                failure = UnconfirmedError(
                    f"lost the connection to GitHub to {call.purpose}: {_reason(error)}"
                )
            else:
                if (wait := _rate_limit(response, self._clock())) is not None:
                    self._wait(wait, call, response.status_code)
                    continue
                if response.status_code not in _TRANSIENT:
                    return self._answer(call, response)
                failure = UnconfirmedError(
                    f"GitHub has trouble to {call.purpose}: status {response.status_code}",
                    response.status_code,
                )
            if attempt == ATTEMPTS:
                raise type(failure)(f"{failure}, {ATTEMPTS} times in a row. Try again later.", failure.status)
            if call.method == "POST" and isinstance(failure, UnconfirmedError):
                raise failure from None
            self.pause(attempt)
            attempt += 1

    def pause(self, attempt: int) -> None:
        """Wait before the next attempt: 1, 2, 4, 8 seconds, and up to half of that on top."""
        self._sleep(_FIRST_PAUSE * 2 ** (attempt - 1) * (1 + self._jitter() / 2))

    def _wait(self, seconds: float, call: Call, status: int) -> None:
        if seconds > self._patience:
            raise GitHubError(
                f"GitHub's rate limit is reached: it takes {seconds:.0f} s until it lets us {call.purpose}, "
                f"and at most {self._patience:.0f} s are waited for it. Try again later.",
                status,
            )
        self._patience -= seconds
        self._sleep(seconds)

    def _answer(self, call: Call, response: httpx.Response) -> Answer:
        if response.is_success:
            try:
                content = response.json() if response.content else None
            except ValueError:
                raise GitHubError(
                    f"the answer to the request to {call.purpose} is no JSON: is GITHUB_API_URL right?",
                    response.status_code,
                ) from None
            return Answer(content, self._next_page(response))
        said = self._what_github_said(response)
        raise refusal(call.purpose, call.permission, response.status_code, said)

    def _what_github_said(self, response: httpx.Response) -> str:
        """Message and details of an error on one line, shortened."""
        try:
            content = response.json()
        except ValueError:
            return ""
        if not isinstance(content, dict):
            return ""
        details = content.get("errors")
        said = [content.get("message"), *(details if isinstance(details, list) else [])]
        texts = [each.get("message") or each.get("code") if isinstance(each, dict) else each for each in said]
        text = "; ".join(each for each in texts if isinstance(each, str))
        # Whatever answers there may repeat what it was sent.
        text = re.sub(r"[^ -~]+", " ", text.replace(self._token, "***"))
        return text if len(text) <= 300 else text[:297] + "..."

    def _next_page(self, response: httpx.Response) -> str | None:
        address = response.links.get("next", {}).get("url")
        if address is None:
            return None
        ours = self._http.base_url
        try:
            target = httpx.URL(address)
        except httpx.InvalidURL:
            raise GitHubError("GitHub's next page has no valid address") from None
        if (target.scheme, target.host, target.port) != (ours.scheme, ours.host, ours.port):
            raise GitHubError("GitHub's next page is on another host, which the token is not for")
        return address


def _rate_limit(response: httpx.Response, now: float) -> float | None:
    """Seconds to wait when this is the answer of a rate limit, else None."""
    if response.status_code not in {403, 429}:
        return None
    if (after := response.headers.get("retry-after", "")).isdecimal():
        return max(float(after), 1.0)
    if response.headers.get("x-ratelimit-remaining") == "0":
        reset = response.headers.get("x-ratelimit-reset", "")
        # GitHub counts whole seconds of a clock that need not be ours.
        return max(float(reset) - now, 0.0) + 1.0 if reset.isdecimal() else _SECONDARY_LIMIT_PAUSE
    if response.status_code == 429 or "secondary rate limit" in response.text.casefold():
        return _SECONDARY_LIMIT_PAUSE
    return None


def _reason(error: httpx.HTTPError) -> str:
    return re.sub(r"[^ -~]+", " ", str(error)) or type(error).__name__


def _api_address(environ: Mapping[str, str]) -> str:
    """GITHUB_API_URL, or the public API. The token goes there: encrypted, or to this machine only."""
    address = environ.get("GITHUB_API_URL") or _PUBLIC_API
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
        url = urlsplit("")
    if not host or port == 0 or url.scheme not in {"https", "http"} or _has_more(address):
        raise GitHubError(
            f"GITHUB_API_URL must be an address such as {_PUBLIC_API}, without user, query or fragment"
        )
    if url.scheme == "http" and not _is_loopback(host):
        raise GitHubError(f"GITHUB_API_URL must start with https: the token would go to {host} unencrypted")
    return address.rstrip("/")


def _token(environ: Mapping[str, str]) -> str:
    """GITHUB_TOKEN, checked: what is no token must not get to where an error would quote it."""
    text = environ.get("GITHUB_TOKEN", "").strip()
    if not text:
        raise GitHubError("GITHUB_TOKEN is not set: export a token that may write to pull requests")
    if not re.fullmatch(r"[!-~]+", text):
        raise GitHubError("GITHUB_TOKEN is no token: it has blanks or characters that no token has")
    return text


def _has_more(address: str) -> bool:
    return re.search(r"[@?#\\\s\x00-\x1f]", address) is not None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
