"""Calls AWS within a deadline, and classifies failures."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Container, Hashable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final, TypeVar

from botocore import exceptions

from webapp.logs import log
from webapp.states import Finding

T = TypeVar("T")

DEADLINE: Final = 2.0
"""Seconds a call may take, retries included."""

LOG_INTERVAL: Final = 1.0
"""Seconds between two lines about the same subject."""


class FailureKind(StrEnum):
    """The kinds of failure of a call to AWS that the app treats differently."""

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
    """A call to AWS failed, and the reason is logged. A response may expose the kind only.

    `finding` is what a check has found out all the same.
    """

    def __init__(self, action: str, kind: FailureKind, finding: Finding | None = None) -> None:
        super().__init__(f"{action}: {kind}")
        self.action = action
        self.kind = kind
        self.finding = finding


HINTS: Final[Mapping[FailureKind, str]] = {
    FailureKind.MISSING: "Is the service stack applied, and the app started with its task definition?",
    FailureKind.ACCESS_DENIED: "Do the task role and the permissions boundary allow the action?",
    FailureKind.CREDENTIALS: "Does the task have a task role, and can it reach its credentials' endpoint?",
    FailureKind.ENDPOINT_UNREACHABLE: "Is there a route (NAT gateway or VPC endpoint), and do the security "
    "groups let the task out?",
    FailureKind.THROTTLED: "Does the app make more calls than the account's quota or the table allows?",
    FailureKind.TIMEOUT: "Is there a route (NAT gateway or VPC endpoint)? If others answer, AWS may be slow.",
    FailureKind.UNAVAILABLE: "AWS itself failed: see the AWS Health Dashboard.",
    FailureKind.OVERLOADED: "The app is overloaded: are there too few tasks, or are they too small?",
    FailureKind.UNEXPECTED: "See the AWS Health Dashboard; if it is quiet, report this line.",
}
"""Hints for the operator who reads the log."""

_CALL_ERRORS: Final = (exceptions.BotoCoreError, exceptions.ClientError, TimeoutError)

_CODES: Final[Mapping[str, FailureKind]] = {
    "AccessDenied": FailureKind.ACCESS_DENIED,
    "AccessDeniedException": FailureKind.ACCESS_DENIED,
    "AuthorizationError": FailureKind.ACCESS_DENIED,
    "UnauthorizedOperation": FailureKind.ACCESS_DENIED,
    "AWS.SimpleQueueService.NonExistentQueue": FailureKind.MISSING,
    "ClusterNotFoundException": FailureKind.MISSING,
    "DBInstanceNotFound": FailureKind.MISSING,
    "DBInstanceNotFoundFault": FailureKind.MISSING,
    "ImageNotFoundException": FailureKind.MISSING,
    "NoSuchBucket": FailureKind.MISSING,
    "NotFound": FailureKind.MISSING,
    "QueueDoesNotExist": FailureKind.MISSING,
    "ReplicationGroupNotFoundFault": FailureKind.MISSING,
    "RepositoryNotFoundException": FailureKind.MISSING,
    "ResourceNotFoundException": FailureKind.MISSING,
    "ServiceNotFoundException": FailureKind.MISSING,
    "StateMachineDoesNotExist": FailureKind.MISSING,
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
CloudWatch, DynamoDB, ECR, ECS, ElastiCache, RDS, S3, SNS, SQS and Step Functions; AWS SDKs and Tools
Reference Guide, "Retry behavior", for throttling."""

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
"""The order matters: botocore's time-outs are also connection errors."""


class LogRateLimit:
    """Limits log lines to one per subject and `LOG_INTERVAL`.

    It never forgets a subject, so there must be few.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written: dict[Hashable, float] = {}
        self._left_out: dict[Hashable, int] = {}

    def admit(self, subject: Hashable) -> int | None:
        """Returns None if the line is suppressed, else how many were suppressed since the previous line."""
        now = self._clock()
        written = self._written.get(subject)
        if written is not None and now - written < LOG_INTERVAL:
            self._left_out[subject] = self._left_out.get(subject, 0) + 1
            return None
        self._written[subject] = now
        return self._left_out.pop(subject, 0)


_RATE_LIMIT: Final = LogRateLimit()


async def call_aws(
    action: str, call: Awaitable[T], *, expected: Container[str] = (), deadline: float = DEADLINE
) -> T:
    """Awaits a call to AWS for at most `deadline` seconds; `action` is its IAM action, for the log.

    Logs a failure and raises `AwsError`. An error with an expected code is raised unchanged and not logged.
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
        raise log_failure("a call to AWS failed", action, kind, fields) from error


def log_failure(message: str, action: str, kind: FailureKind, fields: Mapping[str, object]) -> AwsError:
    """Logs a failure with a hint, and returns the error to raise.

    Failures of one action and kind are logged once a second; `left_out` counts those suppressed since the
    previous line.
    """
    left_out = _RATE_LIMIT.admit((action, kind))
    if left_out is not None:
        logged = {"action": action, "kind": kind, **fields, "hint": HINTS[kind]}
        log(logging.WARNING, message, logged | {"left_out": left_out} if left_out else logged)
    return AwsError(action, kind)


def failure_kind(error: Exception) -> FailureKind:
    """Classifies an error of botocore, or a missed deadline."""
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
    """Returns the error code of AWS, or None if AWS did not answer."""
    if isinstance(error, exceptions.ClientError):
        return error.response.get("Error", {}).get("Code")
    return None


def explanation(error: Exception) -> str:
    """Returns the text to log for an error.

    AWS repeats the signed request, session token included, when a signature is wrong, so a credentials
    failure is logged by its code only.
    """
    code = error_code(error)
    if code is not None and failure_kind(error) is FailureKind.CREDENTIALS:
        return code
    return str(error) or type(error).__name__
