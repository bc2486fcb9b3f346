"""Tables of DynamoDB: what it refuses, changes that moto loses, restores, transactions, and previous items.

A restored table has its source's keys, indexes, billing mode and encryption, and nothing else: no tags, no
expiry, no point-in-time recovery, no deletion protection. Here it has the items of now, whichever time is
asked for.

moto makes a transaction twice when asked twice, and by copying whole tables. A request that is sent again
within ten minutes, as its answer was lost, changes nothing more.

moto keeps each item for ever, even those it makes to answer one query. An app that reads its table every few
seconds would fill the memory of the embedded AWS in days.

Sources: Amazon DynamoDB API Reference, "CreateTable", "UpdateTable", "UpdateTimeToLive",
"UpdateContinuousBackups", "RestoreTableToPointInTime" and "TransactWriteItems: ClientRequestToken"; Amazon
DynamoDB Developer Guide, "Quotas in Amazon DynamoDB" and "Point-in-time recovery".
"""

import copy
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    DynamodbException,
    MockValidationException,
    PointInTimeRecoveryUnavailable,
    ResourceNotFoundException,
    SourceTableNotFoundException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from ops.local.embedded_server.patching import kept, patch

_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_KEY_TYPES: Final = ("S", "N", "B")
_MOST_INDEXES: Final = {"GlobalSecondaryIndexes": 20, "LocalSecondaryIndexes": 5}
_RECOVERY_DAYS: Final = (1, 35)
_INVALID: Final = "One or more parameter values were invalid: "
_TOKEN_LASTS: Final = 600.0
"""Seconds."""

_create = DynamoHandler.create_table
_update = DynamoHandler.update_table
_expire = DynamoDBBackend.update_time_to_live
_recover = DynamoDBBackend.update_continuous_backups
_restore = DynamoHandler.restore_table_to_point_in_time
_answer = DynamoHandler.transact_write_items
_transact = DynamoDBBackend.transact_write_items

Place = tuple[DynamoType, DynamoType | None]


class _Forgetful(list[Any]):
    """Takes in what moto lists of each class for its dashboard, and stays empty."""

    def append(self, _: object) -> None:
        """Lets it go."""


def mend() -> None:
    """Mends moto's tables and transactions, and has it keep only the items that are in a table."""
    patch(
        DynamoHandler,
        create_table,
        update_table,
        restore_table_to_point_in_time,
        transact_write_items=answer_transaction,
    )
    patch(
        DynamoDBBackend,
        update_time_to_live,
        describe_time_to_live,
        update_continuous_backups,
        transact_write_items=transact,
    )
    patch(Item, instances_tracked=_Forgetful())
    patch(Table, instances_tracked=_Forgetful())


def create_table(handler: DynamoHandler) -> ActionResult:
    """Creates a table that DynamoDB takes; moto checks that exactly the attributes of keys are defined."""
    body = handler.body
    _check_name("tableName", body["TableName"])
    _check_types(body["AttributeDefinitions"])
    for kind, most in _MOST_INDEXES.items():
        indexes = body.get(kind) or []
        names = [index["IndexName"] for index in indexes]
        for index in indexes:
            _check_index(index, str(body.get("BillingMode")))
        if len(names) > most:
            raise MockValidationException(f"{_INVALID}{kind} count exceeds the per-table limit of {most}")
        if len(names) != len(set(names)):
            raise MockValidationException(f"{_INVALID}Duplicate index name: {max(names, key=names.count)}")
    return _create(handler)


def update_table(handler: DynamoHandler) -> ActionResult:
    """Changes a table, its encryption included; an index at a time, as on AWS."""
    body = handler.body
    table = handler.dynamodb_backend.get_table(body["TableName"])
    known = {index.name for index in table.global_indexes}
    changes = [
        (kind, index)
        for each in body.get("GlobalSecondaryIndexUpdates") or []
        for kind, index in each.items()
    ]
    if sum(kind in ("Create", "Delete") for kind, _ in changes) > 1:
        raise _error(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per "
            "table",
        )
    definitions = {
        each["AttributeName"]: each for each in (*table.attr, *body.get("AttributeDefinitions", ()))
    }
    _check_types(definitions.values())
    for kind, index in changes:
        if kind == "Create":
            _check_index(index, body.get("BillingMode") or str(table.billing_mode))
            _check_defined(index, definitions)
        elif index["IndexName"] not in known:
            raise ResourceNotFoundException()
        if kind == "Create" and index["IndexName"] in known:
            raise MockValidationException(f"{_INVALID}Index already exists: {index['IndexName']}")
        if kind == "Create" and len(known) >= _MOST_INDEXES["GlobalSecondaryIndexes"]:
            text = "GlobalSecondaryIndex count exceeds the per-table limit of 20"
            raise _error("LimitExceededException", text)
    if encryption := body.get("SSESpecification"):
        _encrypt(table, encryption)
    _update(handler)
    used = set(_keys(table))
    table.attr = [definition for name, definition in definitions.items() if name in used]
    return DynamoResult(table.describe())


