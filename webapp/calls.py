"""Calls AWS within a deadline, and tells failures apart by kind."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Container, Hashable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final, TypeVar

from botocore import exceptions

from webapp.logs import log

T = TypeVar("T")

DEADLINE: Final = 2.0
"""Seconds a call may take, retries included."""

SPACING: Final = 1.0
"""Seconds between two lines about the same."""


class FailureKind(StrEnum):
    """Why a call to AWS failed, as far as it decides what to do about it."""

    MISSING = "missing"
    ACCESS_DENIED = "access_denied"
    CREDENTIALS = "credentials"
    ENDPOINT_UNREACHABLE = "endpoint_unreachable"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    UNEXPECTED = "unexpected"


class AwsError(Exception):
    """A call to AWS failed; the log has said why. Nothing of it but the kind is fit for an answer."""

    def __init__(self, action: str, kind: FailureKind) -> None:
        super().__init__(f"{action}: {kind}")
        self.action = action
        self.kind = kind


HINTS: Final[Mapping[FailureKind, str]] = {
    FailureKind.MISSING: "Is the service stack applied, and the app started with its task definition?",
    FailureKind.ACCESS_DENIED: "Does the task role allow the action, and so the permissions boundary?",
    FailureKind.CREDENTIALS: "Does the task have a task role, and can it reach its credentials' endpoint?",
    FailureKind.ENDPOINT_UNREACHABLE: "Is there a route (NAT gateway or VPC endpoint), and do the security "
    "groups let the task out?",
    FailureKind.THROTTLED: "Are there more calls than the account's quota, or than the table, allows?",
    FailureKind.TIMEOUT: "Is there a route (NAT gateway or VPC endpoint)? If others answer, AWS may be slow.",
    FailureKind.UNAVAILABLE: "AWS has an error of its own: see the AWS Health Dashboard.",
    FailureKind.OVERLOADED: "The app itself has too much to do: are there too few tasks, or too small ones?",
    FailureKind.UNEXPECTED: "See the AWS Health Dashboard; if it is quiet, report this line.",
}
"""For the operator who reads the log."""

_CALL_ERRORS: Final = (exceptions.BotoCoreError, exceptions.ClientError, TimeoutError)

_CODES: Final[Mapping[str, FailureKind]] = {
    "AccessDenied": FailureKind.ACCESS_DENIED,
    "AccessDeniedException": FailureKind.ACCESS_DENIED,
    "UnauthorizedOperation": FailureKind.ACCESS_DENIED,
    "ClusterNotFoundException": FailureKind.MISSING,
    "ImageNotFoundException": FailureKind.MISSING,
    "RepositoryNotFoundException": FailureKind.MISSING,
    "ResourceNotFoundException": FailureKind.MISSING,
    "ServiceNotFoundException": FailureKind.MISSING,
    "ExpiredToken": FailureKind.CREDENTIALS,
    "ExpiredTokenException": FailureKind.CREDENTIALS,
    "IncompleteSignature": FailureKind.CREDENTIALS,
    "IncompleteSignatureException": FailureKind.CREDENTIALS,
    "InvalidClientTokenId": FailureKind.CREDENTIALS,
    "InvalidSignatureException": FailureKind.CREDENTIALS,
    "MissingAuthenticationToken": FailureKind.CREDENTIALS,
    "MissingAuthenticationTokenException": FailureKind.CREDENTIALS,
    "RequestExpired": FailureKind.CREDENTIALS,
    "SignatureDoesNotMatch": FailureKind.CREDENTIALS,
    "UnrecognizedClientException": FailureKind.CREDENTIALS,
    "BandwidthLimitExceeded": FailureKind.THROTTLED,
    "LimitExceededException": FailureKind.THROTTLED,
    "PriorRequestNotComplete": FailureKind.THROTTLED,
    "ProvisionedThroughputExceededException": FailureKind.THROTTLED,
    "RequestLimitExceeded": FailureKind.THROTTLED,
    "RequestThrottled": FailureKind.THROTTLED,
    "RequestThrottledException": FailureKind.THROTTLED,
    "SlowDown": FailureKind.THROTTLED,
    "ThrottledException": FailureKind.THROTTLED,
    "Throttling": FailureKind.THROTTLED,
    "ThrottlingException": FailureKind.THROTTLED,
    "TooManyRequestsException": FailureKind.THROTTLED,
    "InternalFailure": FailureKind.UNAVAILABLE,
    "InternalServerError": FailureKind.UNAVAILABLE,
    "ServerException": FailureKind.UNAVAILABLE,
    "ServiceUnavailable": FailureKind.UNAVAILABLE,
    "ServiceUnavailableException": FailureKind.UNAVAILABLE,
}
"""Sources: DynamoDB Developer Guide, "Error handling"; "Common error types" in the API references of
CloudWatch, CloudWatch Logs, DynamoDB, ECR, ECS and STS; AWS SDKs and Tools Reference Guide, "Retry
behavior", for those of throttling."""

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


