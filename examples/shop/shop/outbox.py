"""The delivery of orders: a file in the bucket, then a message in the queue.

An order is stored first, and the table is its outbox: until both are done, `delivered_at` is empty. Every web
task delivers what it finds, its own orders at once and what another task left behind within seconds. A task
that ends between the message and the note of it makes a second delivery: the same file, and a message that
changes nothing, because the worker confirms new orders only.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shop import store
from shop.database import Database
from shop.logs import log

if TYPE_CHECKING:
    from uuid import UUID

    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sqs import SQSClient


def receipt_key(order_id: "UUID") -> str:
    """Returns the key of an order's file in the bucket."""
    return f"orders/{order_id}.json"


@dataclass
class Outbox:
    """Delivers orders until it is stopped."""

    database: Database
    s3: "S3Client"
    bucket: str
    sqs: "SQSClient"
    queue_url: str
    every: float = 5
    """Seconds between looks for orders that this task has not been told of."""
    _look: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False

    def look(self) -> None:
        """Has it look at once."""
        self._look.set()

    def stop(self) -> None:
        """Has it look once more, and end."""
        self._stopping = True
        self._look.set()

    async def run(self) -> None:
        """Delivers; goes on after errors, which it logs."""
        last = False
        while not last:
            last = self._stopping
            self._look.clear()
            try:
                while await self.deliver_one():
                    pass
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may go well
                log("orders not delivered", reason=f"{type(error).__name__}: {error}")
            if not self._stopping:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._look.wait(), self.every)

    async def deliver_one(self) -> bool:
        """Delivers the oldest order; returns False if there is none."""
        async with self.database.connection() as connection:
            order = await store.lock_undelivered(connection)
            if order is None:
                return False
            await self.s3.put_object(
                Bucket=self.bucket,
                Key=receipt_key(order.id),
                Body=json.dumps(order.receipt()).encode(),
                ContentType="application/json",
            )
            await self.sqs.send_message(
                QueueUrl=self.queue_url, MessageBody=json.dumps({"order": str(order.id)})
            )
            await store.mark_delivered(connection, order.id)
        log("order delivered", order=str(order.id))
        return True
