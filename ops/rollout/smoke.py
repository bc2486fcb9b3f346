"""Tests whether a deployed service works and whether it runs the expected release."""

import ipaddress
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ops.core.console import minutes, printable
from ops.core.ecs import Image
from ops.core.errors import OpsError, ReleaseFailedError, UsageError
from ops.core.health import accepts
from ops.core.progress import Phase
from stacks import routing
from stacks.naming import balancer_name
from stacks.workloads import Workload
from webapp import contract

if TYPE_CHECKING:
    import httpx

SECONDS: Final = 180.0
"""Seconds that a new DNS name or load balancer may take to become reachable."""

INTERVAL: Final = 2.0
TIMES: Final = 3
"""Consecutive good answers, each over its own connection: an address may have several tasks behind it."""

_ADDRESS: Final = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")
_REQUEST_SECONDS: Final = 10.0
_LARGEST: Final = 1_000_000
_LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """What a service of a team is asked: paths below its address, and the status codes of a good answer."""

    health_path: str
    health_status: str
    version_path: str | None
    """Its answer contains the commit; None if the service does not say."""

    @classmethod
    def of(cls, workload: Workload, *, direct: bool) -> "Asked | None":
        """Returns what a workload is asked; None for the status app, which says more of itself.

        The load balancer passes on only what is below the service's `path`; unless `direct`, a health path
        elsewhere is not asked, and the service's own path has to give any answer but an error of the server.
        """
        service = workload.settings
        if service.kind == "status":
            return None

        def below(path: str) -> str | None:
            return path if direct else routing.below(service, path)

        health = below(workload.health_path)
        version = below(service.version_path) if service.version_path else None
        if health is None:
            return cls("", routing.ANY_ANSWER, version)
        return cls(health, workload.health_status, version)


def address_of(elb: Any, workload: Workload) -> str:
    """Returns the URL of a workload behind a load balancer: its domain's, or else the load balancer's.

    Raises OpsError if it has neither yet.
    """
    environment, service = workload.environment, workload.settings
    if routing.domains(environment, service):
        return routing.url(environment, service, "")
    name = workload.name
    if workload.shares_balancer:
        name = balancer_name(workload.project.name, environment.name)
    try:
        found = elb.describe_load_balancers(Names=[name])["LoadBalancers"]
    except elb.exceptions.LoadBalancerNotFoundException:
        raise OpsError(
            f"The load balancer {name} does not exist yet. Deploy first, or give the address of "
            f"{workload.key}: ADDRESS="
        ) from None
    return routing.url(environment, service, found[0]["DNSName"])


def checked_address(address: str) -> str:
    """Returns an address without its last slash.

    Raises UsageError unless it is http or https, a host, and at most a port.
    """
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"ADDRESS={address} is not an address such as https://www.example.com.")
    return address.rstrip("/")


def smoke_test(
    address: str,
    expected: Image | None,
    phase: Phase,
    seconds: float = SECONDS,
    interval: float = INTERVAL,
    asked: Asked | None = None,
) -> None:
    """Sends requests until a service gives `TIMES` good answers in a row; by default it is the status app.

    Raises ReleaseFailedError if it does not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    good = 0
    while True:
        wrong = look(address, expected, asked)
        good = 0 if wrong else good + 1
        if good == TIMES:
            phase.result = f"{address} answers{_as_whom(expected, asked)}"
            return
        phase.detail = wrong or f"{address} answers"
        if wrong and time.monotonic() >= deadline:
            raise ReleaseFailedError(f"The smoke test failed after {minutes(seconds)}: {wrong}.")
        if wrong:
            time.sleep(max(0.0, min(interval, deadline - time.monotonic())))


def _as_whom(expected: Image | None, asked: Asked | None) -> str:
    if expected and (asked is None or asked.version_path):
        return f" as {short(expected)}"
    return ", and does not say which release it is" if expected else ""


def look(address: str, expected: Image | None, asked: Asked | None = None) -> str:
    """Returns what is wrong with a service's answers right now, or an empty string."""
    # Imported here because it takes long to load, and most commands send no requests.
    import httpx

    # Proxies of the environment are for other hosts, not for the loopback.
    with httpx.Client(timeout=_REQUEST_SECONDS, trust_env=not is_here(address)) as client:
        if asked:
            return _look_at(client, address, expected, asked)
        for path in (contract.HEALTH_PATH, contract.READY_PATH):
            if wrong := _ask(client, address + path)[0]:
                return wrong
        wrong, content = _ask(client, address + contract.STATUS_PATH)
    return wrong or (_other_release(address + contract.STATUS_PATH, content, expected) if expected else "")


def _look_at(client: "httpx.Client", address: str, expected: Image | None, asked: Asked) -> str:
    if wrong := _ask(client, address + asked.health_path, asked.health_status)[0]:
        return wrong
    if asked.version_path is None or expected is None:
        return ""
    url = address + asked.version_path
    wrong, content = _ask(client, url)
    if wrong or expected.commit.encode() in content:
        return wrong
    return f"{url} does not contain the commit {expected.commit}"


def short(release: Image) -> str:
    """Returns a release as text: the beginnings of its commit and digest."""
    return f"{release.commit[:12]} ({release.digest[:19]})"


def _ask(client: "httpx.Client", url: str, statuses: str = "200") -> tuple[str, bytes]:
    """Returns what is wrong with one answer, or an empty string, and its content."""
    import httpx

    content = b""
    try:
        with client.stream("GET", url) as answer:
            if not accepts(statuses, answer.status_code):
                location = answer.headers.get("location", "")
                to = f" and redirects to {printable(location)}" if location else ""
                return f"{url} answers {answer.status_code}{to}", b""
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _LARGEST:
                    return f"{url} answers with more than {_LARGEST:,} bytes", b""
    except httpx.TimeoutException:
        return f"{url} does not answer within {_REQUEST_SECONDS:.0f} s", b""
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return f"{url} does not answer ({printable(str(error)) or type(error).__name__})", b""
    return "", content


def _other_release(url: str, content: bytes, expected: Image) -> str:
    try:
        found = str(json.loads(content)["fingerprint"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"{url} does not say which release it is"
    wanted = contract.fingerprint(expected.digest, expected.commit)
    if found != wanted:
        return (
            f"{url} reports another release than {short(expected)}: its fingerprint is "
            f"{printable(found[:_LONGEST])}, not {wanted}"
        )
    return ""


def is_here(address: str) -> bool:
    """Returns whether an address is one of this machine's loopback."""
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
