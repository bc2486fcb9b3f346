"""The app's DynamoDB table: its keys, and the conversion of its items.

One table holds everything. Partition key `pk` and sort key `sk` are strings:

| pk                       | sk                            | what it is                          | kept     |
|--------------------------|-------------------------------|-------------------------------------|----------|
| `web#history#<id>`       | `minute#2026-11-23T06:25:00Z` | the record of a slot                | 90 days  |
| `web#history#<id>`       | `change#2026-11-23T06:25:12…` | a change of state                   | 90 days  |
| `web#history#<id>`       | `day#2026-11-23`              | seconds in each state               | 400 days |
| `web#incidents`          | `incident#<id>`               | an incident with all its updates    | forever  |
| `web#incidents`          | `open`                        | the ids of open incidents, as a set | forever  |
| `web#idempotency#<hash>` | `create-incident`             | the incident that a key has opened  | 24 hours |

Services of an environment share the table, so each partition key starts with the service, here `web`. An id
is that of a component. The hash is the SHA-256 of the client's key. `expires_at` is DynamoDB's time to live,
in seconds since the epoch; DynamoDB may delete an item days later (DynamoDB Developer Guide, "Using time to
live"), so nothing relies on it.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import JsonValue

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
"""Attribute of the item `open`: a string set, absent while empty."""

_MINUTE: Final = "minute#"
_CHANGE: Final = "change#"
_DAY: Final = "day#"
_INCIDENT: Final = "incident#"
_ABOUT: Final = frozenset({PARTITION_KEY, SORT_KEY, EXPIRY_ATTRIBUTE})
_WHOLE: Final = re.compile(r"-?\d+")


@dataclass(frozen=True)
class Key:
    """The key of one item."""

    pk: str
    sk: str

    @property
    def attributes(self) -> dict[str, "AttributeValueTypeDef"]:
        """Returns the key in DynamoDB's format."""
        return {PARTITION_KEY: {"S": self.pk}, SORT_KEY: {"S": self.sk}}


NEWER_THAN_ANY_INCIDENT: Final = "~"
"""In place of an id: its key sorts after every incident's and before `open`."""


@dataclass(frozen=True)
class Keys:
    """The keys of one service of the environment."""

    service: str

    def history(self, component: str) -> str:
        """Returns the partition with the minutes and days of a component."""
        return f"{self.service}#history#{component}"

    def minute(self, component: str, slot: datetime) -> Key:
        """Returns the key of the record of the minute (UTC) that starts at `slot`."""
        return Key(self.history(component), f"{_MINUTE}{slot.astimezone(UTC):%Y-%m-%dT%H:%M}:00Z")

    def change(self, component: str, at: datetime) -> Key:
        """Returns the key of the change of state that began at a time."""
        return Key(self.history(component), f"{_CHANGE}{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z")

    def day(self, component: str, day: date) -> Key:
        """Returns the key of the counters of a day (UTC)."""
        return Key(self.history(component), f"{_DAY}{day.isoformat()}")

    @property
    def incidents(self) -> str:
        """Returns the partition with the incidents."""
        return f"{self.service}#incidents"

    @property
    def open_incidents(self) -> Key:
        """Returns the key of the ids of the open incidents."""
        return Key(self.incidents, "open")

    def incident(self, identifier: str) -> Key:
        """Returns the key of an incident, whose id sorts by the time it began."""
        return Key(self.incidents, f"{_INCIDENT}{identifier}")

    def idempotency(self, key: str) -> Key:
        """Returns the key for a client's idempotency key, which is stored as its hash only."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        return Key(f"{self.service}#idempotency#{digest}", "create-incident")


def minute_of(item: "Item") -> datetime:
    """Returns the minute of a record."""
    return datetime.fromisoformat(_sort_key(item).removeprefix(_MINUTE))


def change_of(item: "Item") -> datetime:
    """Returns when a change began."""
    return datetime.fromisoformat(_sort_key(item).removeprefix(_CHANGE))


def day_of(item: "Item") -> date:
    """Returns the day of counters."""
    return date.fromisoformat(_sort_key(item).removeprefix(_DAY))


def item_of(
    key: Key, content: Mapping[str, JsonValue], expires_at: datetime | None = None
) -> dict[str, "AttributeValueTypeDef"]:
    """Returns an item with this content, without members that are None."""
    item = {name: attribute(value) for name, value in content.items() if value is not None}
    expiry = {} if expires_at is None else {EXPIRY_ATTRIBUTE: seconds(expires_at)}
    return {**item, **expiry, **key.attributes}


def content_of(item: "Item") -> dict[str, JsonValue]:
    """Returns an item's content, without its key and expiry.

    Raises `ValueError` for types that the app does not write: binary values, and sets of them or of numbers.
    """
    return {name: value_of(value) for name, value in item.items() if name not in _ABOUT}


def seconds(at: datetime) -> "AttributeValueTypeDef":
    """Converts a time for DynamoDB's time to live: whole seconds since the epoch."""
    return {"N": str(int(at.timestamp()))}


def attribute(value: JsonValue) -> "AttributeValueTypeDef":
    """Converts a JSON value to DynamoDB's format.

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
    """Converts a value from DynamoDB's format; a string set becomes a sorted list.

    Raises `ValueError` for the types that the app does not write.
    """
    # Patterns for each type would take three times as long, and an item has many values.
    first: tuple[str, Any] = next(iter(attribute.items()), ("", None))
    kind, content = first
    match kind:
        case "S" | "BOOL":
            value: JsonValue = content
        case "N":
            value = int(content) if _WHOLE.fullmatch(content) else float(content)
        case "L":
            value = [value_of(part) for part in content]
        case "M":
            value = {name: value_of(part) for name, part in content.items()}
        case "SS":
            value = [*sorted(content)]
        case "NULL":
            value = None
        case _:
            raise ValueError(f"an attribute of type {kind or 'none'} is not the app's")
    return value


def _sort_key(item: "Item") -> str:
    return item[SORT_KEY]["S"]
