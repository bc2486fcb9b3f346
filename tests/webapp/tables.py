"""Tables of a test's own, and the app's way to them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import uuid4

from aiobotocore.session import get_session

from tests.webapp.environment import REGION
from tests.webapp.furnishing import aws, put_table
from webapp.aws import configuration
from webapp.table_client import TableClient

T = TypeVar("T")


def new_table(url: str) -> str:
    """The name of a table that nobody else uses."""
    name = f"table-{uuid4()}"
    put_table(url, name)
    return name


def with_table(url: str, name: str, use: Callable[[TableClient], Awaitable[T]], service: str = "web") -> T:
    """What the use of a table comes to, by a client as the app of a service has it."""

    async def run() -> T:
        session = get_session()
        session.set_credentials("test", "test")
        async with session.create_client(
            "dynamodb", region_name=REGION, endpoint_url=url, config=configuration(10)
        ) as dynamodb:
            return await use(TableClient(dynamodb, name, service))

    return asyncio.run(run())


def items(url: str, name: str) -> list[dict[str, Any]]:
    """All items of a table, as DynamoDB gives them."""
    pages = aws("dynamodb", url).get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]
