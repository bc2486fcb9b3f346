"""The incidents in the table, and the open ones on the board."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from webapp.board import Board, utc_now
from webapp.calls import call_aws
from webapp.incidents.models import Incident, Kind, Openness, Severity, as_of, incident_id, open_at
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
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from webapp.table import Item

MOST_OPEN: Final = 50
"""Incidents and maintenances that may be open at once, so that each task can hold all of them."""

FORGOTTEN_AFTER: Final = timedelta(hours=1)
"""After its end, the id of a maintenance leaves the open ones: by then every task's clock says it is over."""

MOST_READS: Final = 3
"""Reads in one refresh of the board."""

MOST_LISTED: Final = 1_000_000
"""Bytes of a page of incidents as JSON, unless its first incident alone has more; the next page goes on."""

RECENT_DAYS: Final = 14
"""Days of which the board has all incidents, including today."""

MOST_RECENT: Final = 100

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
class Wanted:
    """The incidents of a list: those in a state, and that began from `start` on and before `end`."""

    state: Openness | None = None
    start: datetime | None = None
    end: datetime | None = None


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


async def replace_incident(table: TableClient, before: Incident, after: Incident) -> None:
    """Puts the next version of an incident in the place of the one before.

    Raises `ConditionError` when the table has another version than the one before, `TooManyOpenError` when
    it is reopened and there is no room for one more.
    """
    putting: TransactWriteItemTypeDef = {
        "Put": {
            "TableName": table.name,
            "Item": _item_of(table, after),
            "ConditionExpression": "#version = :before",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":before": {"N": str(before.version)}},
        }
    }
    moving: tuple[TransactWriteItemTypeDef, ...] = ()
    if after.is_over:
        moving = (_remove_from_open(table, [after.id]),)
    elif before.is_over:
        moving = (_add_to_open(table, after),)
    try:
        await table.transact(putting, *moving)
    except ConditionError as error:
        if error.found.keys() == {_MOVING}:
            raise TooManyOpenError from error
        raise


_MOVING: Final = 1
"""Position of the change of the open ids among the writes of a change."""


async def read_incident(table: TableClient, identifier: str) -> Incident | None:
    """The incident as it was last written; None when there is none of this id."""
    item = await table.get(table.keys.incident(identifier))
    return None if item is None else incident_of(item)


async def read_open_incidents(table: TableClient) -> tuple[Incident, ...]:
    """All open incidents, the newest first. Removes the ids of maintenances that ended long ago."""
    found, now = await _read_all(table, await _read_open_ids(table)), utc_now()
    forgotten = [each.id for each in found if each.ends_at and each.ends_at + FORGOTTEN_AFTER < now]
    if forgotten:
        await table.transact(_remove_from_open(table, forgotten))
    return open_at(found, now)


async def list_incidents(
    table: TableClient, wanted: Wanted, before: str | None, limit: int, now: datetime
) -> Listed:
    """Incidents in their state at a time, the newest first, `MOST_LISTED` bytes at most.

    With `before`, those that sort before this id. Raises `AwsError` when the table does not answer, or not in
    time.
    """
    lowest = "" if wanted.start is None else incident_id(wanted.start, bytes(10))
    highest = NEWER_THAN_ANY_INCIDENT if wanted.end is None else _before(incident_id(wanted.end, bytes(10)))
    if before is not None:
        highest = min(highest, _before(before))
    if lowest > highest:
        return Listed((), None)
    if wanted.state == "open":
        listing = _list_open(table, lowest, highest, limit, now)
    else:
        listing = _list(table, wanted.state, lowest, highest, limit, now)
    return await call_aws("dynamodb:Query", listing, deadline=LONGEST_LISTING)


def _before(identifier: str) -> str:
    """The highest id that sorts before this one."""
    return str(UUID(int=max(0, UUID(identifier).int - 1)))


async def _list_open(table: TableClient, lowest: str, highest: str, limit: int, now: datetime) -> Listed:
    identifiers = [found for found in await _read_open_ids(table) if lowest <= found <= highest]
    page = identifiers[:limit]
    incidents: list[Incident] = []
    for start in range(0, len(page), _AT_ONCE):
        incidents += open_at(await _read_all(table, page[start : start + _AT_ONCE]), now)
        fitting = _fitting(incidents)
        if fitting < len(incidents):
            return Listed(tuple(incidents[:fitting]), incidents[fitting - 1].id)
    # The last one may be over by now, so the next page goes by the ids.
    return Listed(tuple(incidents), page[-1] if len(identifiers) > len(page) else None)


