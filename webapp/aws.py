"""The AWS session: its credentials, its clients, and admission control for requests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import AioSession, get_session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from webapp.checks import CHECKS
from webapp.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


CREDENTIALS_DEADLINE: Final = 1.5
"""Seconds to resolve or renew credentials: less than a call's deadline, so that the error names the cause."""

LONGEST_WAIT: Final = 2.0
"""Seconds that a caller waits for admission."""

CONNECTIONS_FOR_REQUESTS: Final = 50
"""Connections to DynamoDB for requests, and the number of concurrent calls."""

WAITING_REQUESTS: Final = 100
"""Calls to DynamoDB by requests that may wait for a connection."""

CONNECTIONS_FOR_RECORDER: Final = 10
"""Connections to DynamoDB for the recorder."""

CONNECTIONS_FOR_CHECKS: Final = 2
"""Connections to an AWS service for each component whose check calls it."""


class _Credentials(Protocol):
    async def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


class _Resolver(Protocol):
    async def load_credentials(self) -> _Credentials | None: ...


class LazyCredentials:
    """Credentials that are resolved when a call is signed, not when a client is created.

    botocore resolves them when it creates a client, so the app could not start while the credentials endpoint
    (AWS SDKs and Tools Reference Guide, "Container credential provider") is unavailable. These implement what
    aiobotocore uses of credentials, and ask the session's resolver until it finds some. Concurrent callers
    wait for one lookup.
    """

    method: Final = "late"

    def __init__(self, resolver: _Resolver) -> None:
        self._resolver = resolver
        self._found: _Credentials | None = None
        self._looking = asyncio.Lock()

    async def get_frozen_credentials(self) -> ReadOnlyCredentials | None:
        """Returns the keys that sign a call, or None if there are none. Raises `CredentialRetrievalError`."""
        if self._found is not None and not _needs_renewal(self._found):
            return await self._found.get_frozen_credentials()
        try:
            async with asyncio.timeout(CREDENTIALS_DEADLINE):
                found = await self._find()
                return await found.get_frozen_credentials() if found else None
        except TimeoutError:
            raise CredentialRetrievalError(provider=self.method, error_msg="no answer in time") from None

    async def get_account_id(self) -> str | None:
        """Returns the account of the credentials, if they include it."""
        frozen = await self.get_frozen_credentials()
        return frozen.account_id if frozen else None

    def get_deferred_property(self, _name: str) -> Callable[[], Awaitable[str | None]]:
        """Returns a function that gets a property; botocore asks for the account only."""
        return self.get_account_id

    async def _find(self) -> _Credentials | None:
        if self._found is None:
            async with self._looking:
                if self._found is None:
                    self._found = await self._resolver.load_credentials()
        return self._found


def _needs_renewal(credentials: _Credentials) -> bool:
    """Returns whether asking for the keys may take a request, and so needs a deadline."""
    return isinstance(credentials, AioRefreshableCredentials) and credentials.refresh_needed()


class _LazyResolver:
    def __init__(self, resolver: _Resolver) -> None:
        self._credentials = LazyCredentials(resolver)

    async def load_credentials(self) -> LazyCredentials:
        return self._credentials


def use_lazy_credentials(session: AioSession) -> None:
    """Makes the session resolve credentials when they are first needed."""
    resolver: _Resolver = session.get_component("credential_provider")
    session.register_component("credential_provider", _LazyResolver(resolver))


class OverloadedError(Exception):
    """Too many callers are admitted, and too many wait."""


class Admission:
    """Admits a number of concurrent callers, queues as many as may wait, and rejects the rest at once.

    In an unbounded queue, every caller would wait until its own deadline has passed. Source: Amazon Builders'
    Library, "Using load shedding to avoid overload".
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._most_waiting = waiting
        self._waiting = 0

    async def __aenter__(self) -> None:
        """Takes a slot until the block ends. Raises `OverloadedError` if none becomes free in time."""
        if self._room.locked():
            await self._wait()
        else:
            await self._room.acquire()

    async def __aexit__(self, *_error: object) -> None:
        self._room.release()

    async def _wait(self) -> None:
        if self._waiting >= self._most_waiting:
            raise OverloadedError
        self._waiting += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._room.acquire()
        except TimeoutError:
            raise OverloadedError from None
        finally:
            self._waiting -= 1


USER_AGENT: Final = "oaktree-status"
"""Names the app in CloudTrail's events."""


def configuration(connections: int) -> AioConfig:
    """Returns a client's configuration; time-outs in seconds.

    Standard mode waits up to 1 s, with jitter, before the second attempt. Adaptive mode would also delay
    calls after throttling, beyond the deadline of the requests that make them.
    Source: AWS SDKs and Tools Reference Guide, "Retry behavior".

    The user agent is fixed: botocore would put one together for each call, which takes a sixth of a GetItem.
    """
    return AioConfig(
        user_agent=USER_AGENT,
        connect_timeout=1,
        read_timeout=1,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": 2},
    )


@dataclass(frozen=True)
class Clients:
    """The app's clients: DynamoDB for requests and for the recorder; AWS and HTTP for the checks.

    Checks and the recorder have their own clients, so that a burst of requests neither makes the table look
    down nor leaves a gap in the history.
    """

    dynamodb: "DynamoDBClient"
    dynamodb_for_recorder: "DynamoDBClient"
    aws: Mapping[str, Any]
    """Those of the checks, as botocore names the services."""

    http: aiohttp.ClientSession
    """For probes. It keeps no cookies, as those of a load balancer would lead each probe to the same task."""

    opened_at: datetime
    """When the app started."""

    def of(self, service: str) -> Any:
        """Returns the checks' client of an AWS service."""
        return self.aws[service]


@asynccontextmanager
async def open_clients(settings: Settings) -> AsyncIterator[Clients]:
    """Opens all clients in one session, and closes them at the end. botocore reads AWS_ENDPOINT_URL.

    Makes no call, not even for credentials. Raises `BotoCoreError` if botocore's own configuration is
    invalid, such as a profile that does not exist.
    """
    session = get_session()
    use_lazy_credentials(session)
    # The stubs accept a service's name as a literal only.
    create_client: Callable[..., AbstractAsyncContextManager[Any]] = session.create_client
    async with AsyncExitStack() as stack:

        async def client(service: str, region: str, connections: int) -> Any:
            return await stack.enter_async_context(
                create_client(service, region_name=region, config=configuration(connections))
            )

        region = settings.aws_region
        checks = [CHECKS[component.kind] for component in settings.watched.values()]
        called = Counter(service for check in checks for service in check.clients)
        yield Clients(
            dynamodb=await client("dynamodb", region, CONNECTIONS_FOR_REQUESTS),
            dynamodb_for_recorder=await client("dynamodb", region, CONNECTIONS_FOR_RECORDER),
            aws={
                service: await client(service, _region(service, settings), CONNECTIONS_FOR_CHECKS * count)
                for service, count in called.items()
            },
            http=await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())),
            opened_at=datetime.now(UTC),
        )


def _region(service: str, settings: Settings) -> str:
    """Returns the region of a client of the checks. The image may be in another region's registry."""
    registry = settings.registry
    return registry.region if service == "ecr" and registry else settings.aws_region