def update_time_to_live(backend: DynamoDBBackend, table_name: str, ttl_spec: dict[str, Any]) -> None:
    """Turns the expiry of items on or off, if it is the other way round."""
    table = backend.get_table(table_name)
    current = table.ttl
    is_on = current["TimeToLiveStatus"] == "ENABLED"
    if is_on and ttl_spec["Enabled"] and ttl_spec["AttributeName"] != current["AttributeName"]:
        raise MockValidationException(
            "TimeToLive is active on a different AttributeName: current AttributeName is "
            f"{current['AttributeName']}"
        )
    if is_on is ttl_spec["Enabled"]:
        raise MockValidationException(f"TimeToLive is already {'enabled' if is_on else 'disabled'}")
    if is_on and ttl_spec["AttributeName"] != current["AttributeName"]:
        raise MockValidationException(f"TimeToLive is active on {current['AttributeName']}")
    _expire(backend, table_name, ttl_spec)


def describe_time_to_live(backend: DynamoDBBackend, table_name: str) -> dict[str, Any]:
    """What DescribeTimeToLive answers; the attribute only while it counts."""
    found: Mapping[str, Any] = backend.get_table(table_name).ttl
    if found["TimeToLiveStatus"] == "ENABLED":
        return dict(found)
    return {"TimeToLiveStatus": found["TimeToLiveStatus"]}


def update_continuous_backups(
    backend: DynamoDBBackend, table_name: str, point_in_time_spec: dict[str, Any]
) -> dict[str, Any]:
    """Turns point-in-time recovery on or off."""
    low, high = _RECOVERY_DAYS
    days = point_in_time_spec.get("RecoveryPeriodInDays", high)
    if not low <= days <= high:
        field = "pointInTimeRecoverySpecification.recoveryPeriodInDays"
        raise _unfit(days, field, f"have value from {low} to {high}")
    return _recover(backend, table_name, point_in_time_spec)


def restore_table_to_point_in_time(handler: DynamoHandler) -> ActionResult:
    """Makes a new table of a source that has point-in-time recovery."""
    body, backend = handler.body, handler.dynamodb_backend
    name = str(body.get("SourceTableName") or str(body.get("SourceTableArn", "")).rpartition("/")[2])
    if name not in backend.tables:
        raise SourceTableNotFoundException(name)
    _check_name("targetTableName", body["TargetTableName"])
    source = backend.tables[name]
    described = source.continuous_backups["PointInTimeRecoveryDescription"]
    if described["PointInTimeRecoveryStatus"] != "ENABLED":
        raise PointInTimeRecoveryUnavailable(name)
    wanted: datetime | None = body.get("RestoreDateTime")
    if wanted is None and not body.get("UseLatestRestorableTime"):
        raise MockValidationException(
            f"{_INVALID}Either UseLatestRestorableTime or RestoreDateTime is needed"
        )
    earliest = float(described["EarliestRestorableDateTime"])
    if wanted is not None and not earliest <= wanted.replace(tzinfo=UTC).timestamp() <= time.time():
        raise _error(
            "InvalidRestoreTimeException",
            "An invalid restore time was specified. RestoreDateTime must be between "
            "EarliestRestorableDateTime and LatestRestorableDateTime.",
        )
    body["SourceTableName"] = name
    _restore(handler)
    restored = backend.tables[body["TargetTableName"]]
    restored.billing_mode = body.get("BillingModeOverride") or source.billing_mode
    restored.sse_specification = copy.deepcopy(source.sse_specification)
    return DynamoResult(restored.describe())


def answer_transaction(handler: DynamoHandler) -> ActionResult:
    """Makes a transaction, or answers as before when its token was given before."""
    token, writes = handler.body.get("ClientRequestToken"), handler.body["TransactItems"]
    if token is None:
        return _answer(handler)
    now = time.time()
    answers: dict[str, tuple[float, Any, ActionResult]] = kept(
        handler.dynamodb_backend, "answers_by_token", {}
    )
    for expired in [known for known, (at, *_) in answers.items() if at + _TOKEN_LASTS < now]:
        del answers[expired]
    if token not in answers:
        asked = copy.deepcopy(writes)
        answers[token] = now, asked, _answer(handler)
    _, asked, result = answers[token]
    if asked != writes:
        raise _error("IdempotentParameterMismatchException", "The token was used with other parameters.")
    return result


