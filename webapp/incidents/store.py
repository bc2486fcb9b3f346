"""The incidents in the table, and the open ones on the board."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from webapp.board import Board, utc_now
from webapp.calls import call_aws
from webapp.incidents.models import Incident, Openness, Progress
from webapp.table import (
    IDEMPOTENCY_KEPT,
    IDS,
    NEWER_THAN_ANY_INCIDENT,
    Key,
    content_of,
    item_of,
    seconds,
)
from webapp.table_client import ConditionError, TableClient

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

    from webapp.table import Item

MOST_OPEN: Final = 50
"""Incidents that may be open at once, so that each task can hold all of them."""

MOST_READS: Final = 3
"""Reads in one refresh of the board."""

MOST_LISTED: Final = 1_000_000
"""Bytes of a page of incidents as JSON, unless its first incident alone has more; the next page goes on."""

LONGEST_LISTING: Final = 5.0
"""Seconds that it may take to read a page of incidents, however many reads that needs."""

_AT_ONCE: Final = 5
"""Open incidents that are read at the same time for a page."""


@dataclass(frozen=True)
class Claim:
    """An idempotency key, as the table knows it, and what the request that came with it asked for."""

    key: Key
    fingerprint: str


@dataclass(frozen=True)
class Listed:
    """A page of incidents; `next_before` is the id that the next page begins before, if there is one."""

    incidents: tuple[Incident, ...]
    next_before: str | None


class ClaimedError(Exception):
    """An idempotency key came with another request before."""


class TooManyOpenError(Exception):
    """As many incidents are open as may be."""


async def create_incident(
    table: TableClient, incident: Incident, claim: Claim | None
) -> tuple[Incident, Literal["created", "replayed"]]:
    """Puts a new incident, or finds the one that the same claim has made within 24 hours.

    Raises `ClaimedError` when the claim's key has made an incident of another request,
    `TooManyOpenError` when there is no room for one more.
    """
    opening, putting = _add_to_open(table, incident), _put_new(table, incident)
    claiming = () if claim is None else (_put_claim(table, claim, incident),)
    try:
        await table.transact(opening, putting, *claiming)
    except ConditionError as error:
        if claim is None or _CLAIMING not in error.found:
            raise TooManyOpenError from error
        former = content_of(error.found[_CLAIMING])
        if former["fingerprint"] != claim.fingerprint:
            raise ClaimedError from error
        found = await read_incident(table, str(former["incident"]))
        if found is None:
            raise
        return found, "replayed"
    return incident, "created"


_CLAIMING: Final = 2
"""Position of the claim among the writes of a new incident."""


async def replace_incident(table: TableClient, after: Incident) -> None:
    """Puts the next version of an incident in the place of the one before.

    Raises `ConditionError` when the table has another version than the one before.
    """
    putting: TransactWriteItemTypeDef = {
        "Put": {
            "TableName": table.name,
            "Item": _item_of(table, after),
            "ConditionExpression": "#version = :before",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":before": {"N": str(after.version - 1)}},
        }
    }
    closing = (_remove_from_open(table, after),) if after.state is Progress.RESOLVED else ()
    await table.transact(putting, *closing)


async def read_incident(table: TableClient, identifier: str) -> Incident | None:
    """The incident as it is now; None when there is none of this id."""
    item = await table.get(table.keys.incident(identifier))
    return None if item is None else _incident_of(item)


async def read_open_incidents(table: TableClient) -> tuple[Incident, ...]:
    """All open incidents, those opened last first."""
    return await _read_open(table, await _read_open_ids(table))


async def list_incidents(
    table: TableClient, state: Openness | None, before: str | None, limit: int
) -> Listed:
    """Incidents opened before the one with this id, those opened last first, `MOST_LISTED` bytes at most.

    Raises `AwsError` when the table does not answer, or not in time.
    """
    listing = _list_open(table, before, limit) if state == "open" else _list(table, state, before, limit)
    return await call_aws("dynamodb:Query", listing, deadline=LONGEST_LISTING)


async def _list_open(table: TableClient, before: str | None, limit: int) -> Listed:
    identifiers = [found for found in await _read_open_ids(table) if before is None or found < before]
    page = identifiers[:limit]
    incidents: list[Incident] = []
    for start in range(0, len(page), _AT_ONCE):
        incidents += await _read_open(table, page[start : start + _AT_ONCE])
        fitting = _fitting(incidents)
        if fitting < len(incidents):
            return Listed(tuple(incidents[:fitting]), incidents[fitting - 1].id)
    # The last one may have been resolved since, so the next page goes by the ids.
    return Listed(tuple(incidents), page[-1] if len(identifiers) > len(page) else None)


async def _list(table: TableClient, state: Openness | None, before: str | None, limit: int) -> Listed:
    upper = NEWER_THAN_ANY_INCIDENT if before is None else table.keys.incident(before).sk
    resolved = ("attribute_exists(#resolved_at)", {"#resolved_at": "resolved_at"})
    pages = table.pages(
        "pk = :pk AND sk < :upper",
        {":pk": {"S": table.keys.incidents}, ":upper": {"S": upper}},
        filter=resolved if state == "resolved" else None,
        newest_first=True,
        most=limit + 1,
    )
    incidents: list[Incident] = []
    async with aclosing(pages):
        async for page in pages:
            incidents += (_incident_of(item) for item in page)
            fitting = min(_fitting(incidents), limit)
            if fitting < len(incidents):
                return Listed(tuple(incidents[:fitting]), incidents[fitting - 1].id)
    return Listed(tuple(incidents), None)


def _fitting(incidents: list[Incident]) -> int:
    """How many of these have room on a page; the first always has."""
    room = MOST_LISTED
    for position, incident in enumerate(incidents):
        room -= len(incident.model_dump_json().encode())
        if room < 0 and position:
            return position
    return len(incidents)


async def _read_open_ids(table: TableClient) -> list[str]:
    item = await table.get(table.keys.open_incidents)
    return sorted(item[IDS]["SS"], reverse=True) if item and IDS in item else []


async def _read_open(table: TableClient, identifiers: list[str]) -> tuple[Incident, ...]:
    found = await asyncio.gather(*(read_incident(table, identifier) for identifier in identifiers))
    # One may have been resolved since the ids were read.
    return tuple(incident for incident in found if incident and incident.state is not Progress.RESOLVED)


async def refresh_open_incidents(table: TableClient, board: Board) -> None:
    """Puts the open incidents on the board.

    A read that began before something else changed the board may be older than that, so it is made
    again; but not for ever, as the next refresh is not far.
    """
    for _ in range(MOST_READS):
        before, began = board.snapshot.open_incidents, utc_now()
        found = await read_open_incidents(table)
        if board.snapshot.open_incidents is before:
            board.put_open_incidents(found, began)
            return


async def show_incident(table: TableClient, board: Board, incident: Incident) -> None:
    """Puts what was just written on the board.

    When the board has no incidents yet, as the app has just started, they are read. Raises `AwsError` then.
    """
    known = board.snapshot.open_incidents
    if known is None:
        await refresh_open_incidents(table, board)
    else:
        board.put_open_incidents(with_incident(known, incident))


def with_incident(known: tuple[Incident, ...], incident: Incident) -> tuple[Incident, ...]:
    """Open incidents, those opened last first, once an incident was written; a later version stays."""
    if any(other.id == incident.id and other.version > incident.version for other in known):
        return known
    others = [other for other in known if other.id != incident.id]
    is_open = incident.state is not Progress.RESOLVED
    return tuple(sorted([*others, incident] if is_open else others, key=_by_id, reverse=True))


def _by_id(incident: Incident) -> str:
    return incident.id


def _put_new(table: TableClient, incident: Incident) -> "TransactWriteItemTypeDef":
    return {
        "Put": {
            "TableName": table.name,
            "Item": _item_of(table, incident),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }


def _put_claim(table: TableClient, claim: Claim, incident: Incident) -> "TransactWriteItemTypeDef":
    now = incident.opened_at
    content = {"fingerprint": claim.fingerprint, "incident": incident.id}
    return {
        "Put": {
            "TableName": table.name,
            "Item": item_of(claim.key, content, now + IDEMPOTENCY_KEPT),
            "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now",
            "ExpressionAttributeValues": {":now": seconds(now)},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def _add_to_open(table: TableClient, incident: Incident) -> "TransactWriteItemTypeDef":
    return {
        "Update": {
            "TableName": table.name,
            "Key": table.keys.open_incidents.attributes,
            "UpdateExpression": "ADD #ids :ids",
            "ConditionExpression": "attribute_not_exists(#ids) OR size(#ids) < :most",
            "ExpressionAttributeNames": {"#ids": IDS},
            "ExpressionAttributeValues": {":ids": {"SS": [incident.id]}, ":most": {"N": str(MOST_OPEN)}},
        }
    }


def _remove_from_open(table: TableClient, incident: Incident) -> "TransactWriteItemTypeDef":
    return {
        "Update": {
            "TableName": table.name,
            "Key": table.keys.open_incidents.attributes,
            "UpdateExpression": "DELETE #ids :ids",
            "ExpressionAttributeNames": {"#ids": IDS},
            "ExpressionAttributeValues": {":ids": {"SS": [incident.id]}},
        }
    }


def _item_of(table: TableClient, incident: Incident) -> "Item":
    return item_of(table.keys.incident(incident.id), incident.model_dump(mode="json"))


def _incident_of(item: "Item") -> Incident:
    return Incident.model_validate({"resolved_at": None, **content_of(item)})
