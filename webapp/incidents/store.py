"""The incidents in the table, and the open ones on the board."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from webapp.board import Board
from webapp.incidents.models import Incident, Openness, Progress
from webapp.table import (
    IDEMPOTENCY_KEPT,
    IDS,
    INCIDENTS,
    NEWER_THAN_ANY_INCIDENT,
    OPEN_INCIDENTS,
    Key,
    content_of,
    incident_key,
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


@dataclass(frozen=True)
class Claim:
    """An idempotency key, as the table knows it, and what the request that came with it asked for."""

    key: Key
    fingerprint: str


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
            "Item": _item_of(after),
            "ConditionExpression": "#version = :before",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":before": {"N": str(after.version - 1)}},
        }
    }
    closing = (_remove_from_open(table, after),) if after.state is Progress.RESOLVED else ()
    await table.transact(putting, *closing)


async def read_incident(table: TableClient, identifier: str) -> Incident | None:
    """The incident as it is now; None when there is none of this id."""
    item = await table.get(incident_key(identifier))
    return None if item is None else _incident_of(item)


async def read_open_incidents(table: TableClient) -> tuple[Incident, ...]:
    """All open incidents, those opened last first."""
    item = await table.get(OPEN_INCIDENTS)
    identifiers = sorted(item[IDS]["SS"], reverse=True) if item and IDS in item else []
    found = await asyncio.gather(*(read_incident(table, identifier) for identifier in identifiers))
    # One may have been resolved since the ids were read.
    return tuple(incident for incident in found if incident and incident.state is not Progress.RESOLVED)


async def list_incidents(
    table: TableClient, state: Openness | None, before: str | None, most: int
) -> tuple[Incident, ...]:
    """Incidents opened before the one with this id, those opened last first."""
    if state == "open":
        opened = await read_open_incidents(table)
        return tuple(incident for incident in opened if before is None or incident.id < before)[:most]
    upper = NEWER_THAN_ANY_INCIDENT if before is None else incident_key(before)
    resolved = ("attribute_exists(#resolved_at)", {"#resolved_at": "resolved_at"})
    items = await table.query(
        "pk = :pk AND sk < :upper",
        {":pk": {"S": INCIDENTS}, ":upper": {"S": upper.sk}},
        filter=resolved if state == "resolved" else None,
        newest_first=True,
        most=most,
    )
    return tuple(_incident_of(item) for item in items)


async def refresh_open_incidents(table: TableClient, board: Board) -> None:
    """Puts the open incidents on the board.

    A read that began before something else changed the board may be older than that, so it is made
    again; but not for ever, as the next refresh is not far.
    """
    for _ in range(MOST_READS):
        before = board.snapshot.open_incidents
        found = await read_open_incidents(table)
        if board.snapshot.open_incidents is before:
            board.put_open_incidents(found)
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
            "Item": _item_of(incident),
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
            "Key": OPEN_INCIDENTS.attributes,
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
            "Key": OPEN_INCIDENTS.attributes,
            "UpdateExpression": "DELETE #ids :ids",
            "ExpressionAttributeNames": {"#ids": IDS},
            "ExpressionAttributeValues": {":ids": {"SS": [incident.id]}},
        }
    }


def _item_of(incident: Incident) -> "Item":
    return item_of(incident_key(incident.id), incident.model_dump(mode="json"))


def _incident_of(item: "Item") -> Incident:
    return Incident.model_validate({"resolved_at": None, **content_of(item)})