class LineSpacing:
    """Says which lines to write: of those about the same, one in so many seconds.

    What lines are about is remembered for good, so there must be few such things.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written: dict[Hashable, float] = {}
        self._left_out: dict[Hashable, int] = {}

    def admit(self, about: Hashable) -> int | None:
        """None when the line is to be left out, else how many were left out since the one before."""
        now = self._clock()
        written = self._written.get(about)
        if written is not None and now - written < SPACING:
            self._left_out[about] = self._left_out.get(about, 0) + 1
            return None
        self._written[about] = now
        return self._left_out.pop(about, 0)


_SPACING: Final = LineSpacing()


async def call_aws(
    action: str, call: Awaitable[T], *, expected: Container[str] = (), deadline: float = DEADLINE
) -> T:
    """What a call to AWS answers, within so many seconds; `action` is its IAM name, for the log.

    Raises `AwsError` when the call fails, after a line in the log. An error whose code is expected
    is raised as it is, without one.
    """
    try:
        async with asyncio.timeout(deadline):
            return await call
    except _CALL_ERRORS as error:
        code = error_code(error)
        if code is not None and code in expected:
            raise
        kind = failure_kind(error)
        fields = {"code": code, "error": explanation(error)}
        raise failed("a call to AWS failed", action, kind, fields) from error


def failed(message: str, action: str, kind: FailureKind, fields: Mapping[str, object]) -> AwsError:
    """The error to raise, after a line in the log that says why and gives a hint.

    Of an action's failures of one kind there is one line a second; it says how many were `left_out`
    since the one before.
    """
    left_out = _SPACING.admit((action, kind))
    if left_out is not None:
        said = {"action": action, "kind": kind, **fields, "hint": HINTS[kind]}
        log(logging.WARNING, message, said | {"left_out": left_out} if left_out else said)
    return AwsError(action, kind)


def failure_kind(error: Exception) -> FailureKind:
    """The kind of failure behind an error of botocore, or of a deadline."""
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        otherwise = (
            FailureKind.UNAVAILABLE if status >= HTTPStatus.INTERNAL_SERVER_ERROR else FailureKind.UNEXPECTED
        )
        return _CODES.get(error_code(error) or "", otherwise)
    return next(
        (kind for error_type, kind in _ERRORS if isinstance(error, error_type)), FailureKind.UNEXPECTED
    )


def error_code(error: Exception) -> str | None:
    """The code AWS answered with, None when AWS did not answer."""
    if isinstance(error, exceptions.ClientError):
        return error.response.get("Error", {}).get("Code")
    return None


def explanation(error: Exception) -> str:
    """What the log may say of an error.

    AWS explains a wrong signature by repeating what was signed, the session token included, so of
    failures about credentials only the code is said.
    """
    code = error_code(error)
    if code is not None and failure_kind(error) is FailureKind.CREDENTIALS:
        return code
    return str(error) or type(error).__name__
