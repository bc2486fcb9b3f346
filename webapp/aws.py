"""The app's clients of AWS, all of one session."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from webapp.admission import Admission
from webapp.checks import CHECKS
from webapp.late_credentials import look_late
from webapp.services import ServiceName
from webapp.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

CONNECTIONS_FOR_REQUESTS: Final = 50
"""Connections to DynamoDB for requests, and as many calls at once."""

WAITING_REQUESTS: Final = 100
"""Requests' calls to DynamoDB that may wait for a connection."""

CONNECTIONS_FOR_RECORDER: Final = 10
"""Connections to DynamoDB for what the app itself keeps and reads in the background."""

CONNECTIONS_FOR_CHECKS: Final = 2
"""Connections to a service for its check."""


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
class LimitedDynamoDB:
    """A client of DynamoDB that many share, and who of them may use it."""

    client: "DynamoDBClient"
    admission: Admission


@dataclass(frozen=True)
class Clients:
    """The app's clients: DynamoDB for requests and for the recorder, and one for each check by its name.

    Checks and the recorder have clients of their own, so that a crowd of requests neither looks like a
    table that is down nor leaves a gap in the history.
    """

    dynamodb: "DynamoDBClient | LimitedDynamoDB"
    dynamodb_for_recorder: "DynamoDBClient"
    checks: Mapping[ServiceName, Any]

    def of_recorder(self) -> "Clients":
        """The clients with the recorder's own in place of the requests'."""
        return replace(self, dynamodb=self.dynamodb_for_recorder)


@asynccontextmanager
async def open_clients(settings: Settings) -> AsyncIterator[Clients]:
    """All clients of one session, closed at the end; AWS_ENDPOINT_URL is honoured by botocore.

    Nothing is asked yet, not even for credentials. Raises `BotoCoreError` when botocore's own
    configuration is wrong, such as a profile that is not there.
    """
    session = get_session()
    look_late(session)
    # The stubs know each name of a service as a literal only.
    create_client: Callable[..., AbstractAsyncContextManager[Any]] = session.create_client
    async with AsyncExitStack() as stack:

        async def client(service: str, region: str, connections: int) -> Any:
            return await stack.enter_async_context(
                create_client(service, region_name=region, config=configuration(connections))
            )

        region = settings.aws_region
        yield Clients(
            dynamodb=LimitedDynamoDB(
                await client("dynamodb", region, CONNECTIONS_FOR_REQUESTS),
                Admission(CONNECTIONS_FOR_REQUESTS, WAITING_REQUESTS),
            ),
            dynamodb_for_recorder=await client("dynamodb", region, CONNECTIONS_FOR_RECORDER),
            checks={
                check.name: await client(check.client, check.region(settings), CONNECTIONS_FOR_CHECKS)
                for check in CHECKS
            },
        )
