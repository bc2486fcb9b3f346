"""The session with AWS: its credentials, its clients, and how many requests may use one at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from webapp.checks import CHECKS
from webapp.services import ServiceName
from webapp.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


CREDENTIALS_DEADLINE: Final = 1.5
"""Seconds to find or renew credentials: less than a call may take, so that it fails for what is wrong."""

LONGEST_WAIT: Final = 2.0
"""Seconds that somebody waits for admission."""

CONNECTIONS_FOR_REQUESTS: Final = 50
"""Connections to DynamoDB for requests, and as many calls at once."""

WAITING_REQUESTS: Final = 100
"""Requests' calls to DynamoDB that may wait for a connection."""

CONNECTIONS_FOR_RECORDER: Final = 10
"""Connections to DynamoDB for what the app itself keeps and reads in the background."""

CONNECTIONS_FOR_CHECKS: Final = 2
"""Connections to a service for its check."""


class _Credentials(Protocol):
    async def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


class _Resolver(Protocol):
    async def load_credentials(self) -> _Credentials | None: ...


class LazyCredentials:
    """Credentials that are looked for when a call is signed, not when a client is made.

    botocore looks for them when it makes a client, so an app whose credentials' endpoint is away could
    not start. Source of that endpoint: AWS SDKs and Tools Reference Guide, "Container credential provider".

    It asks the session's resolver until that finds some, and has what aiobotocore asks of credentials. They
    are the only ones of a session, so what waits for them waits for one look.
    """

    method: Final = "late"

    def __init__(self, resolver: _Resolver) -> None:
        self._resolver = resolver
        self._found: _Credentials | None = None
        self._looking = asyncio.Lock()

    async def get_frozen_credentials(self) -> ReadOnlyCredentials | None:
        """What signs a call, None when nothing has credentials. Raises `CredentialRetrievalError`."""
        try:
            async with asyncio.timeout(CREDENTIALS_DEADLINE):
                found = await self._find()
                return await found.get_frozen_credentials() if found else None
        except TimeoutError:
            raise CredentialRetrievalError(provider=self.method, error_msg="no answer in time") from None

    async def get_account_id(self) -> str | None:
        """The account that the credentials are of, as far as they tell."""
        frozen = await self.get_frozen_credentials()
        return frozen.account_id if frozen else None

    def get_deferred_property(self, _name: str) -> Callable[[], Awaitable[str | None]]:
        """How to ask for a property later; the account is the one that botocore asks for."""
        return self.get_account_id

    async def _find(self) -> _Credentials | None:
        if self._found is None:
            async with self._looking:
                if self._found is None:
                    self._found = await self._resolver.load_credentials()
        return self._found


class _LazyResolver:
    def __init__(self, resolver: _Resolver) -> None:
        self._credentials = LazyCredentials(resolver)

    async def load_credentials(self) -> LazyCredentials:
        return self._credentials


def use_lazy_credentials(session: AioSession) -> None:
    """Has the session look for credentials when they are first needed."""
    resolver: _Resolver = session.get_component("credential_provider")
    session.register_component("credential_provider", _LazyResolver(resolver))


class OverloadedError(Exception):
    """There is no room, and none to wait in."""


class Admission:
    """Admits so many at once and lets so many wait, the longest waiting first; turns others away at once.

    A queue without a bound would only have everybody wait until it is too late for them. Source:
    Amazon Builders' Library, "Using load shedding to avoid overload".
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._most_waiting = waiting
        self._waiting = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Holds a place while the block runs. Raises `OverloadedError` when there is none in time."""
        if self._room.locked() and self._waiting >= self._most_waiting:
            raise OverloadedError
        self._waiting += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._room.acquire()
        except TimeoutError:
            raise OverloadedError from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._room.release()


def configuration(connections: int) -> AioConfig:
    """A client's configuration; time-outs in seconds.

    Standard retries wait up to 1 s, with jitter, before the second attempt. Adaptive mode would
    also hold back calls after throttling, those of requests included, longer than their deadline.
    Source: AWS SDKs and Tools Reference Guide, "Retry behavior".
    """
    return AioConfig(
        connect_timeout=1,
        read_timeout=1,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": 2},
    )


@dataclass(frozen=True)
class Clients:
    """The app's clients: DynamoDB for requests and for the recorder, and one for each check by its name.

    Checks and the recorder have clients of their own, so that a crowd of requests neither looks like a
    table that is down nor leaves a gap in the history.
    """

    dynamodb: "DynamoDBClient"
    dynamodb_for_recorder: "DynamoDBClient"
    checks: Mapping[ServiceName, Any]


@asynccontextmanager
async def open_clients(settings: Settings) -> AsyncIterator[Clients]:
    """All clients of one session, closed at the end; AWS_ENDPOINT_URL is honoured by botocore.

    Nothing is asked yet, not even for credentials. Raises `BotoCoreError` when botocore's own
    configuration is wrong, such as a profile that is not there.
    """
    session = get_session()
    use_lazy_credentials(session)
    # The stubs know each name of a service as a literal only.
    create_client: Callable[..., AbstractAsyncContextManager[Any]] = session.create_client
    async with AsyncExitStack() as stack:

        async def client(service: str, region: str, connections: int) -> Any:
            return await stack.enter_async_context(
                create_client(service, region_name=region, config=configuration(connections))
            )

        region = settings.aws_region
        yield Clients(
            dynamodb=await client("dynamodb", region, CONNECTIONS_FOR_REQUESTS),
            dynamodb_for_recorder=await client("dynamodb", region, CONNECTIONS_FOR_RECORDER),
            checks={
                check.name: await client(check.client, check.region(settings), CONNECTIONS_FOR_CHECKS)
                for check in CHECKS
            },
        )
