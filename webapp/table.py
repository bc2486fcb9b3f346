"""The app's table: its keys, and what an item of DynamoDB looks like in Python.

One table holds everything. The partition key is `pk`, the sort key `sk`, both text:

| pk                       | sk                            | what it is                          | kept     |
|--------------------------|-------------------------------|-------------------------------------|----------|
| `web#history#ecs`        | `minute#2026-11-23T06:25:00Z` | what a check found for one minute   | 90 days  |
| `web#history#ecs`        | `day#2026-11-23`              | how many records of each state      | 400 days |
| `web#incidents`          | `incident#<id>`               | an incident with all its updates    | for ever |
| `web#incidents`          | `open`                        | the ids of the open ones, as a set  | for ever |
| `web#idempotency#<hash>` | `create-incident`             | which incident a key has made       | 24 hours |

The table is the environment's, so each partition begins with the service whose app has written it, here
`web`. The hash is the SHA-256 of the client's key. `expires_at` is DynamoDB's time to live, in seconds since
the epoch; an item may outlive it by days (DynamoDB Developer Guide, "Using time to live"), so nothing
relies on its removal.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from webapp.services import ServiceName

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef

    Item = Mapping[str, AttributeValueTypeDef]

PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
EXPIRY_ATTRIBUTE: Final = "expires_at"
"""DynamoDB time to live: seconds since the epoch, as a number."""

RECORDS_KEPT: Final = timedelta(days=90)
DAYS_KEPT: Final = timedelta(days=400)
IDEMPOTENCY_KEPT: Final = timedelta(hours=24)

IDS: Final = "ids"
"""Attribute of the item `open`: a set of text, and absent while it is empty."""

_MINUTE: Final = "minute#"
_DAY: Final = "day#"
_INCIDENT: Final = "incident#"
_WHOLE: Final = re.compile(r"-?\d+")


@dataclass(frozen=True)
class Key:
    """Names one item."""

    pk: str
    sk: str

    @property
    def attributes(self) -> dict[str, "AttributeValueTypeDef"]:
        """The key as DynamoDB takes it."""
        return {PARTITION_KEY: {"S": self.pk}, SORT_KEY: {"S": self.sk}}


NEWER_THAN_ANY_INCIDENT: Final = f"{_INCIDENT}~"
"""A sort key after every incident's and before `open`."""


@dataclass(frozen=True)
class Keys:
    """The keys of one of the environment's services, by its name: others have keys of their own."""

    service: str

    def history(self, checked: ServiceName) -> str:
        """The partition that has the minutes and days of what is checked."""
        return f"{self.service}#history#{checked}"

    def minute(self, checked: ServiceName, slot: datetime) -> Key:
        """The record for the minute (UTC) that begins then."""
        return Key(self.history(checked), f"{_MINUTE}{slot.astimezone(UTC):%Y-%m-%dT%H:%M}:00Z")

    def day(self, checked: ServiceName, day: date) -> Key:
        """The counters for a day (UTC)."""
        return Key(self.history(checked), f"{_DAY}{day.isoformat()}")

    @property
    def incidents(self) -> str:
        """The partition that has the incidents."""
        return f"{self.service}#incidents"

    @property
    def open_incidents(self) -> Key:
        """The ids of the open incidents."""
        return Key(self.incidents, "open")

    def incident(self, identifier: str) -> Key:
        """An incident. Its id sorts by the time it was opened."""
        return Key(self.incidents, f"{_INCIDENT}{identifier}")

    def idempotency(self, key: str) -> Key:
        """What a client's idempotency key stands for; the key itself is nobody's business."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        return Key(f"{self.service}#idempotency#{digest}", "create-incident")


def minute_of(item: "Item") -> datetime:
    """The minute that a record is for."""
    return datetime.fromisoformat(_sort_key(item).removeprefix(_MINUTE))


def day_of(item: "Item") -> date:
    """The day that counters are for."""
    return date.fromisoformat(_sort_key(item).removeprefix(_DAY))


def item_of(
    key: Key, content: Mapping[str, JsonValue], expires_at: datetime | None = None
) -> dict[str, "AttributeValueTypeDef"]:
    """An item with this content; members that are None are left out."""
    item = {name: attribute(value) for name, value in content.items() if value is not None}
    expiry = {} if expires_at is None else {EXPIRY_ATTRIBUTE: seconds(expires_at)}
    return {**item, **expiry, **key.attributes}


def content_of(item: "Item") -> dict[str, JsonValue]:
    """An item's content: all but its key and expiry.

    Raises `ValueError` for what the app writes nowhere: binary values, and sets of them or of numbers.
    """
    about = {PARTITION_KEY, SORT_KEY, EXPIRY_ATTRIBUTE}
    return {name: value_of(value) for name, value in item.items() if name not in about}


def seconds(at: datetime) -> "AttributeValueTypeDef":
    """A time as DynamoDB's time to live wants it: whole seconds since the epoch."""
    return {"N": str(int(at.timestamp()))}


def attribute(value: JsonValue) -> "AttributeValueTypeDef":
    """A value as DynamoDB takes it; a number of JSON is one of DynamoDB.

    Source: Amazon DynamoDB API Reference, "AttributeValue".
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case list():
            return {"L": [attribute(part) for part in value]}
        case dict():
            return {"M": {name: attribute(part) for name, part in value.items()}}


def value_of(attribute: "AttributeValueTypeDef") -> JsonValue:
    """A value as DynamoDB gave it; a set of text is a sorted list.

    Raises `ValueError` for the types that the app does not write.
    """
    match attribute:
        case {"S": text}:
            return text
        case {"N": number}:
            return int(number) if _WHOLE.fullmatch(number) else float(number)
        case {"BOOL": truth}:
            return truth
        case {"L": parts}:
            return [value_of(part) for part in parts]
        case {"M": parts}:
            return {name: value_of(part) for name, part in parts.items()}
        case {"SS": texts}:
            return [*sorted(texts)]
        case {"NULL": _}:
            return None
        case _:
            raise ValueError(f"an attribute of type {', '.join(attribute)} is not the app's")


def _sort_key(item: "Item") -> str:
    return item[SORT_KEY]["S"]
