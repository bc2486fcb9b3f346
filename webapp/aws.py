"""The app's way to AWS: one session, its clients, and failures told apart by kind."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final, Protocol, cast

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions

CLIENT_CONFIGURATION: Final = AioConfig(
    connect_timeout=1,
    read_timeout=1,
    max_pool_connections=20,
    retries={"mode": "standard", "total_max_attempts": 2},
)
"""Time-outs in seconds. Standard mode waits up to 1 s, with jitter, before its second attempt.

Source: AWS SDKs and Tools Reference Guide, "Retry behavior".
"""


class DynamoDB(Protocol):
    """The part of a DynamoDB client that the app uses; the contract's grants allow these actions."""

    async def describe_table(self, *, TableName: str) -> Mapping[str, Mapping[str, object]]: ...

    async def get_item(
        self, *, TableName: str, Key: Mapping[str, Mapping[str, str]], ProjectionExpression: str
    ) -> Mapping[str, object]: ...


class FailureKind(StrEnum):
    """Why a call to AWS failed, as far as it decides what to do about it."""

    TABLE_MISSING = "table_missing"
    ACCESS_DENIED = "access_denied"
    CREDENTIALS = "credentials"
    ENDPOINT_UNREACHABLE = "endpoint_unreachable"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    UNEXPECTED = "unexpected"


CALL_ERRORS: Final = (exceptions.BotoCoreError, exceptions.ClientError, TimeoutError)
"""What a call to AWS with a deadline may raise."""

_CODES: Final[Mapping[str, FailureKind]] = {
    "ResourceNotFoundException": FailureKind.TABLE_MISSING,
    "AccessDeniedException": FailureKind.ACCESS_DENIED,
    "ExpiredToken": FailureKind.CREDENTIALS,
    "ExpiredTokenException": FailureKind.CREDENTIALS,
    "IncompleteSignatureException": FailureKind.CREDENTIALS,
    "InvalidClientTokenId": FailureKind.CREDENTIALS,
    "InvalidSignatureException": FailureKind.CREDENTIALS,
    "MissingAuthenticationTokenException": FailureKind.CREDENTIALS,
    "UnrecognizedClientException": FailureKind.CREDENTIALS,
    "ProvisionedThroughputExceededException": FailureKind.THROTTLED,
    "RequestLimitExceeded": FailureKind.THROTTLED,
    "ThrottlingException": FailureKind.THROTTLED,
}
"""Source: DynamoDB Developer Guide, "Error handling"; DynamoDB API Reference, "Common errors"."""

_ERRORS: Final[tuple[tuple[type[Exception], FailureKind], ...]] = (
    (TimeoutError, FailureKind.TIMEOUT),
    (exceptions.ConnectTimeoutError, FailureKind.TIMEOUT),
    (exceptions.ReadTimeoutError, FailureKind.TIMEOUT),
    (exceptions.NoCredentialsError, FailureKind.CREDENTIALS),
    (exceptions.PartialCredentialsError, FailureKind.CREDENTIALS),
    (exceptions.CredentialRetrievalError, FailureKind.CREDENTIALS),
    (exceptions.TokenRetrievalError, FailureKind.CREDENTIALS),
    (exceptions.ConnectionError, FailureKind.ENDPOINT_UNREACHABLE),
    (exceptions.HTTPClientError, FailureKind.ENDPOINT_UNREACHABLE),
)
"""In this order: a time-out is also a connection error to botocore."""


def failure_kind(error: Exception) -> FailureKind:
    """The kind of failure behind one of `CALL_ERRORS`."""
    if isinstance(error, exceptions.ClientError):
        return _CODES.get(error_code(error) or "", FailureKind.UNEXPECTED)
    return next(
        (kind for error_type, kind in _ERRORS if isinstance(error, error_type)), FailureKind.UNEXPECTED
    )


def error_code(error: Exception) -> str | None:
    """The code AWS answered with, None when AWS did not answer."""
    if isinstance(error, exceptions.ClientError):
        return error.response.get("Error", {}).get("Code")
    return None


def explanation(error: Exception) -> str:
    """What the log may say of one of `CALL_ERRORS`.

    AWS explains a wrong signature by repeating what was signed, the session token included, so of
    failures about credentials only the code is said.
    """
    code = error_code(error)
    if code is not None and failure_kind(error) is FailureKind.CREDENTIALS:
        return code
    return str(error) or type(error).__name__


@asynccontextmanager
async def open_dynamodb(region: str) -> AsyncIterator[DynamoDB]:
    """A DynamoDB client, closed at the end; AWS_ENDPOINT_URL is honoured by botocore."""
    async with get_session().create_client(
        "dynamodb", region_name=region, config=CLIENT_CONFIGURATION
    ) as client:
        yield cast(DynamoDB, client)