def transact(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> None:
    """Makes a transaction on a copy of the items that it is about, and keeps them when it is made."""
    places: dict[str, set[Place]] = defaultdict(set)
    for write in writes:
        operation = next(iter(write.values()))
        table = backend.get_table(operation["TableName"])
        key = operation["Item"] if "Item" in operation else operation["Key"]
        places[table.name].add(backend.get_keys_value(table, key))
    staged = copy.copy(backend)
    staged.tables = copy.copy(backend.tables)
    for name, wanted in places.items():
        staged.tables[name] = _part(backend.tables[name], wanted)
    _transact(staged, writes)
    for name, wanted in places.items():
        for place in wanted:
            _move(staged.tables[name], backend.tables[name], place)


def _check_name(field: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        rule = "satisfy regular expression pattern: [a-zA-Z0-9_.-]+, with 3 to 255 characters"
        raise _unfit(name, field, rule)


def _check_types(definitions: Iterable[Mapping[str, Any]]) -> None:
    for each in definitions:
        if each["AttributeType"] not in _KEY_TYPES:
            rule = "satisfy enum value set: [B, N, S]"
            raise _unfit(each["AttributeType"], "attributeDefinitions", rule)


def _error(kind: str, text: str) -> DynamodbException:
    return DynamodbException(f"{ERROR_TYPE_PREFIX}{kind}", text)


def _unfit(value: object, field: str, rule: str) -> MockValidationException:
    found = f"1 validation error detected: Value '{value}' at '{field}'"
    return MockValidationException(f"{found} failed to satisfy constraint: Member must {rule}")


def _check_index(index: Mapping[str, Any], billing_mode: str) -> None:
    _check_name("indexName", index["IndexName"])
    kinds = [key["KeyType"] for key in index["KeySchema"]]
    if kinds not in (["HASH"], ["HASH", "RANGE"]):
        raise MockValidationException(
            f"{_INVALID}The first key of an index is HASH, the second RANGE: {kinds}"
        )
    projection = index["Projection"]
    if ("NonKeyAttributes" in projection) is not (projection.get("ProjectionType") == "INCLUDE"):
        raise MockValidationException(
            f"{_INVALID}NonKeyAttributes are specified with the ProjectionType INCLUDE, and with no other"
        )
    if billing_mode == "PAY_PER_REQUEST" and index.get("ProvisionedThroughput"):
        raise MockValidationException(
            f"{_INVALID}ProvisionedThroughput should not be specified for index: {index['IndexName']} when "
            "BillingMode is PAY_PER_REQUEST"
        )


def _check_defined(index: Mapping[str, Any], definitions: Mapping[str, Any]) -> None:
    missing = [key["AttributeName"] for key in index["KeySchema"] if key["AttributeName"] not in definitions]
    if missing:
        raise MockValidationException(
            f"{_INVALID}Some index key attributes are not defined in AttributeDefinitions. Keys: {missing}, "
            f"AttributeDefinitions: {sorted(definitions)}"
        )


def _encrypt(table: Table, wanted: dict[str, Any]) -> None:
    if not wanted.get("Enabled"):
        table.sse_specification = None
        return
    key = wanted.get("KMSMasterKeyId") or table._get_default_encryption_key(
        table.account_id, table.region_name
    )
    table.sse_specification = {**wanted, "KMSMasterKeyId": key}


def _keys(table: Table) -> Iterator[str]:
    """Yields the attributes that are keys of a table or of its indexes."""
    schemas: Sequence[Any] = [
        table.schema,
        *(index.schema for index in (*table.indexes, *table.global_indexes)),
    ]
    yield from (key["AttributeName"] for schema in schemas for key in schema)


def _part(table: Table, places: set[Place]) -> Table:
    part = copy.copy(table)
    part.items = defaultdict(dict)
    for place in places:
        _move(table, part, place)
    part.items = copy.deepcopy(part.items)
    return part


def _move(source: Table, target: Table, place: Place) -> None:
    """Puts into one table what another has in a place, were it nothing."""
    hash_key, range_key = place
    items: Any = target.items if range_key is None else target.items[hash_key]
    item = source.get_item(hash_key, range_key)
    if item is None:
        items.pop(hash_key if range_key is None else range_key, None)
    else:
        items[hash_key if range_key is None else range_key] = item
