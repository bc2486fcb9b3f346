"""Items of DynamoDB, each of which moto keeps for ever, even those it makes to answer one query.

An app that reads its table every few seconds would fill the memory of the embedded AWS in days.
"""

from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table


def forget_items() -> None:
    """Have moto keep only the items that are in a table; call it before the server answers."""
    for model in (Item, Table):
        setattr(model, "instances_tracked", _Forgetful())  # noqa: B010 - moto's metaclass adds the attribute


class _Forgetful(list[Any]):
    """Takes in what moto lists of each class for its dashboard, and stays empty."""

    def append(self, _: object) -> None:
        """Let it go."""