async def _list(
    table: TableClient, state: Openness | None, lowest: str, highest: str, limit: int, now: datetime
) -> Listed:
    values: dict[str, AttributeValueTypeDef] = {
        ":pk": {"S": table.keys.incidents},
        ":lowest": {"S": table.keys.incident(lowest).sk},
        ":highest": {"S": table.keys.incident(highest).sk},
    }
    resolved = None
    if state == "resolved":
        # Both times are whole seconds in UTC, so they compare as text.
        values[":now"] = {"S": now.strftime(_SECONDS)}
        resolved = (
            "attribute_exists(#resolved_at) OR #ends_at <= :now",
            {"#resolved_at": "resolved_at", "#ends_at": "ends_at"},
        )
    pages = table.pages(
        "pk = :pk AND sk BETWEEN :lowest AND :highest",
        values,
        filter=resolved,
        newest_first=True,
        most=limit + 1,
    )
    incidents: list[Incident] = []
    async with aclosing(pages):
        async for page in pages:
            incidents += (as_of(incident_of(item), now) for item in page)
            fitting = min(_fitting(incidents), limit)
            if fitting < len(incidents):
                return Listed(tuple(incidents[:fitting]), incidents[fitting - 1].id)
    return Listed(tuple(incidents), None)


_SECONDS: Final = "%Y-%m-%dT%H:%M:%SZ"


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


async def _read_all(table: TableClient, identifiers: list[str]) -> tuple[Incident, ...]:
    found = await asyncio.gather(*(read_incident(table, identifier) for identifier in identifiers))
    return tuple(incident for incident in found if incident)


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


async def refresh_recent_incidents(table: TableClient, board: Board) -> None:
    """Puts the incidents that began in the last days on the board, whether they are over or not.

    If they are too many for a page of a list, those that began first are left out.
    """
    now = utc_now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = Wanted(start=midnight - timedelta(days=RECENT_DAYS - 1))
    listed = await list_incidents(table, wanted, None, MOST_RECENT, now)
    found = listed.incidents
    since = found[-1].began_at if listed.next_before else None
    # What this task has written during the read may be newer.
    for known in board.snapshot.recent_incidents or ():
        if known.updated_at > now:
            found = with_recent(found, known)
    board.put_recent_incidents(found, since)


async def show_incident(table: TableClient, board: Board, incident: Incident) -> None:
    """Puts what was just written on the board.

    When the board has no incidents yet, as the app has just started, they are read. Raises `AwsError` then.
    """
    if board.snapshot.recent_incidents is not None:
        recent = with_recent(board.snapshot.recent_incidents, incident)
        board.put_recent_incidents(recent, board.snapshot.recent_since)
    known = board.snapshot.open_incidents
    if known is None:
        await refresh_open_incidents(table, board)
    else:
        board.put_open_incidents(with_incident(known, incident))


def with_incident(known: tuple[Incident, ...], incident: Incident) -> tuple[Incident, ...]:
    """Open incidents, those opened last first, once an incident was written; a later version stays."""
    return tuple(each for each in with_recent(known, incident) if not each.is_over)


def with_recent(known: tuple[Incident, ...], incident: Incident) -> tuple[Incident, ...]:
    """Recent incidents, the newest first, once an incident was written; a later version stays."""
    if any(other.id == incident.id and other.version > incident.version for other in known):
        return known
    others = [other for other in known if other.id != incident.id]
    return tuple(sorted([*others, incident], key=lambda each: each.id, reverse=True))


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


def _remove_from_open(table: TableClient, identifiers: list[str]) -> "TransactWriteItemTypeDef":
    return {
        "Update": {
            "TableName": table.name,
            "Key": table.keys.open_incidents.attributes,
            "UpdateExpression": "DELETE #ids :ids",
            "ExpressionAttributeNames": {"#ids": IDS},
            "ExpressionAttributeValues": {":ids": {"SS": identifiers}},
        }
    }


def _item_of(table: TableClient, incident: Incident) -> "Item":
    return item_of(table.keys.incident(incident.id), incident.model_dump(mode="json"))


def incident_of(item: "Item") -> Incident:
    """Returns the incident of an item.

    Items from before there were components, severities and maintenances have services in their place, and
    their updates no numbers.
    """
    content: dict[str, Any] = content_of(item)
    if "services" in content:
        content["components"] = content.pop("services")
        content |= {"kind": Kind.INCIDENT, "severity": Severity.MINOR}
        count = len(content["updates"])
        content["updates"] = [
            update | {"number": count - position} for position, update in enumerate(content["updates"])
        ]
    return Incident.model_validate(content)
