"""Transactions of DynamoDB, which moto makes twice when asked twice, and by copying whole tables.

A request that is sent again within ten minutes, as its answer was lost, changes nothing more. Source:
Amazon DynamoDB API Reference, "TransactWriteItems: ClientRequestToken".
"""

import copy
import time
from collections import defaultdict
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import ERROR_TYPE_PREFIX, DynamodbException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

TOKEN_LASTS: Final = 600.0
"""Seconds."""

_answer = DynamoHandler.transact_write_items
_transact = DynamoDBBackend.transact_write_items

Place = tuple[DynamoType, DynamoType | None]


def make_transactions_once() -> None:
    """Mend moto's TransactWriteItems; call it before the server answers."""
    setattr(DynamoHandler, _answer.__name__, answer)
    setattr(DynamoDBBackend, _transact.__name__, transact)


def answer(handler: DynamoHandler) -> ActionResult:
    """Make a transaction, or answer as before when its token was given before."""
    token, writes = handler.body.get("ClientRequestToken"), handler.body["TransactItems"]
    if token is None:
        return _answer(handler)
    now = time.time()
    answers = vars(handler.dynamodb_backend).setdefault("answers_by_token", {})
    for expired in [known for known, (at, *_) in answers.items() if at + TOKEN_LASTS < now]:
        del answers[expired]
    if token not in answers:
        asked = copy.deepcopy(writes)
        answers[token] = now, asked, _answer(handler)
    _, asked, result = answers[token]
    if asked != writes:
        raise DynamodbException(
            f"{ERROR_TYPE_PREFIX}IdempotentParameterMismatchException",
            "The token was used with other parameters.",
        )
    made: ActionResult = result
    return made


def transact(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> None:
    """Make a transaction on a copy of the items that it is about, and keep them when it is made."""
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


def _part(table: Table, places: set[Place]) -> Table:
    part = copy.copy(table)
    part.items = defaultdict(dict)
    for place in places:
        _move(table, part, place)
    part.items = copy.deepcopy(part.items)
    return part


def _move(source: Table, target: Table, place: Place) -> None:
    """Put into one table what another has in a place, were it nothing."""
    hash_key, range_key = place
    items: Any = target.items if range_key is None else target.items[hash_key]
    item = source.get_item(hash_key, range_key)
    if item is None:
        items.pop(hash_key if range_key is None else range_key, None)
    else:
        items[hash_key if range_key is None else range_key] = item
