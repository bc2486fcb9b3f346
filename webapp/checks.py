"""Checks of the AWS services the app uses, each with a deadline."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from webapp.aws import CALL_ERRORS, DynamoDB, FailureKind, error_code, explanation, failure_kind
from webapp.contract import PARTITION_KEY, SORT_KEY
from webapp.logs import log

DEADLINE: Final = 2.0
"""Seconds a check may take, retries included."""

_SENTINEL: Final = {PARTITION_KEY: {"S": "readiness"}, SORT_KEY: {"S": "readiness"}}
"""Key of an item that is never written: reading it tells that the table can be read."""


class State(StrEnum):
    """How a service is doing, as far as the app can tell."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Failure:
    """What a kind of failure means: the state it puts a service in, and words for a person."""

    state: State
    message: str


@dataclass(frozen=True)
class Check:
    """The outcome of one check: latency in milliseconds, time in UTC (RFC 3339)."""

    state: State
    latency_ms: float
    checked_at: str
    message: str


FAILURES: Final[Mapping[FailureKind, Failure]] = {
    FailureKind.TABLE_MISSING: Failure(State.DOWN, "The table does not exist."),
    FailureKind.ACCESS_DENIED: Failure(State.UNKNOWN, "AWS does not allow the app to ask."),
    FailureKind.CREDENTIALS: Failure(State.DOWN, "The app has no valid credentials."),
    FailureKind.ENDPOINT_UNREACHABLE: Failure(State.DOWN, "DynamoDB cannot be reached."),
    FailureKind.THROTTLED: Failure(State.DEGRADED, "DynamoDB turns requests away: too many of them."),
    FailureKind.TIMEOUT: Failure(State.DOWN, "DynamoDB did not answer in time."),
    FailureKind.UNEXPECTED: Failure(State.UNKNOWN, "DynamoDB answered in a way the app does not know."),
}

_TABLE_SERVES: Final = frozenset({"ACTIVE", "UPDATING"})
"""Source: DynamoDB API Reference, TableDescription, TableStatus."""


async def ready(dynamodb: DynamoDB, table: str) -> FailureKind | None:
    """Why the table cannot be read; None when it can."""
    try:
        async with asyncio.timeout(DEADLINE):
            await dynamodb.get_item(TableName=table, Key=_SENTINEL, ProjectionExpression=PARTITION_KEY)
    except CALL_ERRORS as error:
        return _noted(error, "GetItem")
    return None


async def check_dynamodb(dynamodb: DynamoDB, table: str) -> Check:
    """How the table is doing."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(DEADLINE):
            description = await dynamodb.describe_table(TableName=table)
    except CALL_ERRORS as error:
        failure = FAILURES[_noted(error, "DescribeTable")]
        return _check(failure.state, started, failure.message)
    status = description["Table"]["TableStatus"]
    return _check(
        State.OPERATIONAL if status in _TABLE_SERVES else State.DOWN, started, f"The table is {status}."
    )


def _check(state: State, started: float, message: str) -> Check:
    latency = round((time.perf_counter() - started) * 1000, 1)
    return Check(state, latency, datetime.now(UTC).isoformat(timespec="milliseconds"), message)


def _noted(error: Exception, action: str) -> FailureKind:
    kind = failure_kind(error)
    log(
        logging.WARNING,
        "a call to AWS failed",
        {
            "action": f"dynamodb:{action}",
            "kind": kind,
            "code": error_code(error),
            "error": explanation(error),
        },
    )
    return kind
